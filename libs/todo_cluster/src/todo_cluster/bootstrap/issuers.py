"""Steps for certificates: the trial issuer first, and the real one once the trial one has issued.

The real authority allows five failures an hour for a host name. So a trial certificate for every
environment's host shows first that DNS, ingress and solver work; its Secret is deleted again.
"""

import base64
from dataclasses import dataclass
from typing import Any

from todo_cluster.bootstrap import applying
from todo_cluster.bootstrap.step import DONE, State, fingerprint_of
from todo_cluster.config.model import Issuer, IssuerSettings
from todo_cluster.errors import BootstrapError
from todo_cluster.site import Site
from todo_release.adapters.kubernetes.api_resources import CERTIFICATES, EVENTS, SECRETS
from todo_release.adapters.kubernetes.objects import JsonObject

TRIAL = "bootstrap-trial"
POLL_SECONDS = 2.0
READY_SECONDS = 60.0
CHALLENGES = "apis/acme.cert-manager.io/v1/namespaces/{namespace}/challenges"


@dataclass(frozen=True, slots=True)
class IssuerStep:
    """A ClusterIssuer is there, and its authority has accepted its account."""

    settings: IssuerSettings
    issuer: Issuer

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"issuer.{self.issuer.name}"

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"ClusterIssuer {self.issuer.name} of {self.issuer.server}"

    def fingerprint(self, site: Site) -> str:
        """See `Step`."""
        return fingerprint_of(self._body(site))

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`."""
        body = self._body(site)
        if not site.cluster.serves(body):
            return State(False, "cert-manager is not there yet")
        if found := applying.difference(site.cluster, body):
            return State(False, found)
        problem = _not_ready(site.cluster.live(body, ""))
        return State(False, problem) if problem else DONE

    def do(self, site: Site) -> None:
        """See `Step`."""
        body = self._body(site)
        applying.apply(site.cluster, body)
        deadline = site.clock.now() + READY_SECONDS
        while problem := _not_ready(site.cluster.live(body, "")):
            if site.clock.now() >= deadline:
                raise BootstrapError(
                    f"The ClusterIssuer {self.issuer.name} is not ready: {problem}.",
                    remedy=f"Check the address {self.issuer.server} and issuers.email in cluster.yaml.",
                )
            site.clock.sleep(POLL_SECONDS)

    def _body(self, site: Site) -> JsonObject:
        solver = {"http01": {"ingress": {"ingressClassName": self.settings.ingress_class}}}
        acme: dict[str, Any] = {
            "server": self.issuer.server,
            "email": self.settings.email,
            "privateKeySecretRef": {"name": f"{self.issuer.name}-account-key"},
            "solvers": [solver],
        }
        if self.settings.ca_file:
            pem = (site.root / self.settings.ca_file).read_bytes()
            acme["caBundle"] = base64.b64encode(pem).decode()
        return {
            "apiVersion": "cert-manager.io/v1",
            "kind": "ClusterIssuer",
            "metadata": {"name": self.issuer.name},
            "spec": {"acme": acme},
        }


@dataclass(frozen=True, slots=True)
class TrialStep:
    """The trial issuer has once issued a certificate for an environment's host."""

    settings: IssuerSettings
    environment: str

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"trial-certificate.{self.environment}"

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"trial certificate of {self.settings.staging.name} for {self.environment}"

    def fingerprint(self, site: Site) -> str:
        """See `Step`."""
        return fingerprint_of(site.hosts[self.environment], self.settings.staging.model_dump())

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`; only the record knows, because the certificate is deleted again."""
        if recorded == self.fingerprint(site):
            return State(True, f"was issued for {site.hosts[self.environment]}")
        return State(False, f"none yet for {site.hosts[self.environment]}")

    def do(self, site: Site) -> None:
        """See `Step`.

        Raises:
            BootstrapError: None was issued in time; it says what cert-manager says.
        """
        host, namespace = site.hosts[self.environment], site.namespaces[self.environment]
        body = {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": TRIAL, "namespace": namespace},
            "spec": {
                "secretName": TRIAL,
                "dnsNames": [host],
                "issuerRef": {"kind": "ClusterIssuer", "name": self.settings.staging.name},
            },
        }
        applying.apply(site.cluster, body)
        deadline = site.clock.now() + self.settings.timeout_seconds
        while problem := _not_ready(site.cluster.live(body, "")):
            if site.clock.now() >= deadline:
                raise BootstrapError(
                    f"No trial certificate for {host} after {self.settings.timeout_seconds:.0f} s: {problem}."
                    + "".join(f"\n    {line}" for line in _details(site, namespace)),
                    remedy=f"Point {host} to {ingress_address(site) or 'the load balancer'} (DNS, A record), "
                    "wait until it resolves, then run `inv bootstrap` again.",
                )
            site.clock.sleep(POLL_SECONDS)
        site.cluster.delete(f"{CERTIFICATES.path(namespace)}/{TRIAL}")
        site.cluster.delete(f"{SECRETS.path(namespace)}/{TRIAL}")


def ingress_address(site: Site) -> str:
    """Returns the address that the host names must point to; empty when the cluster does not say."""
    for component in site.config.enabled.values():
        services = site.cluster.items(f"api/v1/namespaces/{component.namespace}/services")
        for service in services:
            for entry in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
                return str(entry.get("ip") or entry.get("hostname") or "")
    return ""


def _not_ready(live: Any) -> str:
    """Returns why an object's Ready condition is not true; empty when it is."""
    conditions = ((live or {}).get("status") or {}).get("conditions") or ()
    ready = next((item for item in conditions if item["type"] == "Ready"), None)
    if ready is None:
        return "cert-manager has not looked at it"
    return (
        "" if ready["status"] == "True" else str(ready.get("message") or ready.get("reason") or "not ready")
    )


def _details(site: Site, namespace: str) -> list[str]:
    """Returns what the open challenges and the warnings of the namespace say."""
    challenges = site.cluster.items(CHALLENGES.format(namespace=namespace))
    lines = [
        f"challenge for {item['spec']['dnsName']}: {(item.get('status') or {}).get('reason', 'waiting')}"
        for item in challenges
    ]
    events = site.cluster.items(EVENTS.path(namespace), {"fieldSelector": "type=Warning"})
    return [*lines, *(f"{item['reason']}: {item['message']}" for item in events[-3:])]
