"""Which faults there are, and which pods and images they affect."""

from types import SimpleNamespace
from typing import Any

import pytest

from todo_release.environments.rollout.causes import CAUSES
from todo_release.errors import ConfigError, RehearsalError
from todo_release.rehearsal.faults import FAULTS, select_faults
from todo_release.rehearsal.pod_faults import (
    NewPods,
    NewPodsCrash,
    NewPodsNeverReady,
    PullFault,
    image_digest,
)

OLD, NEW = f"registry.test/shop/web@sha256:{'0' * 64}", f"registry.test/shop/web@sha256:{'1' * 64}"
KNOWN = frozenset({OLD.partition("@")[2]})
STEPS = ("commit", "deploy:staging")


def pod(*images: str, owner: str = "ReplicaSet", sidecar: bool = False) -> dict[str, Any]:
    """Returns a pod with containers of these images."""
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    if sidecar:
        containers.append({"name": "daprd", "image": "ghcr.io/dapr/daprd"})
    return {
        "metadata": {"name": "p", "namespace": "staging", "ownerReferences": [{"kind": owner}]},
        "spec": {"containers": containers},
    }


def test_every_fault_has_a_unique_name_and_a_known_cause() -> None:
    """A cause is one of the engine's causes, `refused` (by the API server), or None."""
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {fault.cause for fault in FAULTS} <= {cause.id for cause in CAUSES} | {"refused", None}


def test_faults_are_selected_by_name_in_the_given_order() -> None:
    """Names select faults once each, also kills at the end of a step."""
    selected = select_faults(("crash", "kill@commit", "quota", "crash"), STEPS)
    assert [(fault.name, fault.cause) for fault in selected] == [
        ("crash", "crash-loop"),
        ("kill@commit", None),
        ("quota", "quota-exceeded"),
    ]


def test_all_selects_every_fault_and_a_kill_at_every_step() -> None:
    """`all` selects the whole table and a kill for each step."""
    names = [fault.name for fault in select_faults(("all",), STEPS)]
    assert names == [*(fault.name for fault in FAULTS), "kill@commit", "kill@deploy:staging"]


@pytest.mark.parametrize("name", ["flood", "kill@push", "kill@", ""])
def test_unknown_fault_is_refused_with_the_list_of_faults(name: str) -> None:
    """An unknown name, or a kill at another step, is an error whose remedy lists all faults."""
    with pytest.raises(ConfigError, match=f"There is no fault '{name}'") as refused:
        select_faults((name,), STEPS)
    assert "all, missing-secret" in refused.value.remedy
    assert "kill@deploy:staging" in refused.value.remedy


def test_registry_refuses_only_images_pushed_after_the_fault() -> None:
    """Only images with an unknown digest are refused, and none without a refusal."""
    pull_fault = PullFault()
    assert pull_fault.refusal_of(NEW) is None
    pull_fault.known, pull_fault.refusal = KNOWN, "not found"
    assert [pull_fault.refusal_of(image) for image in (OLD, NEW)] == [None, "not found"]
    pull_fault.refusal = None
    assert pull_fault.refusal_of(NEW) is None


def test_digest_is_read_from_an_image_reference() -> None:
    """A reference with only a tag has no digest."""
    assert image_digest(NEW) == f"sha256:{'1' * 64}"
    assert image_digest("ghcr.io/dapr/daprd:1.16") is None


@pytest.mark.parametrize(
    ("pod_", "app", "job", "with_sidecar"),
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
def test_new_pods_are_those_with_an_unknown_digest(
    pod_: dict[str, Any], app: bool, job: bool, with_sidecar: bool
) -> None:
    """Faults of new pods affect pods of Jobs or all others; a sidecar's image never makes a pod new."""
    assert NewPodsCrash(pods=NewPods(known=KNOWN)).affects(pod_) is app
    assert NewPodsNeverReady(pods=NewPods(known=KNOWN)).affects(pod_) is app
    assert NewPodsCrash(pods=NewPods(known=KNOWN, is_job=True)).affects(pod_) is job
    sidecar_crash = NewPodsCrash(pods=NewPods(known=KNOWN, has_sidecar=True), container="daprd")
    assert sidecar_crash.affects(pod_) is with_sidecar


@pytest.mark.parametrize("name", ["missing-secret", "missing-key"])
def test_fault_without_a_secret_to_remove_is_refused(name: str) -> None:
    """Faults of Secrets need a Secret of the rehearsal that a Deployment reads."""
    fault = next(fault for fault in FAULTS if fault.name == name)
    reference = {"name": "own", "key": "k"}
    deployment = {
        "metadata": {"namespace": "staging"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "web", "env": [{"valueFrom": {"secretKeyRef": reference}}]}],
                }
            }
        },
    }
    target: Any = SimpleNamespace(
        settings=SimpleNamespace(namespace="staging"),
        fixture=SimpleNamespace(objects=()),
        deployments=lambda: [deployment],
    )
    with pytest.raises(RehearsalError, match="No Deployment of staging reads"), fault.inject(target):
        pass
