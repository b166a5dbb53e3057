"""The release commit: the files that a release changes in the repository, computed before any is written."""

from collections.abc import Mapping
from pathlib import Path

from todo_release.adapters.git import Repository
from todo_release.artifacts import changelog, versions
from todo_release.artifacts.changelog import Fragment
from todo_release.artifacts.chart import ImageReference
from todo_release.config.model import Config
from todo_release.core import release_folder

FileEdits = dict[str, str | None]
"""New text of each file by path; None for a file to delete."""


def edited_files(config: Config, version: str) -> tuple[str, ...]:
    """Returns the files that a release edits: Chart.yaml, the values file, the changelog if there is one."""
    chart_files = (config.chart.file, config.chart.values)
    if config.changelog is None or _is_prerelease(version):
        return chart_files
    return (*chart_files, config.changelog.file)


def message(version: str) -> str:
    """Returns the message of the commit of a version."""
    return f"release: {version}."


def written_paths(config: Config, version: str) -> tuple[str, ...]:
    """Returns pathspecs of everything that the commit of a version may change."""
    fragments = (config.changelog.fragments,) if config.changelog and not _is_prerelease(version) else ()
    return (*edited_files(config, version), *fragments)


def compute_edits(
    repository: Repository, config: Config, version: str, images: Mapping[str, ImageReference]
) -> FileEdits:
    """Returns the edits against the commit that is checked out; empty when the release is committed.

    Raises:
        ConfigError: A file lacks a key to edit, or a news fragment is not valid.
        RepositoryError: The commit lacks a file.
    """
    from todo_release.artifacts import chart_edits  # slow: ruamel.yaml costs 50 ms, and only a release edits

    head = repository.head()
    chart_file, values_file = config.chart.file, config.chart.values
    before = {path: repository.text_at(head, path) for path in (chart_file, values_file)}
    after: FileEdits = {
        chart_file: chart_edits.set_version(before[chart_file], chart_file, version),
        values_file: chart_edits.set_images(
            before[values_file],
            values_file,
            config,
            images,
            versions.tag_of(versions.parse(version), config.tag_prefix),
        ),
    }
    changed = {path: text for path, text in after.items() if text != before[path]}
    return changed | _changelog_edits(repository, config, version, head)


def _changelog_edits(repository: Repository, config: Config, version: str, head: str) -> FileEdits:
    """Returns the edits of changelog and fragments; a pre-release leaves fragments to its final version."""
    if config.changelog is None or _is_prerelease(version):
        return {}
    file, folder = config.changelog.file, config.changelog.fragments
    old = repository.text_at(head, file) if file in repository.files_at(head, file) else ""
    fragments = read_fragments(repository, head, folder)
    # The day of the commit and not of the clock: a release that is resumed tomorrow writes the same text.
    new = changelog.insert_section(old, version, repository.day_of(head), fragments)
    return {} if new == old else {file: new} | {fragment.path: None for fragment in fragments}


def read_notes(repository: Repository, config: Config, commit: str, version: str) -> str:
    """Returns a version's notes in a commit's changelog; empty for a pre-release or without a changelog."""
    if config.changelog is None or _is_prerelease(version):
        return ""
    return changelog.find_notes(repository.text_at(commit, config.changelog.file), version) or ""


def _is_prerelease(version: str) -> bool:
    return versions.parse(version).prerelease is not None


def read_fragments(repository: Repository, commit: str, folder: str) -> list[Fragment]:
    """Returns the news fragments in a commit.

    Raises:
        ConfigError: A file of the folder is not a valid fragment.
    """
    texts = repository.texts_at(commit, folder)
    return changelog.parse_fragments(
        {path: text for path, text in texts.items() if not path.endswith("/.gitkeep")}
    )


def is_applied(root: Path, edits: FileEdits, path: str) -> bool:
    """Returns True when a file of the work tree is already as the edits want it."""
    target = root / path
    if path not in edits:
        return False
    text = edits[path]
    return not target.exists() if text is None else target.is_file() and target.read_bytes() == text.encode()


def apply_edits(root: Path, edits: FileEdits) -> None:
    """Writes each file completely or not at all, so that a kill leaves no file half written."""
    # The scratch file lies in the journal's ignored folder: after a kill, nothing is left in the tree.
    scratch = release_folder.create(root / release_folder.RELEASE_FOLDER) / "scratch"
    for path, text in edits.items():
        target = root / path
        if text is None:
            target.unlink(missing_ok=True)
            continue
        scratch.write_text(text, encoding="utf-8", newline="")
        if target.exists():
            scratch.chmod(target.stat().st_mode)
        scratch.replace(target)
