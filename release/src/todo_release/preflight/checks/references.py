"""Checks that all objects exist which the chart names: Secrets, ConfigMaps, accounts, classes, issuers.

What the chart itself creates counts as existing, except for hooks that run before the chart is applied. Of
Secrets only the names of keys are read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from todo_embedded.controlplane import pod_references
from todo_release.adapters.kubernetes.api_resources import (
    CLUSTER_ISSUERS,
    CONFIG_MAPS,
    CONFIGURATIONS,
    GATEWAY_CLASSES,
    INGRESS_CLASSES,
    ISSUERS,
    PRIORITY_CLASSES,
    SECRETS,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    VOLUME_CLAIMS,
    VOLUMES,
    resource_of,
)
from todo_release.adapters.kubernetes.manifest import (
    DAPR_PREFIX,
    PodTemplate,
    RenderedManifest,
    RenderedObject,
)
from todo_release.adapters.registry.image_name import host_of, host_of_auth_entry
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.checks.volumes import volumes_can_be_bound
from todo_release.preflight.finding import Finding, Findings, error, warning
from todo_release.preflight.public_routes import CLUSTER_ISSUER, ISSUER, certificate_uses
from todo_release.preflight.snapshot import PreflightSnapshot, SecretSummary

SYSTEM_CLASSES = ("system-cluster-critical", "system-node-critical")
SECRET_OPERATOR_KINDS = ("ExternalSecret", "SealedSecret")  # each makes a Secret, by default of its own name
DAPR_TOKEN_ANNOTATIONS = ("app-token-secret", "api-token-secret")
MAX_NAMED = 2


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A field that reads a Secret or ConfigMap; `key` is empty when it reads the whole object."""

    kind: str
    name: str
    key: str
    user: RenderedObject
    field: YamlPath

    @property
    def is_early(self) -> bool:
        """Returns whether it is read before the chart's plain objects exist."""
        return self.user.is_early


def key_uses(manifest: RenderedManifest, namespace: str) -> Iterator[KeyUse]:
    """Yields every use of a Secret or ConfigMap in the chart that is not optional."""
    for template in manifest.pods():
        spec_field = (*template.field, "spec")
        for reference in pod_references.of_pod_spec(template.spec, namespace, spec_field):
            yield KeyUse(reference.kind, reference.name, reference.key, template.owner, reference.field)
        for annotation in DAPR_TOKEN_ANNOTATIONS:
            if name := template.annotations.get(f"{DAPR_PREFIX}{annotation}"):
                field = (*template.field, "metadata", "annotations", f"{DAPR_PREFIX}{annotation}")
                yield KeyUse("Secret", name, "token", template.owner, field)
    for component in manifest.of_kind("Component"):
        store = (component.body.get("auth") or {}).get("secretStore") or "kubernetes"
        for index, item in enumerate(component.spec.get("metadata") or ()):
            reference = item.get("secretKeyRef")
            if reference and store == "kubernetes":
                key = reference.get("key") or reference["name"]
                yield KeyUse("Secret", reference["name"], key, component, ("spec", "metadata", index))


def _namespace_exists(snapshot: PreflightSnapshot) -> Findings:
    is_unread = f"api/v1/namespaces/{snapshot.namespace}" in snapshot.live.unread
    if snapshot.live.namespace is None and not is_unread:
        yield error(
            f"Namespace/{snapshot.namespace}",
            "The namespace does not exist, and the release does not create it.",
            "Bootstrap the cluster, or create it with its quota and pod security labels.",
        )


def _keys_exist(snapshot: PreflightSnapshot) -> Findings:
    """Checks Secrets and ConfigMaps; yields one finding for each missing object or key."""
    missing: dict[tuple[str, str, str], list[KeyUse]] = {}
    for use in key_uses(snapshot.manifest, snapshot.namespace):
        if use.kind == "Secret" and use.name in _secrets_of_operators(snapshot.manifest):
            continue
        keys = _existing_keys(snapshot, use)
        if keys is None:
            missing.setdefault((use.kind, use.name, ""), []).append(use)
        elif use.key and use.key not in keys:
            missing.setdefault((use.kind, use.name, use.key), []).append(use)
    for (kind, name, key), users in missing.items():
        first = users[0]
        yield error(
            first.user.subject,
            f"There is no {f'key {key} in ' if key else ''}{kind} {name}; {_needed_by(users)}.",
            _remedy(snapshot, users, key),
            first.field,
        )


