"""Tests that what runs is compared with what was released: images by digest, and live objects."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.objects import Pod, parse_pod
from todo_release.adapters.registry.client import ImageNotFoundError
from todo_release.environments.deviations import DeviationFinder, reported_digest
from todo_release.environments.drift import LiveChange
from todo_release.environments.status import RunningVersion, read_running_version
from todo_release.errors import PromotionError, SmokeError

from ..doubles.harness import NOW, Harness
from ..doubles.kubernetes_objects import container, pod
from ..shop import Tree

INDEX, PLATFORM, CONFIGURATION, OTHER = (f"sha256:{digit * 64}" for digit in "abcd")
EDIT = LiveChange(
    "Service/web", "spec.type", "ClusterIP", "NodePort", "kubectl-edit", NOW - timedelta(days=2)
)


@pytest.fixture
def harness(tree: Tree) -> Harness:
    """Returns a harness in which 0.1.0 runs everywhere."""
    harness = Harness(tree.path)
    harness.release("0.1.0")
    return harness


def run_image(harness: Harness, image_id: str, *, reference: str = f"registry.test/shop/web@{INDEX}") -> None:
    """Lets staging's Helm record name an image, and a pod report one."""
    harness.helm["staging"].objects = (
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: site}\n"
        f"spec: {{template: {{spec: {{containers: [{{name: web, image: '{reference}'}}]}}}}}}\n"
    )
    harness.cluster.pods = (running_pod(image_id),)


def running_pod(image_id: str) -> Pod:
    """Returns a pod whose node reports an image."""
    raw = pod(container(running=True, ready=True), container("proxy", running=True), owner="", ready=True)
    raw["status"]["containerStatuses"][0]["imageID"] = image_id
    raw["status"]["containerStatuses"][1]["imageID"] = (
        f"registry.test/shop/web@{OTHER}"  # an injected sidecar
    )
    return parse_pod(raw)


class Registry:
    """A registry with one image in an index; `also` are digests of other indexes that hold it."""

    def __init__(self, also: tuple[str, ...] = ()) -> None:
        """Takes the other indexes."""
        self._also = also
        self.asked: list[str] = []

    def resolve(self, repository: str, reference: str, platform: str) -> Any:
        """As `Registry.resolve`."""
        assert (repository, platform) == ("shop/web", "linux/amd64")
        self.asked.append(reference)
        if reference in {INDEX, *self._also}:
            return SimpleNamespace(platform_digest=PLATFORM, config_digest=CONFIGURATION)
        raise ImageNotFoundError("There is no such image.", remedy="Push it.")


def deviations_of(harness: Harness, registry: Registry) -> list[str]:
    """Returns what differs in staging."""
    find = DeviationFinder(harness.config, registry, lambda access: harness.live_changes, lambda: NOW)  # type: ignore[arg-type]  # a double
    access = harness.session.context.connect("staging")
    running = read_running_version(access)
    assert isinstance(running, RunningVersion)
    return [deviation.problem for deviation in find(access, running)]


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"registry.test/shop/web@{INDEX}", INDEX),
        (f"docker-pullable://registry.test:5000/shop/web@{INDEX}", INDEX),
        (CONFIGURATION, CONFIGURATION),
        (f"docker://{CONFIGURATION}", CONFIGURATION),
        ("", ""),
        ("registry.test/shop/web:1", ""),
    ],
)
def test_reported_digest_is_found_in_every_form_of_image_id(image_id: str, digest: str) -> None:
    """Container runtimes write it differently."""
    assert reported_digest(image_id) == digest


@pytest.mark.parametrize("digest", [INDEX, PLATFORM, CONFIGURATION])
def test_node_may_report_the_index_the_platform_or_the_configuration(harness: Harness, digest: str) -> None:
    """All name the released image; the registry is asked only when the digest is not the released one."""
    registry = Registry()
    run_image(harness, f"mirror.test/shop/web@{digest}")
    assert deviations_of(harness, registry) == []
    assert registry.asked == ([] if digest == INDEX else [INDEX])


def test_image_in_another_index_is_the_same_image(harness: Harness) -> None:
    """A build with other attestations is a new index around the same image; nodes report either."""
    run_image(harness, f"registry.test/shop/web@{OTHER}")
    assert deviations_of(harness, Registry(also=(OTHER,))) == []


def test_pod_with_another_image_is_named_with_both_digests(harness: Harness) -> None:
    """A container that the manifest does not have is left to whoever injects it."""
    run_image(harness, f"registry.test/shop/web@{OTHER}")
    assert deviations_of(harness, Registry()) == [
        f"Pod/web-2-a runs {OTHER[:19]} in container web and not registry.test/shop/web@{INDEX[:19]}"
    ]


