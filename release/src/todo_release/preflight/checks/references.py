"""Everything a pod, component or ingress refers to by name exists: Secrets and their keys, ConfigMaps,
accounts, classes.

What the chart itself makes counts as there, except for hooks that run before the chart is applied. Of Secrets
only the names of keys are looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from todo_release.adapters.kubernetes.manifest import DAPR, Manifest, PodTemplate, Rendered
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.registry.image_name import host_of, host_of_auth_entry
from todo_release.core.yaml_positions import Path
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import (
    CLUSTER_ISSUERS,
    CONFIG_MAPS,
    CONFIGURATIONS,
    INGRESS_CLASSES,
    ISSUERS,
    PRIORITY_CLASSES,
    SECRETS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    VOLUME_CLAIMS,
    PreflightSnapshot,
    Resource,
)

CLUSTER_ISSUER, ISSUER = "cert-manager.io/cluster-issuer", "cert-manager.io/issuer"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
SYSTEM_CLASSES = ("system-cluster-critical", "system-node-critical")
OPERATORS = ("ExternalSecret", "SealedSecret")  # they make a Secret of their own name
NAMED = 2


@dataclass(frozen=True, slots=True)
class Use:
    """One place that reads a Secret or ConfigMap; `key` is empty when any keys will do."""

    kind: str
    name: str
    key: str
    user: Rendered
    field: Path

    @property
    def is_early(self) -> bool:
        """True when it is read before the chart's plain objects exist."""
        return self.user.is_early


def uses(manifest: Manifest) -> Iterator[Use]:
    """Every place in the chart that must find a Secret or ConfigMap, those left out that may be absent."""
    for template in manifest.pods():
        for field, container in template.containers():
            yield from _of_environment(template, field, container)
        for index, volume in enumerate(template.spec.get("volumes") or ()):
            yield from _of_volume(template, (*template.field, "spec", "volumes", index), volume)
        for annotation in ("app-token-secret", "api-token-secret"):
            if name := template.annotations.get(f"{DAPR}{annotation}"):
                field = (*template.field, "metadata", "annotations", f"{DAPR}{annotation}")
                yield Use("Secret", name, "token", template.owner, field)
    for component in manifest.of_kind("Component"):
        store = (component.body.get("auth") or {}).get("secretStore") or "kubernetes"
        for index, item in enumerate(component.spec.get("metadata") or ()):
            reference = item.get("secretKeyRef")
            if reference and store == "kubernetes":
                key = reference.get("key") or reference["name"]
                yield Use("Secret", reference["name"], key, component, ("spec", "metadata", index))


def _of_environment(template: PodTemplate, field: Path, container: Mapping[str, Any]) -> Iterator[Use]:
    for index, variable in enumerate(container.get("env") or ()):
        source = variable.get("valueFrom") or {}
        for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
            wanted = source.get(key)
            if wanted and not wanted.get("optional"):
                yield Use(kind, wanted["name"], wanted["key"], template.owner, (*field, "env", index))
    for index, source in enumerate(container.get("envFrom") or ()):
        for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            wanted = source.get(key)
            if wanted and not wanted.get("optional"):
                yield Use(kind, wanted["name"], "", template.owner, (*field, "envFrom", index))


def _of_volume(template: PodTemplate, field: Path, volume: Mapping[str, Any]) -> Iterator[Use]:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        for kind, part, name in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
            wanted = source.get(part)
            if wanted and not wanted.get("optional"):
                keys = [item["key"] for item in wanted.get("items") or ()] or [""]
                for key in keys:
                    yield Use(kind, wanted.get(name) or wanted["name"], key, template.owner, field)


def _namespace_exists(snapshot: PreflightSnapshot) -> Findings:
    if (
        snapshot.live.namespace is None
        and f"api/v1/namespaces/{snapshot.namespace}" not in snapshot.live.unread
    ):
        yield error(
            f"Namespace/{snapshot.namespace}",
            "The namespace does not exist, and the release does not make it.",
            "Bootstrap the cluster, or create it with its quota and pod security labels.",
        )


def _keys_exist(snapshot: PreflightSnapshot) -> Findings:
    """Secrets and ConfigMaps, one finding for each that lacks something."""
    lacking: dict[tuple[str, str, str], list[Use]] = {}
    for use in uses(snapshot.manifest):
        if use.kind == "Secret" and any(snapshot.manifest.find(kind, use.name) for kind in OPERATORS):
            continue
        keys = _keys(snapshot, use)
        if keys is None:
            lacking.setdefault((use.kind, use.name, ""), []).append(use)
        elif use.key and use.key not in keys:
            lacking.setdefault((use.kind, use.name, use.key), []).append(use)
    for (kind, name, key), users in lacking.items():
        first = users[0]
        yield error(
            first.user.subject,
            f"There is no {f'key {key} in ' if key else ''}{kind} {name}; {_needed_by(users)}.",
            _remedy(snapshot, users, key),
            first.field,
        )


