"""In-memory doubles of the engine's clients: registry, container engine, cluster, Helm.

They keep the promises of the real clients that the engine relies on: a digest names content, a revision
number grows by one, a rollback is a new revision.
"""

import hashlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from todo_release.adapters.helm.storage import Revision
from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.endpoints import Endpoint
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, Pod, Workload, WorkloadRef
from todo_release.adapters.registry.client import ImageNotFoundError
from todo_release.errors import HelmError, RegistryError

OLD_POD = Pod(
    name="web-1-a",
    uid="",
    owner_uid="",
    labels={},
    annotations={},
    node="",
    is_ready=True,
    is_terminating=True,
    conditions=(),
    containers=(),
)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class KilledError(BaseException):
    """The run was killed: like SIGKILL, nothing of the engine may handle it."""


class RegistryClientDouble:
    """Keeps digests by repository and tag."""

    def __init__(self) -> None:
        """Starts empty."""
        self.digests: dict[tuple[str, str], str] = {}
        self.build_ids: dict[str, str] = {}
        self.is_down = False
        self.writes = 0

    def digest(self, repository: str, reference: str) -> str | None:
        """As `Registry.digest`."""
        if self.is_down:
            raise RegistryError("The registry is down.", remedy="Start it.")
        if reference.startswith("sha256:"):
            known = {digest for (path, _), digest in self.digests.items() if path == repository}
            return reference if reference in known else None
        return self.digests.get((repository, reference))

    def resolve(self, repository: str, reference: str, platform: str) -> Any:
        """As `Registry.resolve`, for single-platform images."""
        digest = self.digest(repository, reference)
        if digest is None:
            raise ImageNotFoundError(f"There is no image {repository}:{reference}.", remedy="Push it.")
        assert platform == "linux/amd64"
        return SimpleNamespace(
            digest=digest,
            platform_digest=digest,
            config_digest=f"sha256:{hashlib.sha256(digest.encode()).hexdigest()}",
            size_bytes=1,
            env={"BUILD_ID": self.build_ids[digest]},
        )

    def tag(self, repository: str, digest: str, tag: str) -> None:
        """As `Registry.tag`."""
        self.writes += 1
        assert digest in self.digests.values()
        self.digests[(repository, tag)] = digest


class ContainerEngineDouble:
    """Builds an image by hashing its build id, and pushes it to the registry double."""

    def __init__(self, registry: RegistryClientDouble) -> None:
        """Pushes to `registry`."""
        self._registry = registry
        self._built: dict[str, str] = {}
        self.contexts: dict[str, list[str]] = {}
        self.built: list[str] = []

    def build(
        self,
        context: BinaryIO,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        on_line: Callable[[str], None],
        platform: str,
        cache: str | None,
    ) -> None:
        """As `DockerEngine.build`."""
        with tarfile.open(fileobj=context) as tar:
            names = tar.getnames()
        assert dockerfile in names
        assert platform == "linux/amd64"
        on_line(f"step 1 of {tags[0]}")
        name = tags[0].rpartition(":")[0].rpartition("/")[2]
        self.contexts[name] = names
        self.built.append(name)
        digest = "sha256:" + hashlib.sha256(f"{name} {build_args['BUILD_ID']}".encode()).hexdigest()
        self._registry.build_ids[digest] = build_args["BUILD_ID"]
        self._built[tags[0]] = digest

    def push(self, reference: str, *, on_line: Callable[[str], None]) -> str:
        """As `DockerEngine.push`."""
        repository, _, tag = reference.partition("/")[2].rpartition(":")
        on_line(f"pushed {reference}")
        self._registry.digests[(repository, tag)] = self._built[reference]
        return self._built[reference]


