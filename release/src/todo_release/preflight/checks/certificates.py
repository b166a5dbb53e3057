"""Checks the certificates of public hosts: they exist, cover the hosts and last. A rule of `network`."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from todo_release.adapters.kubernetes.api_resources import CERTIFICATES
from todo_release.adapters.kubernetes.manifest import RenderedObject
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.public_routes import CertificateUse, certificate_uses
from todo_release.preflight.snapshot import Certificate, PreflightSnapshot

EXPIRES_SOON = timedelta(days=14)
ISSUING_SECONDS = 120  # an HTTP-01 challenge: solver pod, its Ingress, the authority's request, the order


def certificates_are_valid(snapshot: PreflightSnapshot) -> Findings:
    """Checks each TLS Secret that an Ingress or a Gateway names once."""
    uses = list(certificate_uses(snapshot.manifest))
    issued = {use.secret for use in uses if use.has_issuer}
    checked = set()
    for use in uses:
        if use.secret and use.secret not in checked and not snapshot.manifest.find("Secret", use.secret):
            checked.add(use.secret)
            yield from _certificate_findings(snapshot, use, has_issuer=use.secret in issued)


def _certificate_findings(
    snapshot: PreflightSnapshot, use: CertificateUse, *, has_issuer: bool
) -> Iterator[Finding]:
    secret = snapshot.secret(use.secret)
    certificate = secret.certificate if secret else None
    if certificate is not None:
        yield from _expiry(snapshot, use.owner, use.secret, certificate, use.field, has_issuer=has_issuer)
        yield from _hosts(use, certificate, has_issuer=has_issuer)
    elif has_issuer:
        yield from _first_issue(snapshot, use.owner, use.secret, use.field)
    else:
        # The controller's own may be a wildcard certificate that is valid for the host.
        yield warning(
            use.owner.subject,
            f"There is no certificate in Secret {use.secret}, and no issuer is annotated: browsers are shown "
            "the controller's own.",
            f"Create Secret {use.secret} of type kubernetes.io/tls, or annotate an issuer.",
            use.field,
        )


def _expiry(
    snapshot: PreflightSnapshot,
    ingress: RenderedObject,
    name: str,
    certificate: Certificate,
    field: YamlPath,
    *,
    has_issuer: bool,
) -> Iterator[Finding]:
    left = certificate.expires_at - snapshot.now
    if left < timedelta(0):
        finding = warning if has_issuer else error
        yield finding(
            ingress.subject,
            f"The certificate in Secret {name} has expired on {certificate.expires_at:%Y-%m-%d}.",
            f"See why it was not renewed: `kubectl -n {snapshot.namespace} describe certificate`.",
            field,
        )
    elif left < EXPIRES_SOON:
        yield warning(
            ingress.subject,
            f"The certificate in Secret {name} expires in {left.days} days.",
            f"See why it was not renewed: `kubectl -n {snapshot.namespace} describe certificate`."
            if has_issuer
            else f"Put a new one into Secret {name}.",
            field,
        )


def _hosts(use: CertificateUse, certificate: Certificate, *, has_issuer: bool) -> Iterator[Finding]:
    uncovered = [host for host in use.hosts if not any(_covers(known, host) for known in certificate.names)]
    if uncovered:
        finding = warning if has_issuer else error
        yield finding(
            use.owner.subject,
            f"The certificate in Secret {use.secret} is for {', '.join(certificate.names) or 'no name'}, not "
            f"for {', '.join(uncovered)}.",
            "Nothing to do: the issuer issues it again for the new names."
            if has_issuer
            else f"Put another one into Secret {use.secret}.",
            use.field,
        )


def _covers(name: str, host: str) -> bool:
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _first_issue(
    snapshot: PreflightSnapshot, ingress: RenderedObject, name: str, field: YamlPath
) -> Iterator[Finding]:
    """Checks the issuing of a first certificate, which the smoke checks of the release must wait for."""
    message = _issuing_problem(snapshot, name)
    timeout = snapshot.config.smoke_of(snapshot.environment).timeout_seconds
    if message is not None:
        yield warning(
            ingress.subject,
            f"The certificate for Secret {name} is not issued: {message}",
            f"Follow it with `kubectl -n {snapshot.namespace} get certificaterequests,orders,challenges`.",
            field,
        )
    elif urlsplit(snapshot.settings.url).scheme == "https" and timeout < ISSUING_SECONDS:
        yield warning(
            ingress.subject,
            f"Its first certificate is issued by this release, which takes about {ISSUING_SECONDS} s; the "
            f"smoke checks wait {timeout:.0f} s.",
            "Set smoke.timeout_seconds of the environment to 300 for the first release.",
            field,
        )
    else:
        yield note(
            ingress.subject,
            "Its first certificate is issued by this release.",
            f"Follow it with `kubectl -n {snapshot.namespace} get certificate`.",
            field,
        )


def _issuing_problem(snapshot: PreflightSnapshot, secret_name: str) -> str | None:
    """Returns the message of the Certificate for a Secret that is not ready; None when there is none."""
    for certificate in snapshot.in_namespace(CERTIFICATES):
        if certificate["spec"].get("secretName") != secret_name:
            continue
        for condition in (certificate.get("status") or {}).get("conditions") or ():
            if condition["type"] == "Ready" and condition["status"] != "True":
                return str(condition.get("message", ""))
    return None
