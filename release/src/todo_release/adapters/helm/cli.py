"""Runs the Helm program (4, or 3.17 and later): render, upgrade, roll back.

An upgrade neither waits for readiness nor rolls back by itself: Helm's own wait reports nothing until its
time is over, and its rollback deletes the evidence. `environments.rollout.watcher` watches the pods and the
pipeline decides. The history of a release is read from `helm.storage`.
"""

import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from todo_release.adapters import process
from todo_release.adapters.helm.storage import ReleaseRecords, Revision
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.errors import CommandError, HelmError

HISTORY_MAX = 20
OLDEST = (3, 17)
ERROR_LINES = re.compile(r"^(?:Error|level=ERROR msg=).*", re.MULTILINE)

# Flags of single major versions. Helm 4 applies on the server for releases that it created and on the client
# for older ones, so the side is stated. It takes over fields that others changed, because the plan has shown
# them before.
MAJOR_FLAGS: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    3: {"upgrade": (), "rollback": ()},
    4: {
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
    ) -> None:
        """Takes the `cluster` that the context leads to; `context` None is the kubeconfig's current one.

        Nothing is started or read yet.
        """
        self._context = context
        self._namespace = namespace
        self._kubeconfig = kubeconfig
        self._program = program
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
        match = re.search(r"v(\d+)\.(\d+)\.(\d+)", answer)
        version = HelmVersion(*map(int, match.groups())) if match else None
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
        """Renders a chart without a cluster, hooks included.

        Raises:
            HelmError: The chart or its values are wrong.
        """
        with _overlay_file(overlay) as extra:
            arguments = [
                "template",
                release,
                str(chart),
                "--namespace",
                self._namespace,
                *_files(values, extra),
            ]
            return self._run(arguments, timeout_seconds=120)

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
        self._run(["uninstall", release, *self._target], timeout_seconds=timeout_seconds)

    def history(self, release: str) -> list[Revision]:
        """See `ReleaseRecords.history`."""
        return self.records.history(release)

    def manifest(self, release: str, revision: int | None = None) -> str:
        """See `ReleaseRecords.manifest`."""
        return self.records.manifest(release, revision)

    def values(self, release: str, revision: int | None = None) -> dict[str, Any]:
        """See `ReleaseRecords.values`."""
        return self.records.values(release, revision)

    def unlock(self, release: str) -> Revision | None:
        """See `ReleaseRecords.unlock`."""
        return self.records.unlock(release)

    def mark_failed(self, release: str, revision: int, description: str) -> None:
        """See `ReleaseRecords.mark_failed`."""
        self.records.mark_failed(release, revision, description)

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
            )
        except CommandError as error:
            raise _helm_error(arguments, error) from error


@contextmanager
def _overlay_file(overlay: Mapping[str, Any] | None) -> Iterator[Path]:
    """Writes the engine's own values as the last values file: it needs none of the quoting of `--set`."""
    with tempfile.TemporaryDirectory(prefix="todo-release-") as folder:
        path = Path(folder, "overlay.yaml")
        path.write_text(yaml.safe_dump(dict(overlay or {})))
        yield path


def _files(values: Sequence[Path], overlay: Path) -> list[str]:
    return [part for path in (*values, overlay) for part in ("--values", str(path))]


def _helm_error(arguments: list[str], error: CommandError) -> HelmError:
    reasons = ERROR_LINES.findall(error.problem)
    return HelmError(
        f"helm {arguments[0]} failed: {reasons[-1] if reasons else error.problem}",
        remedy="Correct the chart, its values or the cluster as Helm says, then run the same command again.",
    )