def test_tag_that_names_another_image_by_now_is_found_by_the_record(harness: Harness) -> None:
    """Where the manifest names a tag only, the digest that was recorded counts."""
    released = harness.records("staging").read()[-1].digests["web"]
    run_image(harness, f"registry.test/shop/web@{OTHER}", reference="registry.test/shop/web:latest")
    (problem,) = deviations_of(harness, Registry())
    assert problem.endswith(f"and not registry.test/shop/web@{released[:19]}")
    run_image(harness, f"registry.test/shop/web@{released}", reference="registry.test/shop/web:latest")
    assert deviations_of(harness, Registry()) == []


@pytest.mark.parametrize("image_id", ["", f"docker.io/library/postgres@{OTHER}"])
def test_images_that_are_not_known_or_not_ours_are_not_compared(harness: Harness, image_id: str) -> None:
    """A container that has not started reports nothing; the registries of others are not asked."""
    reference = f"registry.test/shop/web@{INDEX}" if not image_id else f"docker.io/library/postgres@{INDEX}"
    run_image(harness, image_id, reference=reference)
    assert deviations_of(harness, Registry()) == []


def test_environment_with_another_image_is_not_done(harness: Harness) -> None:
    """The plan says which pod runs what, and deploys again."""
    run_image(harness, f"registry.test/shop/web@{OTHER}")
    plan = harness.session.plan_release("0.1.0")
    assert [step.id for step in plan.pending] == ["preflight:staging", "deploy:staging", "verify:staging"]
    assert plan.pending[1].reason.startswith(
        "not what was released: Pod/web-2-a runs sha256:dddddddddddd in container web"
    )


def test_verification_fails_while_another_image_runs(harness: Harness) -> None:
    """The version is not at fault, so that nothing is rolled back; the remedy names the pod."""
    run_image(harness, f"registry.test/shop/web@{OTHER}")
    session = harness.session
    with pytest.raises(
        SmokeError, match=r"staging does not run what was released: Pod/web-2-a runs"
    ) as failed:
        session.run(session.plan_release("0.1.0"), harness.events.append)
    assert "--namespace staging delete pod web-2-a" in failed.value.remedy
    assert [revision.status for revision in harness.helm["staging"].revisions] == ["superseded", "deployed"]
    assert [record.result for record in harness.records("staging").read()] == ["verified", "deployed"]


def test_edited_object_is_a_reason_to_deploy_again(harness: Harness) -> None:
    """A release without a change says who edited what, and sets it back."""
    harness.live_changes = (EDIT,)
    plan = harness.session.plan_release("0.1.0")
    deploy = next(step for step in plan.pending if step.id == "deploy:staging")
    assert deploy.reason == (
        "not what was released: Service/web spec.type is NodePort and not ClusterIP: "
        "kubectl-edit set it 2 days ago"
    )


def test_promotion_with_an_account_that_sees_only_records_relies_on_them(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account of production may have the right to read nothing else of staging; the plan says so."""
    refusal = ApiRefusedError("May not list secrets (403).", remedy="Grant it.", status=403)
    newest = harness.helm["staging"].newest

    def refuse(release: str) -> None:
        raise refusal

    monkeypatch.setattr(harness.helm["staging"], "newest", refuse)
    plan = harness.session.plan_promotion("0.1.0")
    assert plan.refusals == ()
    assert "production relies on the records of staging" in plan.findings[-1]
    refusal.status = 500
    assert refusal in harness.session.plan_promotion("0.1.0").refusals
    monkeypatch.setattr(harness.helm["staging"], "newest", newest)
    assert "records" not in harness.session.plan_promotion("0.1.0").findings[-1]


def test_promotion_is_refused_while_the_required_environment_runs_something_else(harness: Harness) -> None:
    """What staging verified is not what staging runs; another version there says nothing about this one."""
    run_image(harness, f"registry.test/shop/web@{OTHER}")
    (refusal,) = harness.session.plan_promotion("0.1.0").refusals
    assert isinstance(refusal, PromotionError)
    assert refusal.problem.startswith(
        "staging does not run what was verified, so production does not accept 0.1.0: Pod/web-2-a runs"
    )
    revisions = harness.helm["staging"].revisions
    revisions[-1] = replace(revisions[-1], app_version="0.2.0", description=f"0.2.0 {'0' * 16}")
    assert harness.session.plan_promotion("0.1.0").refusals == ()