def _existing_keys(snapshot: PreflightSnapshot, use: KeyUse) -> frozenset[str] | None:
    """Returns the keys of a Secret or ConfigMap at the time `use` reads it; None when it does not exist."""
    rendered = snapshot.manifest.find(use.kind, use.name)
    if rendered and (rendered.is_early or not use.is_early):
        parts = [rendered.body.get(part) or {} for part in ("data", "stringData", "binaryData")]
        return frozenset(key for part in parts for key in part)
    if use.kind == "Secret":
        secret = snapshot.secret(use.name)
        if secret:
            return frozenset(secret.keys)
        is_issued = use.name in _secrets_of_certificates(snapshot.manifest)
        return frozenset({"tls.crt", "tls.key", "ca.crt"}) if is_issued else None
    live = snapshot.find(CONFIG_MAPS, use.name)
    return None if live is None else frozenset({**(live.get("data") or {}), **(live.get("binaryData") or {})})


def _secrets_of_operators(manifest: RenderedManifest) -> set[str]:
    """Returns the Secrets that operators make from objects of the chart."""
    names = set()
    for rendered in manifest.of_kind(*SECRET_OPERATOR_KINDS):
        target = rendered.spec.get("target") or (rendered.spec.get("template") or {}).get("metadata") or {}
        names.add(str(target.get("name") or rendered.name))
    return names


def _secrets_of_certificates(manifest: RenderedManifest) -> set[str]:
    """Returns the Secrets that cert-manager will create for this chart."""
    names = {certificate.spec.get("secretName", "") for certificate in manifest.of_kind("Certificate")}
    names |= {use.secret for use in certificate_uses(manifest) if use.has_issuer}
    return names - {""}


def _needed_by(users: list[KeyUse]) -> str:
    names = sorted({use.user.subject for use in users})
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    verb = "reads" if len(names) == 1 else "read"
    early = " before the chart is applied" if all(use.is_early for use in users) else ""
    return f"{', '.join(names[:MAX_NAMED])}{more} {verb} it{early}"


def _remedy(snapshot: PreflightSnapshot, users: list[KeyUse], key: str) -> str:
    target, where = f"{users[0].kind} {users[0].name}", f"namespace {snapshot.namespace}"
    if key:
        return f"Add {key} to {target} in {where}, or correct the name in the values."
    keys = ", ".join(sorted({use.key for use in users if use.key}))
    with_keys = f" with the keys {keys}" if keys else ""
    return f"Create {target}{with_keys} in {where}, or correct the name in the values."


def _named_objects_exist(snapshot: PreflightSnapshot) -> Findings:
    """Checks what pods name besides Secrets and ConfigMaps."""
    for template in snapshot.manifest.pods():
        account = template.spec.get("serviceAccountName")
        if account and account != "default":
            field = (*template.field, "spec", "serviceAccountName")
            yield from _exists(snapshot, "ServiceAccount", account, template, field)
        for index, volume in enumerate(template.spec.get("volumes") or ()):
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim:
                field = (*template.field, "spec", "volumes", index)
                yield from _exists(snapshot, "PersistentVolumeClaim", claim, template, field)
        configuration = template.annotations.get(f"{DAPR_PREFIX}config")
        if template.has_sidecar and configuration:
            yield from _configuration_exists(snapshot, template, configuration)


def _exists(
    snapshot: PreflightSnapshot, kind: str, name: str, template: PodTemplate, field: YamlPath
) -> Iterator[Finding]:
    # Admission needs the account at once; a pod can wait for its claim.
    is_early = template.owner.is_early and kind == "ServiceAccount"
    rendered = snapshot.manifest.find(kind, name)
    if (rendered and (rendered.is_early or not is_early)) or snapshot.find(resource_of("v1", kind), name):
        return
    yield error(
        template.owner.subject,
        f"It uses {kind} {name}, which does not exist{' yet when this hook runs' if is_early else ''}.",
        f"Create {kind} {name} in namespace {snapshot.namespace}, or correct the name in the values.",
        field,
    )


def _configuration_exists(snapshot: PreflightSnapshot, template: PodTemplate, name: str) -> Iterator[Finding]:
    rendered = snapshot.manifest.find("Configuration", name)
    if rendered is None and snapshot.find(CONFIGURATIONS, name) is None:
        yield error(
            template.owner.subject,
            f"Its sidecar reads Configuration {name}, which does not exist: daprd exits at its start.",
            "Render the Configuration with the chart, or correct the annotation dapr.io/config.",
            (*template.field, "metadata", "annotations", f"{DAPR_PREFIX}config"),
        )


def _priority_classes_exist(snapshot: PreflightSnapshot) -> Findings:
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


