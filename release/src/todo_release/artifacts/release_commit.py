"""What a release changes in the repository: the files of its commit, computed before one of them is
touched.
"""

from collections.abc import Mapping
from pathlib import Path

from todo_release.adapters.git import Repository
from todo_release.artifacts import changelog, versions
from todo_release.artifacts.changelog import Fragment
from todo_release.artifacts.chart import ImageReference
from todo_release.config.model import Config
from todo_release.core import release_folder

Edits = dict[str, str | None]


def files(config: Config, version: str) -> tuple[str, ...]:
    """The files that the release of a version edits: Chart.yaml, the values file, the changelog if any."""
    own = (config.chart.file, config.chart.values)
    return (*own, config.changelog.file) if config.changelog and not _is_prerelease(version) else own


def edits(
    repository: Repository, config: Config, version: str, images: Mapping[str, ImageReference]
) -> Edits:
    """New text of each file that differs from the commit checked out; None for one that goes. Empty:
    committed.

    Raises:
        ConfigError: a file lacks what is to be edited, or a news fragment is none.
        RepositoryError: the commit lacks a file.
    """
    from todo_release.artifacts import (
        chart_edits,  # ruamel.yaml costs 50 ms, and a finished release edits nothing
    )

    head = repository.head()
    chart_file, values_file = config.chart.file, config.chart.values
    before = {path: repository.text_at(head, path) for path in (chart_file, values_file)}
    after: Edits = {
        chart_file: chart_edits.bump_chart(before[chart_file], chart_file, version),
        values_file: chart_edits.bump_values(
            before[values_file],
            values_file,
            {config.images[name].values: reference for name, reference in images.items()},
        ),
    }
    changed = {path: text for path, text in after.items() if text != before[path]}
    return changed | _news(repository, config, version, head)


def _news(repository: Repository, config: Config, version: str, head: str) -> Edits:
    """A pre-release leaves the fragments to the version it comes before."""
    if config.changelog is None or _is_prerelease(version):
        return {}
    file, folder = config.changelog.file, config.changelog.fragments
    old = repository.text_at(head, file) if file in repository.files_at(head, file) else ""
    fragments = fragments_at(repository, head, folder)
    # The day of the commit and not of the clock: a release that goes on tomorrow writes the same text.
    new = changelog.insert(old, version, repository.day_of(head), fragments)
    return {} if new == old else {file: new} | {fragment.path: None for fragment in fragments}


def notes_at(repository: Repository, config: Config, commit: str, version: str) -> str:
    """What the changelog of a commit says of a version; empty for a pre-release, and where none is kept."""
    if config.changelog is None or _is_prerelease(version):
        return ""
    return changelog.notes(repository.text_at(commit, config.changelog.file), version) or ""


def _is_prerelease(version: str) -> bool:
    return versions.parse(version).prerelease is not None


def fragments_at(repository: Repository, commit: str, folder: str) -> list[Fragment]:
    """The news fragments that a commit has.

    Raises:
        ConfigError: one of them is none.
    """
    paths = [path for path in repository.files_at(commit, folder) if not path.endswith("/.gitkeep")]
    return changelog.parse({path: repository.text_at(commit, path) for path in paths})


def is_applied(root: Path, changes: Edits, path: str) -> bool:
    """Whether a file of the work tree already is what the edits want."""
    target = root / path
    if path not in changes:
        return False
    text = changes[path]
    return not target.exists() if text is None else target.is_file() and target.read_bytes() == text.encode()


def apply(root: Path, changes: Edits) -> None:
    """Write each file at once or not at all, so that a kill leaves none half written."""
    # The scratch file lies in the ignored folder of the journal: a kill leaves nothing in the tree.
    scratch = root / release_folder.FOLDER / "scratch"
    scratch.parent.mkdir(exist_ok=True)
    for path, text in changes.items():
        target = root / path
        if text is None:
            target.unlink(missing_ok=True)
            continue
        scratch.write_text(text, encoding="utf-8", newline="")
        if target.exists():
            scratch.chmod(target.stat().st_mode)
        scratch.replace(target)
