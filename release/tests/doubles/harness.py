"""A session whose clients are doubles: everything outside of the work tree is in memory."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from todo_release.adapters.git import Repository
from todo_release.adapters.github import GitHub
from todo_release.config.loader import load
from todo_release.config.overrides import Overrides
from todo_release.environments.deviations import DeviationFinder
from todo_release.environments.drift import LiveChange
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.environments.history import RecordStore
from todo_release.environments.record_repair import RecordRepair
from todo_release.environments.smoke.builds import find_builds
from todo_release.environments.smoke.result import CheckResult
from todo_release.pipeline.events import RunEvent, StepEnded, StepStarted
from todo_release.preflight.finding import Finding
from todo_release.preflight.inspection import Inspection
from todo_release.report.lines import LineReporter
from todo_release.session import Session

from .clients import NOW, ClusterDouble, ContainerEngineDouble, HelmDouble, KilledError, RegistryClientDouble

__all__ = ["NOW", "Harness", "KilledError", "killed_after"]


class LockDouble:
    """Writes down when an environment is locked and released."""

    def __init__(self, changes: list[str], environment: str) -> None:
        """Appends `+environment` and `-environment` to `changes`."""
        self._changes = changes
        self._environment = environment

    def __enter__(self) -> None:
        """Takes the lock."""
        self._changes.append(f"+{self._environment}")

    def __exit__(self, *_: object) -> None:
        """Releases the lock."""
        self._changes.append(f"-{self._environment}")

    def ensure_held(self) -> None:
        """Does nothing: the lock is always held."""


class Harness:
    """A work tree, doubles of everything outside of it, and a session that uses them."""

    def __init__(self, root: Path, overrides: Overrides | None = None) -> None:
        """Starts with nothing released."""
        self.root = root
        # One build at a time: a test that counts steps needs them in order.
        self.config = load(root, overrides).model_copy(update={"parallel_builds": 1})
        self.registry = RegistryClientDouble()
        self.engine = ContainerEngineDouble(self.registry)
        self.cluster = ClusterDouble()
        self.live_changes: tuple[LiveChange, ...] = ()
        self.helm = {name: HelmDouble(on_upgrade=self._overwrite_edits) for name in self.config.environments}
        self.locks: list[str] = []
        self.notes: list[str] = []
        self.failing_checks: dict[str, str] = {}
        self.answer = True
        self.now = NOW
        self.pull_checks: list[tuple[str, list[str]]] = []
        self.findings: dict[str, tuple[Finding, ...]] = {}
        self.inspections: list[tuple[str, str | None]] = []
        self.shown = io.StringIO()
        self.github: GitHub | None = None
        self.events: list[RunEvent] = []

    @property
    def session(self) -> Session:
        """Returns a new session, wired as `todo_release.session` does, with doubles."""
        context = ReleaseContext(
            repository=Repository(self.root),
            config=self.config,
            connect=self._connect,
            read_actor=lambda: "Rita <rita@example.com> on test",
            run_url=None,
            now=lambda: self.now,
        )
        return Session(
            context=context,
            registry=self.registry,  # type: ignore[arg-type]  # a double
            container_engine=lambda: self.engine,  # type: ignore[arg-type,return-value]  # a double
            lock_for=lambda version, environment, say: LockDouble(self.locks, environment),
            run_smoke=lambda settings, target, say: [
                CheckResult(
                    "home",
                    target.url not in self.failing_checks,
                    self.failing_checks.get(target.url, "200"),
                    0.1,
                )
            ],
            collect_evidence=lambda cluster, namespace, folder: folder,
            find_drift=lambda access: self.live_changes,
            find_deviations=DeviationFinder(
                self.config,
                self.registry,  # type: ignore[arg-type]  # a double
                lambda access: self.live_changes,
                lambda: NOW,
            ),
            find_builds=partial(find_builds, self.config, self.registry),  # type: ignore[arg-type]  # a double
            check_pull_access=lambda access, manifest, images: self.pull_checks.append(
                (access.name, sorted(images))
            ),
            inspect=self._inspect,
            ask=lambda question: self.answer,
            ask_to_overwrite=lambda question: self.answer,
            reporter=LineReporter(self.shown, can_ask=False),
            github=self.github,
        )

    def release(self, version: str) -> list[str]:
        """Releases a version and returns the ids of the steps that this run did."""
        session = self.session
        self.events.clear()
        session.run(session.plan_release(version), self.events.append)
        return self.done

    @property
    def done(self) -> list[str]:
        """Returns the ids of the steps that the last run did itself."""
        return [event.step.id for event in self.events if isinstance(event, StepEnded) and not event.was_done]

    def records(self, environment: str) -> RecordStore:
        """Returns the records of an environment."""
        return self._connect(environment).records

    def _overwrite_edits(self) -> None:
        self.live_changes = ()

    def _inspect(self, environment: str, version: str | None) -> Inspection:
        self.inspections.append((environment, version))
        return Inspection(
            environment=environment,
            version=version or "0.0.0",
            findings=self.findings.get(environment, ()),
            nodes=None,
            skips={},
            seconds=0.1,
        )

    def _connect(self, name: str) -> EnvironmentAccess:
        settings = self.config.environment(name)
        return EnvironmentAccess(
            name=name,
            settings=settings,
            cluster=self.cluster,  # type: ignore[arg-type]  # a double
            helm=self.helm[name],  # type: ignore[arg-type]  # a double
            records=RecordStore(
                self.cluster,  # type: ignore[arg-type]  # a double
                settings.namespace,
                settings.release,
                repair=RecordRepair(self.helm[name], settings.release, {}),
                on_note=self.notes.append,
            ),
        )


@contextmanager
def killed_after(harness: Harness, step: str) -> Iterator[None]:
    """Kills the run right after a step was recorded or, with a leading `~`, when it starts."""
    kind, step_id = (StepStarted if step.startswith("~") else StepEnded), step.removeprefix("~")

    class KillingEvents(list[RunEvent]):
        def append(self, event: RunEvent) -> None:
            super().append(event)
            if isinstance(event, kind) and event.step.id == step_id and not getattr(event, "was_done", False):
                raise KilledError

    harness.events = KillingEvents()
    try:
        yield
    except KilledError:
        pass
    else:
        raise AssertionError(f"the run ended without reaching {step}")
    finally:
        harness.events = []
