"""Runs the Helm program (4, or 3.17 and later): render, upgrade, roll back.

An upgrade neither waits for readiness nor rolls back by itself: Helm's own wait reports nothing until its
time is over, and its rollback deletes the evidence. `environments.rollout.watcher` watches the pods and the
pipeline decides. The history of a release is read from `helm.storage`.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from todo_release.adapters import process
from todo_release.adapters.helm.definitions import mentions, read_definitions
from todo_release.adapters.helm.storage import ReleaseRecords, Revision
from todo_release.adapters.kubernetes import discovery
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.manifest import check_metadata
from todo_release.adapters.kubernetes.retry import retried
from todo_release.core.fence import Fence
from todo_release.errors import ClusterError, CommandError, HelmError

HISTORY_MAX = 20
OLDEST = (3, 17)
UNKNOWN_KIND = re.compile(r"no matches for kind|ensure CRDs are installed first")
UNREADABLE = re.compile("unable to decode|cannot unmarshal")
NOT_NOW = re.compile(r"another operation \(.*\) is in progress|has no deployed releases")
ERROR_LINES = re.compile(r"(?:^|ended with code \d+: )((?:Error|level=ERROR msg=).*)", re.MULTILINE)

# What this dry run does besides rendering is left to preflight, which tells it with a remedy.
SERVER_DRY_RUN = ("--dry-run=server", "--disable-openapi-validation", "--take-ownership")

# Flags of single major versions. Helm 4 applies on the server for releases that it created and on the client
# for older ones, so the side is stated. It takes over fields that others changed, because the plan has shown
# them before.
MAJOR_FLAGS: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    3: {
        "template": ("--validate", *SERVER_DRY_RUN),
        "template-of-unknown-kinds": ("--dry-run=server",),  # this one still looks things up
        "upgrade": (),
        "rollback": (),
    },
    4: {
        "template": SERVER_DRY_RUN,
        "template-of-unknown-kinds": (),
        "upgrade": ("--server-side=true", "--force-conflicts", "--wait=hookOnly"),
        "rollback": ("--server-side=true", "--force-conflicts", "--wait=hookOnly"),
    },
}


class HelmVersion(NamedTuple):
    """A version of Helm."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """Returns `4.2.4`."""
        return f"{self.major}.{self.minor}.{self.patch}"


class Helm:
    """Helm in one namespace of one cluster; `records` are its own records of the releases there."""

    def __init__(
        self,
        context: str | None,
        namespace: str,
        kubeconfig: Path | None = None,
        *,
        cluster: Cluster,
        program: str = "helm",
        fence: Fence | None = None,
    ) -> None:
        """Takes the `cluster` that the context leads to; `context` None is the kubeconfig's current one.

        When the `fence` closes, a running Helm is killed. Nothing is started or read yet.
        """
        self._context = context
        self._namespace = namespace
        self._kubeconfig = kubeconfig
        self._program = program
        self._fence = fence or Fence()
        self._cluster = cluster
        self.records = ReleaseRecords(cluster, namespace)

    def version(self) -> HelmVersion:
        """Returns the version of the program.

        Raises:
            HelmError: The engine does not support this version.
            CommandError: There is no such program.
        """
        return self._version

    @cached_property
    def _version(self) -> HelmVersion:
        answer = process.run([self._program, "version", "--template", "{{.Version}}"]).stdout
        # Helm that was built by `go install` does not know its patch.
        match = re.search(r"v(\d+)\.(\d+)(?:\.(\d+))?", answer)
        version = HelmVersion(*map(int, match.groups("0"))) if match else None
        if version is None or version.major not in MAJOR_FLAGS or version < OLDEST:
            raise HelmError(
                f"Helm {version or answer.strip()!s} is not supported.",
                remedy="Install Helm 4, or 3.17 or later.",
            )
        return version

    def template(
        self,
        release: str,
        chart: Path,
        *,
        values: Sequence[Path] = (),
        overlay: Mapping[str, Any] | None = None,
    ) -> str:
        """Renders a chart as `upgrade` would apply it now, hooks included; nothing is changed.

        Helm reads the cluster for it: its version, what it serves, and what templates look up. Where Helm
        cannot, because the chart brings its own kinds, it is told of version and kinds. A cluster that cannot
        be asked is left out: templates then see Helm's defaults and an install.

        Raises:
            HelmError: The chart or its values are wrong.
        """
        with _overlay_file(overlay) as extra:
            arguments = ["template", release, str(chart), *_files(values, extra)]
            try:
                is_upgrade = bool(self.records.statuses(release))
            except ClusterError:
                return self._run([*arguments, "--namespace", self._namespace], timeout_seconds=120)
            arguments += self._target
            if is_upgrade:
                arguments.append("--is-upgrade")
                if mentions(chart, b".Revision") and (rendered := self._upgrade_dry_run(arguments[1:-1])):
                    return rendered
            flags = MAJOR_FLAGS[self._version.major]
            try:
                return self._run([*arguments, *flags["template"]], timeout_seconds=120)
            except HelmError as error:
                if UNREADABLE.search(error.problem):
                    check_metadata(self._run(arguments, timeout_seconds=120))
                if not UNKNOWN_KIND.search(error.problem):
                    raise
            arguments += [*flags["template-of-unknown-kinds"], *self._capabilities(chart)]
            return self._run(arguments, timeout_seconds=120)

    def _upgrade_dry_run(self, arguments: list[str]) -> str | None:
        """Returns what `template` prints, with the number of the next revision; None if Helm cannot say yet.

        `helm template` always renders revision 1. This takes Helm three times as long.
        """
        options = [*SERVER_DRY_RUN, "--output", "json"]
        try:
            answer = json.loads(self._run(["upgrade", *arguments, *options], timeout_seconds=120))
        except HelmError as error:
            if NOT_NOW.search(error.problem) or UNKNOWN_KIND.search(error.problem):
                return None
            raise
        hooks = [f"---\n# Source: {hook['path']}\n{hook['manifest']}\n" for hook in answer.get("hooks") or ()]
        return "\n".join([str(answer["manifest"]).strip(), *hooks])

    def _capabilities(self, chart: Path) -> list[str]:
        """Returns the options that tell Helm what the cluster is, with the kinds that the chart brings."""
        own = {version for definition in read_definitions(chart) for version in definition.api_versions}
        served = sorted(own | set(discovery.read_api_versions(self._cluster)))
        return ["--kube-version", discovery.read_version(self._cluster), "--api-versions", ",".join(served)]

    def upgrade(
        self,
        release: str,
        chart: Path,
        *,
        values: Sequence[Path] = (),
        overlay: Mapping[str, Any] | None = None,
        timeout_seconds: float,
        description: str = "",
        has_hooks: bool = True,
        on_line: Callable[[str], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        """Installs or upgrades a release.

        Returns when its hooks, unless `has_hooks` is false, have run and its objects are applied, ready or
        not. Setting `cancel` from another thread ends Helm; the release then stays `pending-*` until it is
        unlocked.

        Raises:
            HelmError: Helm refused, a hook failed, or it was cancelled.
            LockedError: The lock was lost, or could not be renewed for too long.
        """
        with _overlay_file(overlay) as extra:
            self._stream(
                [
                    "upgrade", "--install", release, str(chart), *_files(values, extra), "--history-max",
                    str(HISTORY_MAX), "--description", description, "--timeout", f"{timeout_seconds:.0f}s",
                    *MAJOR_FLAGS[self._version.major]["upgrade"], *(() if has_hooks else ("--no-hooks",)),
                ],
                timeout_seconds=timeout_seconds * 2,  # Helm's limit holds for each hook phase
                on_line=on_line,
                cancel=cancel,
            )  # fmt: skip

    def rollback(
        self,
        release: str,
        revision: int,
        *,
        timeout_seconds: float,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Rolls back to an earlier revision; returns when its objects are applied, ready or not.

        Raises:
            HelmError: Helm refused or a hook failed.
            LockedError: As `upgrade`.
        """
        self._stream(
            [
                "rollback", release, str(revision),
                "--history-max", str(HISTORY_MAX), "--timeout", f"{timeout_seconds:.0f}s",
                *MAJOR_FLAGS[self._version.major]["rollback"],
            ],
            timeout_seconds=timeout_seconds * 2,
            on_line=on_line,
        )  # fmt: skip

    def uninstall(self, release: str, *, timeout_seconds: float) -> None:
        """Removes a release that never worked, so that its first install can be tried again.

        Raises:
            HelmError: Helm refused.
        """
        self._fence.check()
        self._run(["uninstall", release, *self._target], timeout_seconds=timeout_seconds)

    def history(self, release: str) -> list[Revision]:
        """See `ReleaseRecords.history`."""
        return self.records.history(release)

    def newest(self, release: str) -> Revision | None:
        """See `ReleaseRecords.newest`."""
        return self.records.newest(release)

    def statuses(self, release: str) -> dict[int, str]:
        """See `ReleaseRecords.statuses`."""
        return self.records.statuses(release)

    def began_at(self, release: str, revision: int) -> datetime | None:
        """See `ReleaseRecords.began_at`."""
        return self.records.began_at(release, revision)

    def revision(self, release: str, number: int) -> Revision | None:
        """See `ReleaseRecords.revision`."""
        return self.records.revision(release, number)

    def manifest(self, release: str, revision: int | None = None) -> str:
        """See `ReleaseRecords.manifest`."""
        return self.records.manifest(release, revision)

    def values(self, release: str, revision: int | None = None) -> dict[str, Any]:
        """See `ReleaseRecords.values`."""
        return self.records.values(release, revision)

    def unlock(self, release: str) -> Revision | None:
        """See `ReleaseRecords.unlock`; tried again while the API server is away."""
        return retried(lambda: self.records.unlock(release))

    def mark_failed(self, release: str, revision: int, description: str) -> None:
        """See `ReleaseRecords.mark_failed`; tried again while the API server is away."""
        retried(lambda: self.records.mark_failed(release, revision, description))

    @property
    def _target(self) -> list[str]:
        target = ["--namespace", self._namespace]
        if self._context:
            target += ["--kube-context", self._context]
        if self._kubeconfig:
            target += ["--kubeconfig", str(self._kubeconfig)]
        return target

    def _run(self, arguments: list[str], *, timeout_seconds: float) -> str:
        try:
            return process.run([self._program, *arguments], timeout_seconds=timeout_seconds).stdout
        except CommandError as error:
            raise _helm_error(arguments, error) from error

    def _stream(
        self,
        arguments: list[str],
        *,
        timeout_seconds: float,
        on_line: Callable[[str], None] | None,
        cancel: threading.Event | None = None,
    ) -> None:
        try:
            process.stream(
                [self._program, *arguments, *self._target],
                on_line or (lambda _line: None),
                timeout_seconds=timeout_seconds,
                cancel=cancel,
                with_children=True,
                fence=self._fence,
            )
        except CommandError as error:
            raise _helm_error(arguments, error) from error


@contextmanager
def _overlay_file(overlay: Mapping[str, Any] | None) -> Iterator[Path]:
    """Writes the engine's own values as the last values file: it needs none of the quoting of `--set`."""
    with tempfile.TemporaryDirectory(prefix="todo-release-") as folder:
        path = Path(folder, "overlay.yaml")
        # JSON quotes every text; PyYAML writes `y` and `1e3`, which Helm reads as a boolean and a number.
        path.write_text(json.dumps(dict(overlay or {}), ensure_ascii=False), encoding="utf-8")
        yield path


def _files(values: Sequence[Path], overlay: Path) -> list[str]:
    return [part for path in (*values, overlay) for part in ("--values", str(path))]


def _helm_error(arguments: list[str], error: CommandError) -> HelmError:
    reasons = ERROR_LINES.findall(error.problem)
    return HelmError(
        f"helm {arguments[0]} failed: {reasons[-1] if reasons else error.problem}",
        remedy="Correct the chart, its values or the cluster as Helm says, then run the same command again.",
    )
