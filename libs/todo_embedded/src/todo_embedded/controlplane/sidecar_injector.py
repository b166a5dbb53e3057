"""Stands in for Dapr's sidecar injector, which does not run here: a policy of the API server adds `daprd`.

It adds what decides whether a pod fits and is admitted: the container's name, image, resources as `dapr.io/*`
annotations ask for them, a security context for the `restricted` standard, and the label by which Dapr finds
its pods. Arguments, probes and volumes are left out, since nobody runs it.
"""

import time

from todo_embedded.controlplane.api_client import Api, Manifest, location
from todo_embedded.errors import ProcessStartError

NAME = "daprd"
IMAGE = "ghcr.io/dapr/daprd"
EFFECTIVE_TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.05
POLICY_API = "admissionregistration.k8s.io/v1beta1"

_WANTED = 'object.metadata.?annotations[?"dapr.io/enabled"].orValue("") == "true"'
_NOT_THERE = f'!object.spec.containers.exists(one, one.name == "{NAME}")'


def inject_sidecars(api: Api, *, image: str = IMAGE) -> None:
    """Have a `daprd` added to every pod that is made from now on with `dapr.io/enabled: "true"`.

    Raises ApiError when the policy is refused and ProcessStartError when it does not come into force.
    """
    for manifest in (_policy(image), _binding()):
        api.create(manifest)
    _wait_for(api, containers=["app", NAME])


def stop_injecting(api: Api) -> None:
    """Leave pods that are made from now on as they are, as when the injector is away."""
    for manifest in (_binding(), _policy(IMAGE)):
        api.delete(location(manifest))
    _wait_for(api, containers=["app"])


def _wait_for(api: Api, *, containers: list[str]) -> None:
    """The API server takes a moment to act on a change of its policies: ask until it does."""
    deadline = time.monotonic() + EFFECTIVE_TIMEOUT_SECONDS
    while (found := _containers_of_probe(api)) != containers:
        if time.monotonic() > deadline:
            raise ProcessStartError(
                f"a pod has the containers {', '.join(found)} and not {', '.join(containers)} "
                f"{EFFECTIVE_TIMEOUT_SECONDS} s after the policy {NAME} was changed"
            )
        time.sleep(POLL_SECONDS)


def _policy(image: str) -> Manifest:
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
                {"name": "wanted", "expression": _WANTED},
                {"name": "not-there", "expression": _NOT_THERE},
            ],
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": label}},
                {"patchType": "JSONPatch", "jsonPatch": {"expression": added}},
            ],
        },
    }


def _annotation(name: str) -> str:
    """What an annotation says, as an optional string in CEL.

    `object.metadata.annotations[?name]` would be the same without its type, on which cel-go 0.26 panics.
    """
    annotations, key = "object.metadata.annotations", f'"dapr.io/sidecar-{name}"'
    return f"{key} in {annotations} ? optional.of(string({annotations}[{key}])) : optional.none()"


def _binding() -> Manifest:
    return {
        "apiVersion": POLICY_API,
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME},
    }


def _containers_of_probe(api: Api) -> list[str]:
    """What would become of a pod that asks for a sidecar; it is not made."""
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {"dapr.io/enabled": "true"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    return [one["name"] for one in api.create(pod, dry_run=True)["spec"]["containers"]]
