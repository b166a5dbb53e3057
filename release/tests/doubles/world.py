"""In-memory stand-ins for the outside world: registry, container engine, cluster, Helm.

They keep the promises of the real adapters that the engine relies on: digests name content, a revision number
grows by one, a rollback is a new revision.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from todo_release.adapters.git import Repository
from todo_release.adapters.github import GitHub
from todo_release.adapters.helm.storage import Revision
from todo_release.adapters.kubernetes.client import RefusedError
from todo_release.adapters.kubernetes.objects import Pod, Snapshot, Workload, WorkloadRef
from todo_release.config.loader import load
from todo_release.config.overrides import Overrides
from todo_release.environments.drift import Edit
from todo_release.environments.environment import Access, ReleaseContext
from todo_release.environments.history import Records
from todo_release.environments.smoke.checks import CheckResult
from todo_release.errors import HelmError, RegistryError
from todo_release.pipeline.events import RunEvent
from todo_release.preflight.finding import Finding
from todo_release.preflight.inspection import Inspection
from todo_release.report.lines import LineReporter
from todo_release.session import Session

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


class RegistryDouble:
    """Remembers digests by repository and tag."""

    def __init__(self) -> None:
        """Empty."""
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
        digest = self.digests[(repository, reference)]
        assert platform == "linux/amd64"
        return SimpleNamespace(digest=digest, size_bytes=1, env={"BUILD_ID": self.build_ids[digest]})

    def tag(self, repository: str, digest: str, tag: str) -> None:
        """As `Registry.tag`."""
        self.writes += 1
        assert digest in self.digests.values()
        self.digests[(repository, tag)] = digest


class EngineDouble:
    """Builds by hashing the context and pushes into a registry."""

    def __init__(self, registry: RegistryDouble) -> None:
        """Pushes go to `registry`."""
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
    """Holds ConfigMaps and, by `Kind/name`, other objects; every workload is ready at once. `leaving` are
    looks at which an old pod is there.
    """

    def __init__(self) -> None:
        """Empty."""
        self.config_maps: dict[tuple[str, str], dict[str, str]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusal: RefusedError | None = None
        self.writes = 0
        self.is_ready = True
        self.leaving = 0

    def get_config_map(self, namespace: str, name: str) -> dict[str, str] | None:
        """As `Cluster.get_config_map`."""
        found = self.config_maps.get((namespace, name))
        return None if found is None else dict(found)

    def put_config_map(self, namespace: str, name: str, data: Mapping[str, str], labels: object) -> None:
        """As `Cluster.put_config_map`."""
        self.writes += 1
        self.config_maps[(namespace, name)] = dict(data)

    def live(self, wanted: Mapping[str, Any], namespace: str) -> Any:
        """As `Cluster.live`."""
        return self.objects.get(f"{wanted['kind']}/{wanted['metadata']['name']}")

    def applied(self, wanted: Mapping[str, Any], namespace: str, *, manager: str) -> Any:
        """As `Cluster.applied`: what is applied lies over what is there."""
        if self.refusal:
            raise self.refusal
        return _over(self.live(wanted, namespace) or {}, wanted)

    def snapshot(self, namespace: str, refs: Sequence[WorkloadRef]) -> Snapshot:
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
                **numbers,
            )
            for ref in refs
        }
        self.leaving, is_leaving = max(self.leaving - 1, 0), self.leaving > 0
        return Snapshot(workloads=workloads, pods=(OLD_POD,) if is_leaving else (), events=())


def _over(live: Any, wanted: Any) -> Any:
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        return {**live, **{key: _over(live.get(key), value) for key, value in wanted.items()}}
    return wanted


@dataclass
class HelmDouble:
    """Keeps revisions, and of each upgrade its overlay and whether it had hooks; one works unless `refuses`
    names its version.
    """

    revisions: list[Revision] = field(default_factory=list)
    refuses: str | None = None
    overlays: list[Mapping[str, Any]] = field(default_factory=list)
    hooks: list[bool] = field(default_factory=list)
    dies_in: str | None = None

    def history(self, release: str) -> list[Revision]:
        """As `Helm.history`."""
        return list(self.revisions)

    def template(
        self, release: str, chart: Path, *, values: Sequence[Path], overlay: Mapping[str, Any]
    ) -> str:
        """As `Helm.template`, with one Deployment."""
        return self.manifest(release)

    def manifest(self, release: str, revision: int | None = None) -> str:
        """As `Helm.manifest`."""
        return f"kind: Deployment\nmetadata: {{name: {release}-web}}\n"

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
        self._add(version, "failed" if self.refuses == version else "deployed", description)
        if self.refuses == version:
            raise HelmError("Helm refused.", remedy="Look.")

    def rollback(self, release: str, revision: int, *, timeout_seconds: float, on_line: object) -> None:
        """As `Helm.rollback`."""
        if self.dies_in == "rollback":
            raise HelmError("Helm refused to go back.", remedy="Look.")
        back_to = self.revisions[revision - 1]
        self._add(back_to.app_version, "deployed", f"Rollback to {revision}")

    def unlock(self, release: str) -> Revision | None:
        """As `Helm.unlock`."""
        if not self.revisions or not self.revisions[-1].status.startswith("pending"):
            return None
        was = self.revisions[-1]
        self.revisions[-1] = replace(was, status="failed")
        return was

    def mark_failed(self, release: str, revision: int, description: str) -> None:
        """As `Helm.mark_failed`."""
        self.revisions[revision - 1] = replace(
            self.revisions[revision - 1], status="failed", description=description
        )

    def _add(self, version: str, status: str, description: str) -> None:
        if status == "deployed":
            self.revisions = [
                replace(one, status="superseded") if one.status == "deployed" else one
                for one in self.revisions
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


class KilledError(BaseException):
    """The run was killed: like SIGKILL, nothing of the engine may handle it."""


class LockDouble:
    """Knows who holds what."""

    def __init__(self, held: list[str], environment: str) -> None:
        """`held` is the diary of taking and giving back."""
        self._held = held
        self._environment = environment

    def __enter__(self) -> None:
        """Take it."""
        self._held.append(f"+{self._environment}")

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._held.append(f"-{self._environment}")

    def ensure_held(self) -> None:
        """It always is."""


class World:
    """Everything outside of the work tree, and a session that works on it."""

    def __init__(self, root: Path, overrides: Overrides | None = None) -> None:
        """Nothing was ever released."""
        self.root = root
        # One build at a time: a test that counts steps needs them in order.
        self.config = load(root, overrides).model_copy(update={"parallel_builds": 1})
        self.registry = RegistryDouble()
        self.engine = EngineDouble(self.registry)
        self.cluster = ClusterDouble()
        self.edits: tuple[Edit, ...] = ()
        self.helm = {name: HelmDouble() for name in self.config.environments}
        self.locks: list[str] = []
        self.failing_checks: dict[str, str] = {}
        self.answer = True
        self.pulls: list[tuple[str, list[str]]] = []
        self.findings: dict[str, tuple[Finding, ...]] = {}
        self.inspected: list[tuple[str, str | None]] = []
        self.shown = io.StringIO()
        self.github: GitHub | None = None
        self.events: list[RunEvent] = []

    @property
    def session(self) -> Session:
        """As the engine wires it, with doubles."""
        context = ReleaseContext(
            repository=Repository(self.root),
            config=self.config,
            reach=self._reach,
            who=lambda: "Rita <rita@example.com> on test",
            run_url=None,
            now=lambda: NOW,
        )
        return Session(
            context=context,
            registry=self.registry,  # type: ignore[arg-type]  # a double
            container_engine=lambda: self.engine,  # type: ignore[arg-type,return-value]  # a double
            lock_for=lambda version, environment, say: LockDouble(self.locks, environment),
            run_smoke=lambda spec, url, say: [
                CheckResult("home", url not in self.failing_checks, self.failing_checks.get(url, "200"), 0.1)
            ],
            collect_evidence=lambda cluster, namespace, folder: folder,
            find_drift=lambda access: self.edits,
            check_pull_access=lambda access, manifest, images: self.pulls.append(
                (access.name, sorted(images))
            ),
            inspect=self._inspect,
            ask=lambda question: self.answer,
            reporter=LineReporter(self.shown, can_ask=False),
            github=self.github,
        )

    def release(self, version: str) -> list[str]:
        """Release, and return the ids of the steps that were done in this run."""
        session = self.session
        self.events.clear()
        session.run(session.release(version), self.events.append)
        return self.done

    @property
    def done(self) -> list[str]:
        """Ids of the steps that the last run did itself."""
        from todo_release.pipeline.events import StepEnded

        return [event.step.id for event in self.events if isinstance(event, StepEnded) and not event.was_done]

    def records(self, environment: str) -> Records:
        """The records of an environment."""
        return self._reach(environment).records

    def _inspect(self, environment: str, version: str | None) -> Inspection:
        self.inspected.append((environment, version))
        return Inspection(
            environment=environment,
            version=version or "0.0.0",
            findings=self.findings.get(environment, ()),
            nodes=None,
            skips={},
            seconds=0.1,
        )

    def _reach(self, name: str) -> Access:
        settings = self.config.environment(name)
        return Access(
            name=name,
            settings=settings,
            cluster=self.cluster,  # type: ignore[arg-type]  # a double
            helm=self.helm[name],  # type: ignore[arg-type]  # a double
            records=Records(self.cluster, settings.namespace, settings.release),  # type: ignore[arg-type]
        )


@contextmanager
def killed_after(world: World, step: str) -> Iterator[None]:
    """Let the run die right after a step was recorded, as SIGKILL would, or in it (`step` with a leading
    `~`).
    """
    from todo_release.pipeline.events import StepEnded, StepStarted

    in_it, name = step.startswith("~"), step.removeprefix("~")
    kind = StepStarted if in_it else StepEnded

    class Deadly(list[RunEvent]):
        def append(self, event: RunEvent) -> None:
            super().append(event)
            if isinstance(event, kind) and event.step.id == name and not getattr(event, "was_done", False):
                raise KilledError

    world.events = Deadly()
    try:
        yield
    except KilledError:
        pass
    else:
        raise AssertionError(f"the run ended without reaching {step}")
    finally:
        world.events = []
