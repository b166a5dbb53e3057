"""Finds in the rendered chart which Secrets, and which of their keys, an environment needs.

The chart is the only place that says so. Secrets that the chart or an operator creates are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from todo_embedded.controlplane import pod_references
from todo_release.adapters.kubernetes.manifest import DAPR_PREFIX, PodTemplate, RenderedManifest
from todo_release.preflight.checks.references import key_uses

PULL_SECRET_TYPE = "kubernetes.io/dockerconfigjson"  # noqa: S105  # the name of a type
DOCKER_CONFIG = ".dockerconfigjson"
OPAQUE = "Opaque"


@dataclass(frozen=True, slots=True)
class WantedSecret:
    """A Secret that the chart expects: `users` are the Deployments that read each key.

    `optional` are keys that pods take when they are there.
    """

    name: str
    type: str
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)
    optional: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that there must be."""
        return tuple(sorted(self.users))

    def users_of(self, keys: frozenset[str]) -> frozenset[str]:
        """Returns the Deployments that read one of these keys, so must restart when it changes."""
        both = {**self.users, **self.optional}
        return frozenset(name for key in keys for name in both.get(key, frozenset()))


def find_wanted(manifest: RenderedManifest, namespace: str) -> dict[str, WantedSecret]:
    """Returns the Secrets that the chart expects, by name."""
    required: dict[str, dict[str, set[str]]] = {}
    for name, key, users in _required(manifest, namespace):
        required.setdefault(name, {}).setdefault(key, set()).update(users)
    optional: dict[str, dict[str, set[str]]] = {}
    for name, key, users in _optional(manifest):
        optional.setdefault(name, {}).setdefault(key, set()).update(users)
    wanted = {
        name: WantedSecret(name, OPAQUE, _frozen(keys), _frozen(optional.get(name, {})))
        for name, keys in required.items()
    }
    for template in manifest.pods():
        for reference in pod_references.of_image_pulls(template.spec, namespace):
            wanted[reference.name] = WantedSecret(
                reference.name, PULL_SECRET_TYPE, {DOCKER_CONFIG: frozenset()}
            )
    return {name: secret for name, secret in wanted.items() if manifest.find("Secret", name) is None}


def _required(manifest: RenderedManifest, namespace: str) -> Iterator[tuple[str, str, set[str]]]:
    deployments = _deployments_by_app_id(manifest)
    for use in key_uses(manifest, namespace):
        if use.kind != "Secret" or not use.key:
            continue
        if use.user.kind == "Component":
            scopes = use.user.body.get("scopes") or list(deployments)
            yield use.name, use.key, {deployments[scope] for scope in scopes if scope in deployments}
        else:
            yield use.name, use.key, {use.user.name} if use.user.kind == "Deployment" else set()


def _optional(manifest: RenderedManifest) -> Iterator[tuple[str, str, set[str]]]:
    for template in manifest.pods():
        for _, container in template.containers():
            for variable in container.get("env") or ():
                reference = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
                if reference.get("optional"):
                    yield reference["name"], reference["key"], _deployment_of(template)


def _deployments_by_app_id(manifest: RenderedManifest) -> dict[str, str]:
    return {
        template.annotations[f"{DAPR_PREFIX}app-id"]: template.owner.name
        for template in manifest.pods()
        if f"{DAPR_PREFIX}app-id" in template.annotations
    }


def _deployment_of(template: PodTemplate) -> set[str]:
    return {template.owner.name} if template.owner.kind == "Deployment" else set()


def _frozen(keys: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(users) for key, users in keys.items()}
