"""What goes wrong on demand: which faults there are, and whom they befall."""

from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.environments.rollout.causes import CAUSES
from todo_release.errors import ConfigError, RehearsalError
from todo_release.rehearsal.faults import FAULTS, named
from todo_release.rehearsal.pod_faults import Newcomers, NewCrash, NewUnready, Pulls, digest_in

OLD, NEW = f"registry.test/shop/web@sha256:{'0' * 64}", f"registry.test/shop/web@sha256:{'1' * 64}"
KNOWN = frozenset({OLD.partition("@")[2]})
STEPS = ("commit", "deploy:staging")


def pod(*images: str, owner: str = "ReplicaSet", sidecar: bool = False) -> dict[str, Any]:
    """A pod with containers of these images."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    if sidecar:
        containers.append({"name": "daprd", "image": "ghcr.io/dapr/daprd"})
    return {
        "metadata": {"name": "p", "namespace": "staging", "ownerReferences": [{"kind": owner}]},
        "spec": {"containers": containers},
    }


def test_every_fault_has_a_name_of_its_own_and_a_cause_that_is_known() -> None:
    """`refused` stands for a refusal of the API server, before anything was done."""
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {fault.cause for fault in FAULTS} <= {cause.id for cause in CAUSES} | {"refused", None}


def test_faults_are_chosen_by_name_once_each_in_the_order_asked_for() -> None:
    """Those of the table, and a run that dies at the end of a step."""
    chosen = named(("crash", "kill@commit", "quota", "crash"), STEPS)
    assert [(fault.name, fault.cause) for fault in chosen] == [
        ("crash", "crash-loop"),
        ("kill@commit", None),
        ("quota", "quota-exceeded"),
    ]


def test_all_is_every_fault_and_a_death_at_every_step() -> None:
    """As the guide says."""
    names = [fault.name for fault in named(("all",), STEPS)]
    assert names == [*(fault.name for fault in FAULTS), "kill@commit", "kill@deploy:staging"]


@pytest.mark.parametrize("name", ["flood", "kill@push", "kill@", ""])
def test_unknown_fault_is_refused_with_the_list(name: str) -> None:
    """Steps that a run cannot be killed at are no faults either."""
    with pytest.raises(ConfigError, match=f"There is no fault '{name}'") as refused:
        named((name,), STEPS)
    assert "all, missing-secret" in refused.value.remedy
    assert "kill@deploy:staging" in refused.value.remedy


def test_registry_refuses_only_what_was_pushed_after_the_fault() -> None:
    """And everything again lets through when the fault is taken back."""
    pulls = Pulls()
    assert pulls.refuse(NEW) is None
    pulls.known, pulls.refusal = KNOWN, "not found"
    assert [pulls.refuse(image) for image in (OLD, NEW)] == [None, "not found"]
    pulls.refusal = None
    assert pulls.refuse(NEW) is None


def test_digest_is_what_stands_behind_the_at_sign() -> None:
    """A tag names no content."""
    assert digest_in(NEW) == f"sha256:{'1' * 64}"
    assert digest_in("ghcr.io/dapr/daprd:1.16") is None


@pytest.mark.parametrize(
    ("seen", "app", "job", "beside"),
    [
        (pod(OLD), False, False, False),
        (pod(NEW), True, False, False),
        (pod(OLD, NEW), True, False, False),
        (pod(NEW, sidecar=True), True, False, True),
        (pod(OLD, sidecar=True), False, False, False),
        (pod(NEW, owner="Job"), False, True, False),
        (pod("busybox:1"), False, False, False),
    ],
    ids=["old", "new", "one-new", "new-with-sidecar", "old-with-sidecar", "new-job", "by-tag"],
)
def test_newcomers_are_pods_with_an_image_that_was_not_there(
    seen: dict[str, Any], app: bool, job: bool, beside: bool
) -> None:
    """Of Jobs or of anything else; the sidecar's image is never new."""
    assert NewCrash(new=Newcomers(known=KNOWN)).befalls(seen) is app
    assert NewUnready(new=Newcomers(known=KNOWN)).befalls(seen) is app
    assert NewCrash(new=Newcomers(known=KNOWN, is_job=True)).befalls(seen) is job
    assert NewCrash(new=Newcomers(known=KNOWN, beside=True), container="daprd").befalls(seen) is beside


@pytest.mark.parametrize("name", ["missing-secret", "missing-key"])
def test_fault_that_finds_no_secret_to_take_away_says_so(name: str) -> None:
    """A chart that reads none, or only what Helm makes itself."""
    fault = next(fault for fault in FAULTS if fault.name == name)
    reading = {"name": "own", "key": "k"}
    deployment = {
        "metadata": {"namespace": "staging"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "web", "env": [{"valueFrom": {"secretKeyRef": reading}}]}],
                }
            }
        },
    }
    scene: Any = SimpleNamespace(
        settings=SimpleNamespace(namespace="staging"),
        site=SimpleNamespace(objects=()),
        deployments=lambda: [deployment],
    )
    with pytest.raises(RehearsalError, match="No Deployment of staging reads"), fault.arrange(scene):
        pass