class ClusterDouble:
    """Keeps ConfigMaps and, by `Kind/name`, other objects; every workload is ready at once.

    `terminating_reads` is the number of snapshots that still show an old pod, `pods` are others that they
    show. `old_endpoint_reads` is how often a Service `web` still sends to that old pod. `behind` is what pods
    and Services answer through the API server. `annotations` are those of every workload.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self.config_maps: dict[tuple[str, str], dict[str, str]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusal: ApiRefusedError | None = None
        self.unknown_kinds: set[str] = set()
        self.writes = 0
        self.is_ready = True
        self.terminating_reads = 0
        self.old_endpoint_reads = 0
        self.pods: tuple[Pod, ...] = ()
        self.annotations: dict[str, str] = {}
        self.behind: Callable[[str], str] = lambda path: ""

    def read_behind(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """As `Cluster.read_behind`."""
        return self.behind(path)

    def get_config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """As `Cluster.get_config_map`."""
        data = self.config_maps.get((namespace, name))
        return None if data is None else dict(data)

    def put_config_map(self, namespace: str, name: str, data: Mapping[str, str], labels: object) -> None:
        """As `Cluster.put_config_map`."""
        self.writes += 1
        self.config_maps[(namespace, name)] = dict(data)

    def live(self, wanted: Mapping[str, Any], namespace: str) -> Any:
        """As `Cluster.live`."""
        return self.objects.get(f"{wanted['kind']}/{wanted['metadata']['name']}")

    def collection(self, wanted: Mapping[str, Any], namespace: str) -> str | None:
        """As `Cluster.collection`; the path is the kind."""
        return str(wanted["kind"])

    def items(self, path: str) -> list[Any]:
        """As `Cluster.items`."""
        return [body for name, body in self.objects.items() if name.startswith(f"{path}/")]

    def serves(self, wanted: Mapping[str, Any]) -> bool:
        """As `Cluster.serves`."""
        return wanted["kind"] not in self.unknown_kinds

    def applied(self, wanted: Mapping[str, Any], namespace: str, *, manager: str) -> Any:
        """As `Cluster.applied`: what is applied lies over what is there."""
        if self.refusal:
            raise self.refusal
        if wanted["kind"] in self.unknown_kinds:
            return None
        return _over(self.live(wanted, namespace) or {}, wanted)

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> NamespaceSnapshot:
        """As `Cluster.snapshot`."""
        numbers = {"desired": 1, "updated": 1, "available": int(self.is_ready), "total": 1}
        workloads = {
            ref: Workload(
                ref=ref,
                uid=ref.name,
                generation=1,
                observed_generation=1,
                conditions=(),
                containers=frozenset(),
                pod_owner_uid="",
                pod_labels={},
                annotations=self.annotations,
                **numbers,
            )
            for ref in refs
        }
        is_old_pod_left = self.terminating_reads > 0
        self.terminating_reads = max(self.terminating_reads - 1, 0)
        old = (OLD_POD,) if is_old_pod_left else ()
        return NamespaceSnapshot(workloads=workloads, pods=(*self.pods, *old), events=())

    def endpoints(self, namespace: str) -> tuple[Endpoint, ...]:
        """As `Cluster.endpoints`."""
        self.old_endpoint_reads -= 1
        old = (Endpoint("web", OLD_POD.name, "gone", gets_requests=True),)
        new = tuple(Endpoint("web", pod.name, pod.uid, gets_requests=True) for pod in self.pods)
        return new + (old if self.old_endpoint_reads >= 0 else ())


def _over(live: Any, wanted: Any) -> Any:
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        return {**live, **{key: _over(live.get(key), value) for key, value in wanted.items()}}
    return wanted


@dataclass
class HelmDouble:
    """Keeps revisions, and the overlay and hooks of each upgrade.

    An upgrade works unless `refuses` names its version. `dies_in` names the call in which the run is killed.
    """

    revisions: list[Revision] = field(default_factory=list)
    refuses: str | None = None
    overlays: list[Mapping[str, Any]] = field(default_factory=list)
    hooks: list[bool] = field(default_factory=list)
    dies_in: str | None = None
    objects: str = ""  # added to the manifest
    on_upgrade: Callable[[], None] = lambda: None

    def history(self, release: str) -> list[Revision]:
        """As `Helm.history`."""
        return list(self.revisions)

    def newest(self, release: str) -> Revision | None:
        """As `Helm.newest`."""
        return self.revisions[-1] if self.revisions else None

    def statuses(self, release: str) -> dict[int, str]:
        """As `Helm.statuses`."""
        return {revision.number: revision.status for revision in self.revisions}

    def revision(self, release: str, number: int) -> Revision | None:
        """As `Helm.revision`."""
        return next((revision for revision in self.revisions if revision.number == number), None)

    def began_at(self, release: str, revision: int) -> datetime | None:
        """As `Helm.began_at`."""
        return self.revisions[revision - 1].updated_at

    def template(
        self, release: str, chart: Path, *, values: Sequence[Path], overlay: Mapping[str, Any]
    ) -> str:
        """As `Helm.template`, with one Deployment."""
        return self.manifest(release)

    def manifest(self, release: str, revision: int | None = None) -> str:
        """As `Helm.manifest`."""
        return f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {release}-web}}\n{self.objects}"

    def upgrade(
        self,
        release: str,
        chart: Path,
        *,
        values: Sequence[Path],
        overlay: Mapping[str, Any],
        timeout_seconds: float,
        description: str,
        has_hooks: bool,
        on_line: Callable[[str], None],
        cancel: object = None,
    ) -> None:
        """As `Helm.upgrade`."""
        version = description.partition(" ")[0]
        assert f"version: {version}" in (chart / "Chart.yaml").read_text()
        self.overlays.append(overlay)
        self.hooks.append(has_hooks)
        if self.dies_in == "upgrade":
            self._add(version, "pending-upgrade", description)
            raise KilledError
        self.on_upgrade()
        self._add(version, "failed" if self.refuses == version else "deployed", description)
        if self.refuses == version:
            raise HelmError("Helm refused.", remedy="Run `helm history`.")

    def rollback(self, release: str, revision: int, *, timeout_seconds: float, on_line: object) -> None:
        """As `Helm.rollback`."""
        if self.dies_in == "rollback":
            raise HelmError("Helm refused to go back.", remedy="Run `helm history`.")
        back_to = self.revisions[revision - 1]
        self._add(back_to.app_version, "deployed", f"Rollback to {revision}")

    def unlock(self, release: str) -> Revision | None:
        """As `Helm.unlock`."""
        if not self.revisions or not self.revisions[-1].status.startswith("pending"):
            return None
        pending = self.revisions[-1]
        self.revisions[-1] = replace(pending, status="failed")
        return pending

    def mark_failed(self, release: str, revision: int, description: str) -> None:
        """As `Helm.mark_failed`."""
        self.revisions[revision - 1] = replace(
            self.revisions[revision - 1], status="failed", description=description
        )

    def _add(self, version: str, status: str, description: str) -> None:
        if status == "deployed":
            self.revisions = [
                replace(revision, status="superseded") if revision.status == "deployed" else revision
                for revision in self.revisions
            ]
        self.revisions.append(
            Revision(
                number=len(self.revisions) + 1,
                status=status,
                chart="shop",
                chart_version=version,
                app_version=version,
                updated_at=NOW + timedelta(minutes=len(self.revisions)),
                description=description,
            )
        )