def _keys(snapshot: PreflightSnapshot, use: Use) -> frozenset[str] | None:
    """The keys that a Secret or ConfigMap has when `use` reads it; None when it is not there."""
    made = snapshot.manifest.find(use.kind, use.name)
    if made and (made.is_early or not use.is_early):
        data = [made.body.get(part) or {} for part in ("data", "stringData", "binaryData")]
        return frozenset(key for part in data for key in part)
    if use.kind == "Secret":
        issued = {"tls.crt", "tls.key", "ca.crt"} if use.name in _issued(snapshot.manifest) else None
        facts = snapshot.secret(use.name)
        return frozenset(facts.keys) if facts else (frozenset(issued) if issued else None)
    live = snapshot.find(CONFIG_MAPS, use.name)
    return None if live is None else frozenset({**(live.get("data") or {}), **(live.get("binaryData") or {})})


def _issued(manifest: Manifest) -> set[str]:
    """Secrets that cert-manager will make for this chart."""
    asked = {one.spec.get("secretName", "") for one in manifest.of_kind("Certificate")}
    for ingress in manifest.of_kind("Ingress"):
        if {CLUSTER_ISSUER, ISSUER} & ingress.annotations.keys():
            asked |= {tls.get("secretName", "") for tls in ingress.spec.get("tls") or ()}
    return asked - {""}


def _needed_by(users: list[Use]) -> str:
    names = sorted({use.user.subject for use in users})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    verb = "reads" if len(names) == 1 else "read"
    early = " before the chart is applied" if all(use.is_early for use in users) else ""
    return f"{', '.join(names[:NAMED])}{more} {verb} it{early}"


def _remedy(snapshot: PreflightSnapshot, users: list[Use], key: str) -> str:
    what, where = f"{users[0].kind} {users[0].name}", f"namespace {snapshot.namespace}"
    if key:
        return f"Add {key} to {what} in {where}, or correct the name in the values."
    keys = ", ".join(sorted({use.key for use in users if use.key}))
    wanted = f" with the keys {keys}" if keys else ""
    return f"Create {what}{wanted} in {where}, or correct the name in the values."


def _named_exist(snapshot: PreflightSnapshot) -> Findings:
    """What pods name besides Secrets and ConfigMaps."""
    for template in snapshot.manifest.pods():
        spec = template.spec
        account = spec.get("serviceAccountName")
        if account and account != "default":
            early = template.owner.is_early
            yield from _exists(
                snapshot,
                SERVICE_ACCOUNTS,
                "ServiceAccount",
                account,
                template,
                "serviceAccountName",
                is_early=early,
            )
        for index, volume in enumerate(spec.get("volumes") or ()):
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim:
                yield from _exists(
                    snapshot, VOLUME_CLAIMS, "PersistentVolumeClaim", claim, template, "volumes", index
                )
        configuration = template.annotations.get(f"{DAPR}config")
        if template.has_sidecar and configuration:
            made = snapshot.manifest.find("Configuration", configuration)
            if made is None and snapshot.find(CONFIGURATIONS, configuration) is None:
                yield error(
                    template.owner.subject,
                    f"Its sidecar is to read Configuration {configuration}, which does not exist: daprd "
                    "ends at its start.",
                    "Render the Configuration with the chart, or correct the annotation dapr.io/config.",
                    (*template.field, "metadata", "annotations", f"{DAPR}config"),
                )


def _exists(
    snapshot: PreflightSnapshot,
    resource: Resource,
    kind: str,
    name: str,
    template: PodTemplate,
    *field: str | int,
    is_early: bool = False,
) -> Findings:
    made = snapshot.manifest.find(kind, name)
    if (made and (made.is_early or not is_early)) or snapshot.find(resource, name):
        return
    yield error(
        template.owner.subject,
        f"It uses {kind} {name}, which does not exist{' yet when this hook runs' if is_early else ''}.",
        f"Create {kind} {name} in namespace {snapshot.namespace}, or correct the name in the values.",
        (*template.field, "spec", *field),
    )


def _priorities_exist(snapshot: PreflightSnapshot) -> Findings:
    for template in snapshot.manifest.pods():
        name = template.spec.get("priorityClassName")
        if not name or name in SYSTEM_CLASSES or snapshot.manifest.find("PriorityClass", name):
            continue
        if snapshot.find(PRIORITY_CLASSES, name) is None:
            yield error(
                template.owner.subject,
                f"There is no PriorityClass {name}, so every one of its pods is refused.",
                "Create it, or correct priorityClassName in the values.",
                (*template.field, "spec", "priorityClassName"),
            )


