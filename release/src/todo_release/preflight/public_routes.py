"""How requests from outside reach a chart's Services, said alike by Ingress objects and by the Gateway API.

Routes are paths of an Ingress or matches of an HTTPRoute. Certificates are in the `tls` of an Ingress or on
the listeners of a Gateway. What only one controller understands is left out: regular expressions, and matches
by header or method.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.core.yaml_positions import YamlPath

CLUSTER_ISSUER, ISSUER = "cert-manager.io/cluster-issuer", "cert-manager.io/issuer"
USE_REGEX = "nginx.ingress.kubernetes.io/use-regex"
CANARY = "nginx.ingress.kubernetes.io/canary"
REGULAR_EXPRESSION = "RegularExpression"


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service that answers, with the name or number of its port; None is its only port."""

    service: str
    port: str | int | None


@dataclass(frozen=True, slots=True)
class Path:
    """A path of a host and its backends; several share the requests. `field` is below the object."""

    field: YamlPath
    host: str
    path: str
    backends: tuple[Backend, ...]
    is_exact: bool = False

    @property
    def services(self) -> tuple[str, ...]:
        """Returns the names of the Services, sorted."""
        return tuple(sorted({backend.service for backend in self.backends}))

    @property
    def leads_to(self) -> str:
        """Returns the names of the Services for a message; `no Service` without any."""
        return " and ".join(self.services) or "no Service"

    def takes(self, path: str) -> bool:
        """Returns whether it takes requests for a path: prefixes are compared by whole segments."""
        if path == self.path:
            return True
        return not self.is_exact and path.startswith(f"{self.path.rstrip('/')}/")


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """A path of the chart; `owner` is the Ingress or HTTPRoute that has it."""

    owner: RenderedObject
    path: Path


@dataclass(frozen=True, slots=True)
class CertificateUse:
    """A Secret with a certificate for hosts; an issuer is annotated if cert-manager makes it."""

    owner: RenderedObject
    field: YamlPath
    secret: str
    hosts: tuple[str, ...]
    has_issuer: bool


def public_routes(manifest: RenderedManifest) -> Iterator[PublicRoute]:
    """Yields the paths of Ingress objects and HTTPRoutes, except canaries, which repeat them on purpose."""
    for owner in manifest.of_kind("Ingress", "HTTPRoute"):
        if owner.annotations.get(CANARY) != "true":
            for path in paths_of(owner.body):
                yield PublicRoute(owner, path)


def paths_of(body: JsonObject) -> Iterator[Path]:
    """Yields the paths of an Ingress or an HTTPRoute, rendered or live."""
    spec = body.get("spec") or {}
    yield from _ingress_paths(spec) if body["kind"] == "Ingress" else _route_paths(spec)


def hosts(manifest: RenderedManifest) -> Iterator[tuple[RenderedObject, YamlPath, str]]:
    """Yields (object, field, host) of every host that is served; an empty host is any."""
    for owner in manifest.of_kind("Ingress"):
        for number, rule in enumerate(owner.spec.get("rules") or ()):
            yield owner, ("spec", "rules", number, "host"), str(rule.get("host") or "")
    for owner in manifest.of_kind("HTTPRoute"):
        for number, host in enumerate(owner.spec.get("hostnames") or ()):
            yield owner, ("spec", "hostnames", number), str(host)


def has_regular_expressions(manifest: RenderedManifest) -> bool:
    """Returns whether only the controller knows which path takes a request."""
    return any(owner.annotations.get(USE_REGEX) == "true" for owner in manifest.of_kind("Ingress")) or any(
        (match.get("path") or {}).get("type") == REGULAR_EXPRESSION
        for owner in manifest.of_kind("HTTPRoute")
        for rule in owner.spec.get("rules") or ()
        for match in rule.get("matches") or ()
    )


def certificate_uses(manifest: RenderedManifest) -> Iterator[CertificateUse]:
    """Yields the Secrets that Ingress objects and the listeners of Gateways show to browsers.

    Those of another namespace are left out: they are not the release's.
    """
    for owner in manifest.of_kind("Ingress"):
        for index, tls in enumerate(owner.spec.get("tls") or ()):
            field: YamlPath = ("spec", "tls", index, "secretName")
            covered = tuple(str(host) for host in tls.get("hosts") or ())
            yield CertificateUse(owner, field, str(tls.get("secretName") or ""), covered, has_issuer(owner))
    for owner in manifest.of_kind("Gateway"):
        for number, listener in enumerate(owner.spec.get("listeners") or ()):
            covered = (str(listener["hostname"]),) if listener.get("hostname") else ()
            for index, reference in enumerate((listener.get("tls") or {}).get("certificateRefs") or ()):
                if reference.get("kind", "Secret") != "Secret" or reference.get("namespace"):
                    continue
                field = ("spec", "listeners", number, "tls", "certificateRefs", index, "name")
                yield CertificateUse(owner, field, str(reference["name"]), covered, has_issuer(owner))


def has_issuer(owner: RenderedObject) -> bool:
    """Returns whether cert-manager makes the certificates of an object."""
    return bool({CLUSTER_ISSUER, ISSUER} & owner.annotations.keys())


def _ingress_paths(spec: JsonObject) -> Iterator[Path]:
    for number, rule in enumerate(spec.get("rules") or ()):
        for index, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            service = (path.get("backend") or {}).get("service") or {}
            port = service.get("port") or {}
            backend = Backend(str(service.get("name")), port.get("name", port.get("number")))
            yield Path(
                field=("spec", "rules", number, "http", "paths", index),
                host=str(rule.get("host") or ""),
                path=str(path.get("path") or "/"),
                backends=(backend,) if service.get("name") else (),
                is_exact=path.get("pathType") == "Exact",
            )


def _route_paths(spec: JsonObject) -> Iterator[Path]:
    """Yields the paths of an HTTPRoute; a rule that only redirects has no backends and is none."""
    for number, rule in enumerate(spec.get("rules") or ()):
        backends = tuple(
            Backend(str(reference["name"]), reference.get("port"))
            for reference in rule.get("backendRefs") or ()
            if reference.get("kind", "Service") == "Service" and not reference.get("namespace")
        )
        for index, match in enumerate(rule.get("matches") or ({},)):
            if not backends or not _is_plain(match):
                continue
            path: dict[str, Any] = match.get("path") or {}
            for host in spec.get("hostnames") or ("",):
                yield Path(
                    field=("spec", "rules", number, "matches", index),
                    host=str(host),
                    path=str(path.get("value") or "/"),
                    backends=backends,
                    is_exact=path.get("type") == "Exact",
                )


def _is_plain(match: JsonObject) -> bool:
    """Returns whether a match is by path alone, and the path is no regular expression."""
    return not match.keys() - {"path"} and (match.get("path") or {}).get("type") != REGULAR_EXPRESSION
