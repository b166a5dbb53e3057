"""What the API server refuses in a dry run, as findings."""

import pytest

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.environments.preview import RefusedObjectsError
from todo_release.errors import ClusterError
from todo_release.preflight.finding import Finding, error
from todo_release.preflight.inspection import Inspection
from todo_release.preflight.refusals import explain_refusal


def refused(text: str, status: int = 422) -> RefusedObjectsError:
    """Returns what the server answers about one object."""
    problem = f"Kubernetes refused to apply apis/apps/v1/namespaces/shop/x/web ({status}): {text}."
    return RefusedObjectsError(
        [("StatefulSet/web", ApiRefusedError(problem, remedy="Correct it.", status=status))]
    )


def inspection(*findings: Finding) -> Inspection:
    """Returns an inspection that found these."""
    return Inspection(
        environment="staging", version="0.1.0", findings=findings, nodes=None, skips={}, seconds=0
    )


@pytest.mark.parametrize(
    ("text", "check", "cause"),
    [
        (
            'StatefulSet.apps "web" is invalid: spec: Forbidden: updates to statefulset spec are forbidden',
            "release-state",
            "It changes what Kubernetes lets nobody change: spec: Forbidden: updates to statefulset spec",
        ),
        (
            'Deployment.apps "web" is invalid: spec.selector: Invalid value: {}: field is immutable',
            "release-state",
            "It changes what Kubernetes lets nobody change: spec.selector: Invalid value",
        ),
        (
            'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be greater than 0',
            "api-versions",
            "The API server does not accept it: spec.replicas: Invalid value: -1",
        ),
        (
            'Internal error occurred: failed calling webhook "policy.shop.test": no endpoints available',
            "api-versions",
            "The webhook policy.shop.test does not answer",
        ),
        (
            'admission webhook "policy.shop.test" denied the request: no team label',
            "api-versions",
            "The webhook policy.shop.test refuses it: no team label.",
        ),
    ],
)
def test_refusal_is_a_finding_with_its_page(text: str, check: str, cause: str) -> None:
    """The raw answer is shortened to what matters."""
    explained = explain_refusal("staging", "0.1.0", refused(text), lambda *_: inspection())
    (finding,) = explained.findings
    assert (finding.check, finding.subject) == (check, "StatefulSet/web")
    assert finding.cause.startswith(cause)
    assert f"docs/runbooks/preflight-{check}.md" in explained.remedy
    assert explained.code == 15


def test_finding_of_a_check_replaces_the_answer_of_the_server() -> None:
    """The check knows file and line; what else it found is told too."""
    known = [error("StatefulSet/web", "It changes.", "Undo it."), error("Job/a", "Wrong.", "Correct it.")]
    explained = explain_refusal(
        "staging", "0.1.0", refused("field is immutable"), lambda *_: inspection(*known)
    )
    assert list(explained.findings) == known


def test_inspection_that_fails_does_not_hide_the_refusal() -> None:
    """The refusal is what a person needs to know."""

    def fails(environment: str, version: str | None) -> Inspection:
        raise ClusterError("No answer.", remedy="Try again.")

    explained = explain_refusal("staging", "0.1.0", refused("field is immutable"), fails)
    assert [finding.subject for finding in explained.findings] == ["StatefulSet/web"]