def _pull_secrets_match(snapshot: PreflightSnapshot) -> Findings:
    """Checks pull secrets; without them the kubelet pulls only what everybody may pull."""
    checked = set()
    for template in snapshot.manifest.pods():
        names = [secret["name"] for secret in template.spec.get("imagePullSecrets") or ()]
        hosts = {host_of(str(container.get("image", ""))) for _, container in template.containers()}
        for index, name in enumerate(names):
            if name in checked or snapshot.manifest.find("Secret", name):
                continue
            checked.add(name)
            secret = snapshot.secret(name)
            field = (*template.field, "spec", "imagePullSecrets", index)
            if secret is None:
                yield _missing_pull_secret(snapshot, template, name, names, field)
            elif len(names) == 1 and not hosts & _hosts_of(secret):
                covered = ", ".join(sorted(secret.registries)) or "no registry"
                hosts_text = ", ".join(sorted(hosts))
                yield warning(
                    template.owner.subject,
                    f"The pull secret {name} is for {covered}, the images come from {hosts_text}.",
                    f"Create it again for {hosts_text}.",
                    field,
                )


def _missing_pull_secret(
    snapshot: PreflightSnapshot, template: PodTemplate, name: str, names: Sequence[str], field: YamlPath
) -> Finding:
    """Returns an error where a released image needs the secret, because its registry is private."""
    hosts = {host_of(str(container.get("image", ""))) for _, container in template.containers()}
    others = [secret for other in names if (secret := snapshot.secret(other)) is not None]
    host = snapshot.config.registry.host
    needs_it = host in hosts and not any(host in _hosts_of(secret) for secret in others)
    remedy = f"Create it: `kubectl -n {snapshot.namespace} create secret docker-registry {name} ...`."
    if needs_it and snapshot.anonymous_refusal:
        return error(
            template.owner.subject,
            f"There is no pull secret {name}, and without credentials nodes cannot pull the released images: "
            f"{snapshot.anonymous_refusal}",
            remedy,
            field,
        )
    return warning(
        template.owner.subject,
        f"There is no pull secret {name}: nodes pull {', '.join(sorted(hosts))} without credentials.",
        remedy,
        field,
    )


def _hosts_of(secret: SecretSummary) -> set[str]:
    return {host_of_auth_entry(entry) for entry in secret.registries}


def _controllers_exist(snapshot: PreflightSnapshot) -> Findings:
    """Checks that the class of each Ingress and Gateway exists; a controller makes or names it."""
    for kind, key, class_kind, resource in (
        ("Ingress", "ingressClassName", "IngressClass", INGRESS_CLASSES),
        ("Gateway", "gatewayClassName", "GatewayClass", GATEWAY_CLASSES),
    ):
        for owner in snapshot.manifest.of_kind(kind):
            name = owner.spec.get(key)
            if not name or snapshot.manifest.find(class_kind, name):
                continue
            known = sorted(item["metadata"]["name"] for item in snapshot.in_namespace(resource))
            if name not in known:
                yield error(
                    owner.subject,
                    f"There is no {class_kind} {name}: no controller serves this {kind}.",
                    f"Use one that exists ({', '.join(known) or 'there is none: install a controller'}).",
                    ("spec", key),
                )


def _issuers_exist(snapshot: PreflightSnapshot) -> Findings:
    """Checks issuers; a missing one is only a warning while every certificate exists."""
    uses = list(certificate_uses(snapshot.manifest))
    for ingress in snapshot.manifest.of_kind("Ingress", "Gateway"):
        for annotation, resource, kind in (
            (CLUSTER_ISSUER, CLUSTER_ISSUERS, "ClusterIssuer"),
            (ISSUER, ISSUERS, "Issuer"),
        ):
            name = ingress.annotations.get(annotation)
            if not name or snapshot.manifest.find(kind, name) or snapshot.find(resource, name):
                continue
            secrets = [snapshot.secret(use.secret) for use in uses if use.owner is ingress]
            has_all = bool(secrets) and all(
                secret is not None and secret.certificate is not None for secret in secrets
            )
            finding = warning if has_all else error
            outcome = (
                "the current certificate cannot be renewed" if has_all else "no certificate will be issued"
            )
            yield finding(
                ingress.subject,
                f"There is no {kind} {name}: {outcome}.",
                f"Create {kind} {name}, or correct the name in the values.",
                ("metadata", "annotations", annotation),
            )


CHECK = PreflightCheck(
    id="references",
    title="everything that is named exists",
    needs=(
        SECRETS, CONFIG_MAPS, SERVICE_ACCOUNTS, VOLUME_CLAIMS, PRIORITY_CLASSES, STORAGE_CLASSES,
        VOLUMES, INGRESS_CLASSES, GATEWAY_CLASSES, CLUSTER_ISSUERS, ISSUERS, CONFIGURATIONS,
    ),
    rules=(
        _namespace_exists, _keys_exist, _named_objects_exist, _priority_classes_exist, _pull_secrets_match,
        volumes_can_be_bound, _controllers_exist, _issuers_exist,
    ),
)  # fmt: skip
