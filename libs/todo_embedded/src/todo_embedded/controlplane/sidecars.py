"""Stands in for Dapr's sidecar injector, which does not run here: a policy of the API server's own adds `daprd`.

What is added is what decides whether a pod fits and is admitted: the container's name, image, resources and security
context, as `dapr.io/*` annotations ask for them, and the label by which Dapr finds its pods. Its arguments, probes and
volumes are left out, since nobody runs it.
"""

import time
from typing import Any

from todo_embedded.controlplane.api import Api, Manifest, location
from todo_embedded.errors import ProcessStartError

NAME = "daprd"
IMAGE = "ghcr.io/dapr/daprd:1.18.3"
EFFECTIVE_TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.05
POLICY_API = "admissionregistration.k8s.io/v1beta1"

_WANTED = 'object.metadata.?annotations[?"dapr.io/enabled"].orValue("") == "true"'
_NOT_THERE = f'!object.spec.containers.exists(one, one.name == "{NAME}")'


def inject_sidecars(api: Api, *, image: str = IMAGE) -> None:
    """Have a `daprd` added to every pod that is made from now on with `dapr.io/enabled: "true"`.

    Raises ApiError when the policy is refused and ProcessStartError when it does not come into force.
    """
    policy = _policy(image)
    api.create(policy)
    api.create(_binding())
    deadline = time.monotonic() + EFFECTIVE_TIMEOUT_SECONDS
    while len(api.create(_probe(), dry_run=True)["spec"]["containers"]) == 1:
        if time.monotonic() > deadline:
            raise ProcessStartError(f"the policy {NAME} was not in force within {EFFECTIVE_TIMEOUT_SECONDS} s")
        time.sleep(POLL_SECONDS)


def stop_injecting(api: Api) -> None:
    """Leave pods that are made from now on as they are, as when the injector is away."""
    for manifest in (_binding(), _policy(IMAGE)):
        api.delete(location(manifest))
    deadline = time.monotonic() + EFFECTIVE_TIMEOUT_SECONDS
    while len(api.create(_probe(), dry_run=True)["spec"]["containers"]) == 2:
        if time.monotonic() > deadline:
            raise ProcessStartError(f"the policy {NAME} was in force {EFFECTIVE_TIMEOUT_SECONDS} s after its end")
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


def _probe() -> dict[str, Any]:
    """A pod that is never made: what becomes of it tells whether the policy is in force."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {"dapr.io/enabled": "true"}},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