def _pull_secrets_cover(snapshot: PreflightSnapshot) -> Findings:
    """A pull secret that is missing or for other hosts is passed over by the kubelet: only a warning here."""
    told = set()
    for template in snapshot.manifest.pods():
        names = [one["name"] for one in template.spec.get("imagePullSecrets") or ()]
        hosts = {host_of(str(container.get("image", ""))) for _, container in template.containers()}
        for index, name in enumerate(names):
            facts = snapshot.secret(name)
            field = (*template.field, "spec", "imagePullSecrets", index)
            if name in told or snapshot.manifest.find("Secret", name):
                continue
            told.add(name)
            if facts is None:
                yield warning(
                    template.owner.subject,
                    f"There is no pull secret {name}: nodes pull {', '.join(sorted(hosts))} without "
                    "credentials.",
                    f"Create it with `kubectl -n {snapshot.namespace} create secret docker-registry {name} "
                    "...`.",
                    field,
                )
            elif len(names) == 1 and not hosts & {host_of_auth_entry(one) for one in facts.registries}:
                covered = ", ".join(sorted(facts.registries)) or "no registry"
                yield warning(
                    template.owner.subject,
                    f"The pull secret {name} is for {covered}, the images come from "
                    f"{', '.join(sorted(hosts))}.",
                    f"Create it again for {', '.join(sorted(hosts))}.",
                    field,
                )


def _claims_have_classes(snapshot: PreflightSnapshot) -> Findings:
    claims: list[tuple[Rendered, JsonObject, Path]]
    claims = [(one, one.spec, ("spec",)) for one in snapshot.manifest.of_kind("PersistentVolumeClaim")]
    for one in snapshot.manifest.of_kind("StatefulSet"):
        for index, claim in enumerate(one.spec.get("volumeClaimTemplates") or ()):
            claims.append((one, claim["spec"], ("spec", "volumeClaimTemplates", index, "spec")))
    for owner, spec, field in claims:
        name = spec.get("storageClassName")
        if name == "" or (name and snapshot.manifest.find("StorageClass", name)):
            continue
        classes = {one["metadata"]["name"]: one for one in snapshot.own(STORAGE_CLASSES)}
        defaults = [
            key
            for key, one in classes.items()
            if (one["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
        ]
        if (name and name in classes) or (name is None and defaults):
            continue
        missing = f"There is no StorageClass {name}" if name else "No StorageClass is the default"
        yield error(
            owner.subject,
            f"{missing}, so its volume is never made.",
            f"Name one that exists: {', '.join(sorted(classes)) or 'there is none'}.",
            (*field, "storageClassName"),
        )


def _ingress_classes_exist(snapshot: PreflightSnapshot) -> Findings:
    for ingress in snapshot.manifest.of_kind("Ingress"):
        name = ingress.spec.get("ingressClassName")
        if not name or snapshot.manifest.find("IngressClass", name):
            continue
        known = sorted(one["metadata"]["name"] for one in snapshot.own(INGRESS_CLASSES))
        if name not in known:
            yield error(
                ingress.subject,
                f"There is no IngressClass {name}: no controller serves this Ingress.",
                f"Use one that exists ({', '.join(known) or 'there is none: install a controller'}).",
                ("spec", "ingressClassName"),
            )


def _issuers_exist(snapshot: PreflightSnapshot) -> Findings:
    """An issuer is needed for the first certificate; with one that is good for a while its absence is no
    hurry.
    """
    for ingress in snapshot.manifest.of_kind("Ingress"):
        for annotation, resource, kind in (
            (CLUSTER_ISSUER, CLUSTER_ISSUERS, "ClusterIssuer"),
            (ISSUER, ISSUERS, "Issuer"),
        ):
            name = ingress.annotations.get(annotation)
            if not name or snapshot.manifest.find(kind, name) or snapshot.find(resource, name):
                continue
            names = [tls.get("secretName", "") for tls in ingress.spec.get("tls") or ()]
            facts = [snapshot.secret(secret) for secret in names]
            has_all = bool(facts) and all(one is not None and one.certificate is not None for one in facts)
            say = warning if has_all else error
            yield say(
                ingress.subject,
                f"There is no {kind} {name}: "
                + (
                    "the certificate that is there cannot be renewed."
                    if has_all
                    else "no certificate will be issued."
                ),
                f"Create {kind} {name}, or correct the name in the values.",
                ("metadata", "annotations", annotation),
            )


CHECK = Check(
    id="references",
    title="what is referred to exists",
    needs=(
        SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS, VOLUME_CLAIMS, PRIORITY_CLASSES, STORAGE_CLASSES,
        INGRESS_CLASSES, CLUSTER_ISSUERS, ISSUERS, CONFIGURATIONS,
    ),
    rules=(
        _namespace_exists, _keys_exist, _named_exist, _priorities_exist, _pull_secrets_cover,
        _claims_have_classes, _ingress_classes_exist, _issuers_exist,
    ),
)  # fmt: skip
