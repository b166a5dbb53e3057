"""Certificates of the ingresses: there, for the right names, good for a while, or on their way. Rules of
`network`.
"""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from todo_release.adapters.kubernetes.manifest import Rendered
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core.yaml_positions import Path
from todo_release.preflight.checks.references import CLUSTER_ISSUER, ISSUER
from todo_release.preflight.finding import Finding, Findings, error, note, warning
from todo_release.preflight.snapshot import CERTIFICATES, PreflightSnapshot

EXPIRES_SOON = timedelta(days=14)
ISSUING_SECONDS = (
    120  # what an HTTP-01 challenge takes: solver pod, its ingress, the authority's look, the order
)


def certificates_are_good(snapshot: PreflightSnapshot) -> Findings:
    """One finding a Secret that an Ingress names."""
    asking = {
        tls.get("secretName")
        for ingress in snapshot.manifest.of_kind("Ingress")
        if {CLUSTER_ISSUER, ISSUER} & ingress.annotations.keys()
        for tls in ingress.spec.get("tls") or ()
    }
    told = set()
    for ingress in snapshot.manifest.of_kind("Ingress"):
        for index, tls in enumerate(ingress.spec.get("tls") or ()):
            name = tls.get("secretName")
            if name and name not in told and not snapshot.manifest.find("Secret", name):
                told.add(name)
                field = ("spec", "tls", index, "secretName")
                yield from _certificate(snapshot, ingress, tls, field, is_asked_for=name in asking)


def _certificate(
    snapshot: PreflightSnapshot, ingress: Rendered, tls: JsonObject, field: Path, *, is_asked_for: bool
) -> Iterator[Finding]:
    name, hosts = tls["secretName"], [str(host) for host in tls.get("hosts") or ()]
    facts = snapshot.secret(name)
    certificate = facts.certificate if facts else None
    if certificate is None:
        if not is_asked_for:
            yield error(
                ingress.subject,
                f"There is no certificate in Secret {name}, and no issuer is asked for one: browsers are"
                " shown the"
                " controller's own.",
                f"Create Secret {name} of type kubernetes.io/tls, or name an issuer.",
                field,
            )
        else:
            yield from _first_issue(snapshot, ingress, name, field)
        return
    left = certificate.expires_at - snapshot.now
    if left < timedelta(0):
        say = warning if is_asked_for else error
        yield say(
            ingress.subject,
            f"The certificate in Secret {name} has expired on {certificate.expires_at:%Y-%m-%d}.",
            f"See why it was not renewed: `kubectl -n {snapshot.namespace} describe certificate`.",
            field,
        )
    elif left < EXPIRES_SOON:
        yield warning(
            ingress.subject,
            f"The certificate in Secret {name} expires in {left.days} days.",
            f"It should have been renewed: `kubectl -n {snapshot.namespace} describe certificate`."
            if is_asked_for
            else f"Put a new one into Secret {name}.",
            field,
        )
    foreign = [host for host in hosts if not any(_covers(one, host) for one in certificate.names)]
    if foreign:
        say = warning if is_asked_for else error
        yield say(
            ingress.subject,
            f"The certificate in Secret {name} is for {', '.join(certificate.names) or 'no name'}, not for"
            f" {', '.join(foreign)}.",
            "It will be issued again for the new names."
            if is_asked_for
            else f"Put another one into Secret {name}.",
            field,
        )


def _covers(name: str, host: str) -> bool:
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _first_issue(snapshot: PreflightSnapshot, ingress: Rendered, name: str, field: Path) -> Iterator[Finding]:
    """The certificate comes with this release; the smoke checks must wait for it."""
    for one in snapshot.own(CERTIFICATES):
        for condition in (one.get("status") or {}).get("conditions") or ():
            if (
                one["spec"].get("secretName") == name
                and condition["type"] == "Ready"
                and condition["status"] != "True"
            ):
                yield warning(
                    ingress.subject,
                    f"The certificate for Secret {name} is not issued: {condition.get('message', '')}",
                    f"Follow it with `kubectl -n {snapshot.namespace} get"
                    " certificaterequests,orders,challenges`.",
                    field,
                )
                return
    patience = snapshot.config.smoke_of(snapshot.environment).timeout_seconds
    if urlsplit(snapshot.settings.url).scheme == "https" and patience < ISSUING_SECONDS:
        yield warning(
            ingress.subject,
            f"Its first certificate is issued by this release, which takes about {ISSUING_SECONDS} s; the"
            " smoke"
            f" checks wait {patience:.0f} s.",
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
