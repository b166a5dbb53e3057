"""Steps that apply the custom resource definitions in a chart's crds/ folder.

Helm installs definitions once and never upgrades them, and another chart's objects may need them first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from todo_cluster.bootstrap import applying
from todo_cluster.bootstrap.step import DONE, State, fingerprint_of
from todo_cluster.config.components import Component
from todo_cluster.errors import BootstrapError
from todo_cluster.site import Site
from todo_release.adapters.helm.definitions import read_definitions
from todo_release.adapters.kubernetes.objects import JsonObject

ESTABLISHED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class DefinitionsStep:
    """The cluster has the definitions of one component's chart, in the chart's version."""

    key: str
    component: Component

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"definitions.{self.key}"

    @property
    def title(self) -> str:
        """See `Step`."""
        source = self.component.chart
        return f"definitions of {source.name} {source.version}" if source else "definitions"

    def fingerprint(self, site: Site) -> str:
        """See `Step`."""
        return fingerprint_of(definitions_of(site, self.component))

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`."""
        wanted = definitions_of(site, self.component)
        found = applying.differences(site.cluster, wanted)
        return State(False, f"{len(found)} of {len(wanted)} differ: {found[0]}") if found else DONE

    def do(self, site: Site) -> None:
        """See `Step`; returns when the server serves the new kinds."""
        wanted = definitions_of(site, self.component)
        for item in wanted:
            applying.apply(site.cluster, item)
        deadline = site.clock.now() + ESTABLISHED_SECONDS
        while late := [item for item in wanted if not _is_established(site.cluster.live(item, ""))]:
            if site.clock.now() >= deadline:
                raise BootstrapError(
                    f"The definition {late[0]['metadata']['name']} is not served after "
                    f"{ESTABLISHED_SECONDS:.0f} s.",
                    remedy="`kubectl describe crd` of it says why; then run `inv bootstrap` again.",
                )
            site.clock.sleep(0.5)


def definitions_of(site: Site, component: Component) -> list[JsonObject]:
    """Returns the definitions of a component's chart, with the configured values for placeholders.

    Raises:
        BootstrapError: A conversion webhook is in another namespace than the component.
    """
    if component.chart is None:
        return []
    folder = site.charts.get(component.chart).folder
    found = [_replaced(item.body, component.replace) for item in read_definitions(folder)]
    for body in found:
        for namespace in _webhook_namespaces(body):
            if namespace != component.namespace:
                raise BootstrapError(
                    f"The definition {body['metadata']['name']} sends conversions to a Service in the "
                    f"namespace {namespace!r}, but the component is in {component.namespace!r}.",
                    remedy=f"Add `replace: {{{namespace}: {component.namespace}}}` to the component in "
                    "cluster.yaml.",
                )
    return found


def _replaced(value: Any, replacements: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, replacements) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, replacements) for inner in value]
    return replacements.get(value, value) if isinstance(value, str) else value


def _webhook_namespaces(body: JsonObject) -> Iterator[str]:
    webhook = (body["spec"].get("conversion") or {}).get("webhook") or {}
    service = (webhook.get("clientConfig") or {}).get("service")
    if service:
        yield service["namespace"]


def _is_established(live: Any) -> bool:
    conditions = ((live or {}).get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)
