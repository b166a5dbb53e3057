"""Steps that install a component's chart with Helm, or check one that somebody else installed."""

import secrets
from dataclasses import dataclass
from typing import Any

from todo_cluster.bootstrap import applying, readiness
from todo_cluster.bootstrap.step import DONE, State, fingerprint_of
from todo_cluster.config.components import Component, PresentObject
from todo_cluster.errors import BootstrapError
from todo_cluster.site import MANAGER, Site
from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.helm.storage import PENDING_STATUSES, Revision
from todo_release.adapters.kubernetes.api_resources import SECRETS
from todo_release.adapters.kubernetes.manifest import awaited_objects_of, parse_manifest
from todo_release.adapters.kubernetes.objects import WORKLOAD_KINDS, JsonObject, WorkloadRef
from todo_release.core import text_file, yaml_loader

RANDOM = "random"
RANDOM_BYTES = 24


@dataclass(frozen=True, slots=True)
class ChartStep:
    """A component's newest revision is this chart with these values, and its pods are ready."""

    key: str
    component: Component

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"chart.{self.key}"

    @property
    def title(self) -> str:
        """See `Step`."""
        source = self.component.chart
        return f"chart {source.name} {source.version} in {self.component.namespace}" if source else self.key

    @property
    def release(self) -> str:
        """The name of the Helm release."""
        return self.component.release or self.key

    def fingerprint(self, site: Site) -> str:
        """See `Step`; the archive's digest is in it, which Helm does not keep."""
        digest = site.charts.get(self.component.chart).sha256 if self.component.chart else ""
        return fingerprint_of(digest, self._values(site))

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`."""
        helm = site.helm(self.component.namespace)
        reason = self._difference(site, helm, recorded)
        if reason:
            return State(False, reason)
        refs = self._awaited(helm)
        late = readiness.unready(site, self.component.namespace, refs)
        return State(False, f"not ready: {', '.join(late)}") if late else DONE

    def do(self, site: Site) -> None:
        """See `Step`; an upgrade that was cut off is unlocked first, once a person agrees."""
        chart, namespace = self.component.chart, self.component.namespace
        if chart is None:
            return
        _ensure_namespace(site, namespace)
        self._ensure_secrets(site)
        self._require_secrets(site)
        helm = site.helm(namespace)
        if self._difference(site, helm, self.fingerprint(site)):
            self._unlock(site, helm)
            helm.upgrade(
                self.release,
                site.charts.get(chart).folder,
                values=[site.root / file for file in self.component.values],
                timeout_seconds=self.component.timeout_seconds,
                description=f"{MANAGER}: {chart.archive}",
            )
        readiness.wait_until_ready(site, namespace, self._awaited(helm), self.component.timeout_seconds)

    def _difference(self, site: Site, helm: Helm, recorded: str | None) -> str:
        """Returns why an upgrade is needed; empty when it is not."""
        chart = self.component.chart
        newest = helm.newest(self.release)
        if chart is None or newest is None:
            return "not installed"
        if newest.status != "deployed":
            return f"revision {newest.number} is {newest.status}"
        if (newest.chart, newest.chart_version) != (chart.name, chart.version):
            return f"{newest.chart} {newest.chart_version} is installed"
        if helm.values(self.release) != self._values(site):
            return "its values differ"
        if recorded is not None and recorded != self.fingerprint(site):
            return "it was installed from another archive"
        gone = applying.missing(site.cluster, self._objects(helm))
        return f"{gone[0]} is gone" if gone else ""

    def _objects(self, helm: Helm) -> list[JsonObject]:
        """Returns the objects of the newest revision, each with its namespace."""
        here = {"namespace": self.component.namespace}
        return [
            {**item.body, "metadata": {**here, **item.body["metadata"]}}
            for item in parse_manifest(helm.manifest(self.release)).objects
            if not item.hooks
        ]

    def _awaited(self, helm: Helm) -> list[WorkloadRef]:
        return awaited_objects_of(helm.manifest(self.release), self.component.namespace)

    def _values(self, site: Site) -> dict[str, Any]:
        """Returns the values files merged as Helm merges them."""
        merged: dict[str, Any] = {}
        for file in self.component.values:
            merged = _merged(merged, yaml_loader.load(text_file.read(site.root / file, file)) or {})
        return merged

    def _unlock(self, site: Site, helm: Helm) -> None:
        newest: Revision | None = helm.newest(self.release)
        if newest and newest.status in PENDING_STATUSES:
            site.command.confirm(
                f"Release {self.release} is {newest.status} since {newest.updated_at:%H:%M}. If no other "
                "Helm works on it: unlock it and continue?"
            )
            helm.unlock(self.release)

    def _require_secrets(self, site: Site) -> None:
        known = site.cluster.secret_keys(self.component.namespace)
        for name, keys in self.component.needs_secrets.items():
            missing = [key for key in keys if key not in known.get(name, ())]
            if missing:
                raise BootstrapError(
                    f"The Secret {name} in {self.component.namespace} lacks {', '.join(missing)}.",
                    remedy="Write KEY=VALUE lines into a file that only you may read, create it with "
                    f"`kubectl create secret generic {name} -n {self.component.namespace} "
                    "--from-env-file=FILE`, delete the file, and run `inv bootstrap` again.",
                )

    def _ensure_secrets(self, site: Site) -> None:
        namespace = self.component.namespace
        for name, values in self.component.secrets.items():
            if site.cluster.read(f"{SECRETS.path(namespace)}/{name}") is not None:
                continue
            content = {
                key: secrets.token_urlsafe(RANDOM_BYTES) if value == RANDOM else value
                for key, value in values.items()
            }
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": content}
            site.cluster.create(SECRETS.path(namespace), body)


@dataclass(frozen=True, slots=True)
class PresentStep:
    """A component that somebody else installed is there and ready; nothing is ever changed."""

    key: str
    component: Component

    @property
    def name(self) -> str:
        """See `Step`."""
        return f"present.{self.key}"

    @property
    def title(self) -> str:
        """See `Step`."""
        return f"{self.key} of the cluster: {', '.join(item.subject for item in self.component.present)}"

    def fingerprint(self, site: Site) -> str:
        """See `Step`."""
        return fingerprint_of([item.model_dump() for item in self.component.present])

    def check(self, site: Site, recorded: str | None) -> State:
        """See `Step`."""
        missing = [problem for item in self.component.present if (problem := _absence(site, item))]
        return State(False, ", ".join(missing)) if missing else State(True, "adopted as it is")

    def do(self, site: Site) -> None:
        """See `Step`.

        Raises:
            BootstrapError: Always: what is missing is somebody else's to install.
        """
        raise BootstrapError(
            f"The component {self.key} is declared as present, but {self.check(site, None).reason}.",
            remedy=f"Install it, or remove components.{self.key}.present from the configuration to have its "
            "chart installed.",
        )


def _absence(site: Site, item: PresentObject) -> str:
    """Returns what is wrong with an object that must be there; empty when nothing."""
    body = {"apiVersion": item.api_version, "kind": item.kind, "metadata": {"name": item.name}}
    if site.cluster.live(body, item.namespace) is None:
        return f"{item.subject} is missing"
    if item.kind not in WORKLOAD_KINDS:
        return ""
    late = readiness.unready(site, item.namespace, [WorkloadRef(item.kind, item.name)])
    return f"{item.subject} is not ready" if late else ""


def _ensure_namespace(site: Site, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    if site.cluster.live(body, "") is None:
        site.cluster.apply(body, "", manager=MANAGER)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result
