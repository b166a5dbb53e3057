"""Replaces Dapr's sidecar injector, which does not run here, by a mutating policy that adds `daprd`.

The policy adds what decides whether a pod fits and is admitted: the container's name and image, resources as
the `dapr.io/*` annotations request them, a security context for the `restricted` standard, and the label by
which Dapr finds its pods. Arguments, probes and volumes are left out, because the container never runs.
"""

import time

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.object_paths import KubeObject, location
from todo_embedded.errors import ProcessStartError

NAME = "daprd"
IMAGE = "ghcr.io/dapr/daprd"
EFFECTIVE_TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.05
POLICY_API = "admissionregistration.k8s.io/v1beta1"

_IS_ENABLED = 'object.metadata.?annotations[?"dapr.io/enabled"].orValue("") == "true"'
_HAS_NO_SIDECAR = f'!object.spec.containers.exists(container, container.name == "{NAME}")'


def inject_sidecars(api: ApiClient, *, image: str = IMAGE) -> None:
    """Adds a `daprd` to every pod with `dapr.io/enabled: "true"` that is created from now on.

    Raises:
        ApiError: the policy was refused.
        ProcessStartError: the policy did not take effect within the time limit.
    """
    for manifest in (_policy(image), _binding()):
        api.create(manifest)
    _wait_for(api, containers=["app", NAME])


def stop_injecting(api: ApiClient) -> None:
    """Adds no sidecar to pods that are created from now on, as while the injector is down."""
    for manifest in (_binding(), _policy(IMAGE)):
        api.delete(location(manifest))
    _wait_for(api, containers=["app"])


def _wait_for(api: ApiClient, *, containers: list[str]) -> None:
    """Waits until new pods get these containers: a change of a policy takes a moment to have effect."""
    deadline = time.monotonic() + EFFECTIVE_TIMEOUT_SECONDS
    while (names := _containers_of_probe(api)) != containers:
        if time.monotonic() > deadline:
            raise ProcessStartError(
                f"a pod has the containers {', '.join(names)} and not {', '.join(containers)} "
                f"{EFFECTIVE_TIMEOUT_SECONDS} s after the policy {NAME} was changed"
            )
        time.sleep(POLL_SECONDS)


def _policy(image: str) -> KubeObject:
    requests, limits = (
        ", ".join(f'?"{resource}": {_annotation(f"{resource}-{kind}")}' for resource in ("cpu", "memory"))
        for kind in ("request", "limit")
    )
    container = f"""Object.spec.containers{{
        name: "{NAME}",
        image: "{image}",
        resources: Object.spec.containers.resources{{requests: {{{requests}}}, limits: {{{limits}}}}},
        securityContext: Object.spec.containers.securityContext{{
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: Object.spec.containers.securityContext.capabilities{{drop: ["ALL"]}},
          seccompProfile: Object.spec.containers.securityContext.seccompProfile{{type: "RuntimeDefault"}}
        }}
      }}"""
    label = 'Object{metadata: Object.metadata{labels: {"dapr.io/sidecar-injected": "true"}}}'
    # A JSON patch, since an applied configuration may not set lists without keys, such as `drop`.
    added = f'[JSONPatch{{op: "add", path: "/spec/containers/-", value: {container}}}]'
    return {
        "apiVersion": POLICY_API,
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["pods"],
                        "operations": ["CREATE"],
                    }
                ]
            },
            "matchConditions": [
                {"name": "enabled", "expression": _IS_ENABLED},
                {"name": "no-sidecar", "expression": _HAS_NO_SIDECAR},
            ],
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": label}},
                {"patchType": "JSONPatch", "jsonPatch": {"expression": added}},
            ],
        },
    }


def _annotation(name: str) -> str:
    """Returns CEL for the value of an annotation, as an optional string.

    `object.metadata.annotations[?name]` would do the same, but without a type cel-go 0.26 panics.
    """
    annotations, key = "object.metadata.annotations", f'"dapr.io/sidecar-{name}"'
    return f"{key} in {annotations} ? optional.of(string({annotations}[{key}])) : optional.none()"


def _binding() -> KubeObject:
    return {
        "apiVersion": POLICY_API,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME},
    }


def _containers_of_probe(api: ApiClient) -> list[str]:
    """Returns the containers that a pod with a sidecar would get, by a dry run."""
    pod: KubeObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {"dapr.io/enabled": "true"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    return [container["name"] for container in api.create(pod, dry_run=True)["spec"]["containers"]]
