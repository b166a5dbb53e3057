"""The archives of third-party charts: from a local mirror, or fetched once by Helm; checked by digest."""

import hashlib
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from todo_cluster.config.components import ChartSource
from todo_cluster.errors import BootstrapError
from todo_release.adapters import process
from todo_release.errors import CommandError

PULL_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is on this machine: its unpacked folder, its archive's digest, and where it came from."""

    folder: Path
    sha256: str
    origin: str


class Charts:
    """Charts by their source; `mirror` is looked into before any repository is asked."""

    def __init__(self, cache: Path, mirror: Path | None) -> None:
        """`cache` keeps what was fetched; nothing is read yet."""
        self._cache = cache
        self._mirror = mirror
        self._known: dict[str, Chart] = {}

    def origin(self, source: ChartSource) -> str:
        """Returns where a chart would come from, in words for people."""
        mirrored = self._mirror / source.archive if self._mirror else None
        return str(mirrored) if mirrored and mirrored.is_file() else source.repository

    def get(self, source: ChartSource) -> Chart:
        """Returns a chart, fetched if need be.

        Raises:
            BootstrapError: It cannot be fetched, or is not the one whose digest is configured.
        """
        if source.archive not in self._known:
            archive = self._archive(source)
            digest = hashlib.sha256(archive.read_bytes()).hexdigest()
            if source.sha256 not in {None, digest}:
                raise BootstrapError(
                    f"The chart {archive} has the digest {digest}, not {source.sha256}.",
                    remedy="Somebody replaced it, or cluster.yaml has a typing error: compare with the "
                    "repository's index; delete the file to fetch it again.",
                )
            folder = _unpack(archive, self._cache / f"{source.name}-{source.version}", source.name, digest)
            self._known[source.archive] = Chart(folder, digest, self.origin(source))
        return self._known[source.archive]

    def _archive(self, source: ChartSource) -> Path:
        if self._mirror and (self._mirror / source.archive).is_file():
            return self._mirror / source.archive
        archive = self._cache / source.archive
        if not archive.is_file():
            self._pull(source)
        return archive

    def _pull(self, source: ChartSource) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        place = (
            [f"{source.repository}/{source.name}"]
            if source.repository.startswith("oci:")
            else [source.name, "--repo", source.repository]
        )
        command = ["helm", "pull", *place, "--version", source.version, "--destination", str(self._cache)]
        try:
            process.run(command, timeout_seconds=PULL_SECONDS)
        except CommandError as error:
            raise BootstrapError(
                f"The chart {source.name} {source.version} cannot be fetched: {error.problem}",
                remedy=f"Check the network, or put {source.archive} into a folder and name it under "
                "charts.mirror in cluster.yaml.",
            ) from error


def _unpack(archive: Path, folder: Path, name: str, digest: str) -> Path:
    """Unpacks an archive, unless the folder has been made of exactly this one."""
    marker = folder / ".digest"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != digest:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise BootstrapError(
                f"The chart {archive} cannot be unpacked: {error}.", remedy="Delete it, to fetch it again."
            ) from error
        marker.write_text(digest, encoding="utf-8")
    return folder / name
