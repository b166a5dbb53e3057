"""Looks up what neither chart nor cluster says: registries, DNS, git and files. Nothing is changed.

Other servers have a few seconds to answer; an answer that comes later counts as unknown.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from todo_release.adapters import pathspec
from todo_release.adapters.git import Repository
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.registry.auth import RegistryDeniedError
from todo_release.adapters.registry.client import ImageNotFoundError, RegistryUnreachableError
from todo_release.adapters.registry.credentials import Credentials
from todo_release.adapters.registry.image_name import host_of, split_reference
from todo_release.config.model import FILE_NAME, Config, RegistrySettings
from todo_release.config.preflight import PreflightSettings
from todo_release.environments import pull_access
from todo_release.environments.environment import EnvironmentAccess
from todo_release.errors import RegistryError
from todo_release.preflight.checks import migrations
from todo_release.preflight.snapshot import ImageLookup, Migration

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

TIMEOUT_SECONDS = 5.0
WORKFLOW_FILES = (
    ".github/workflows/*.yml",
    ".github/workflows/*.yaml",
    ".github/actions/**/action.yml",
    ".github/actions/**/action.yaml",
)
MAX_FILE_BYTES = 200_000
ConnectToHost = Callable[[str, Credentials | None], "Registry"]
_Key = TypeVar("_Key")
_Answer = TypeVar("_Answer")


def within(seconds: float, lookups: Mapping[_Key, Callable[[], _Answer]]) -> dict[_Key, _Answer]:
    """Runs all lookups in parallel and returns the answers that came in time. No lookup may raise."""
    answers: dict[_Key, _Answer] = {}

    def run(key: _Key, lookup: Callable[[], _Answer]) -> None:
        answers[key] = lookup()

    # Daemon threads, because a resolver that hangs must not keep the program running.
    threads = [threading.Thread(target=run, args=item, daemon=True) for item in lookups.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def images(
    access: EnvironmentAccess,
    settings: RegistrySettings,
    manifest: str,
    references: Iterable[str],
    connect: ConnectToHost,
    *,
    unreachable: MutableMapping[str, str],
) -> dict[str, ImageLookup]:
    """Looks images up as the nodes will: down to their configuration, with the chart's pull secrets.

    `unreachable` says of registries, by host, why they did not answer; those that are found not to answer are
    added. None of them is asked again, except for the release's own registry.

    Raises:
        ClusterError: a pull secret could not be read.
        RegistryError: a pull secret is damaged.
    """
    secret_names = pull_access.find_pull_secrets(manifest)
    wanted = {reference for reference in references if host_of(reference) not in unreachable}
    hosts = {host_of(reference) for reference in wanted}
    credentials = {host: pull_access.read_pull_credentials(access, secret_names, host) for host in hosts}

    def look_up(reference: str) -> ImageLookup:
        return _look_up_image(reference, settings.platform, credentials[host_of(reference)], connect)

    answers = within(TIMEOUT_SECONDS, {reference: partial(look_up, reference) for reference in wanted})
    late = f"its registry did not answer within {TIMEOUT_SECONDS:.0f} s."
    for reference in wanted:
        answer = answers.setdefault(
            reference, ImageLookup(reference=reference, unknown=late, is_unreachable=True)
        )
        if answer.is_unreachable and host_of(reference) != settings.host:
            unreachable[host_of(reference)] = answer.unknown
    for reference in set(references) - wanted:
        answers[reference] = ImageLookup(
            reference=reference, unknown=unreachable[host_of(reference)], is_unreachable=True
        )
    return answers


def _look_up_image(
    reference: str, platform: str, credentials: Mapping[str, Credentials], connect: ConnectToHost
) -> ImageLookup:
    host, repository, version = split_reference(reference)
    refusals = []
    attempts: list[tuple[str, Credentials | None]] = [*credentials.items()] or [("", None)]
    for secret, login in attempts:
        try:
            with connect(host, login) as registry:
                registry.resolve(repository, version, platform)
        except ImageNotFoundError as missing:
            return ImageLookup(reference=reference, missing=missing.problem)
        except RegistryDeniedError as denied:
            refusals.append(f"with {secret}: {denied.problem}" if secret else denied.problem)
        except RegistryError as unknown:
            is_unreachable = isinstance(unknown, RegistryUnreachableError)
            return ImageLookup(reference=reference, unknown=unknown.problem, is_unreachable=is_unreachable)
        else:
            return ImageLookup(reference=reference)
    if not credentials:
        return ImageLookup(
            reference=reference, unknown=f"it is not public, and no pull secret is for {host}. {refusals[0]}"
        )
    return ImageLookup(
        reference=reference, denied=f"The cluster cannot pull {reference}: {' '.join(refusals)}"
    )


def anonymous_refusal(settings: RegistrySettings, image: str, connect: ConnectToHost) -> str:
    """Returns why an image of the release cannot be pulled without credentials; empty when it can."""

    def ask() -> str:
        try:
            with connect(settings.host, None) as registry:
                registry.digest(settings.path(image), "latest")
        except RegistryError as refusal:
            return refusal.problem
        return ""

    late = f"{settings.host} did not answer within {TIMEOUT_SECONDS:.0f} s."
    return within(TIMEOUT_SECONDS, {image: ask}).get(image, late)


def addresses(hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Resolves hosts: no address for one that does not exist, no entry for one that could not be resolved."""
    answers = within(TIMEOUT_SECONDS, {host: partial(_resolve, host) for host in set(hosts) if host})
    return {host: resolved for host, resolved in answers.items() if resolved is not None}


def _resolve(host: str) -> tuple[str, ...] | None:
    try:
        answers = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except socket.gaierror as error:
        return () if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)} else None
    return tuple(sorted({str(answer[4][0]) for answer in answers}))


def pending_migrations(
    repository: Repository, config: Config, running: str | None, commit: str | None
) -> list[Migration] | None:
    """Returns the migrations that a version has and the running version does not have.

    Args:
        repository: The git repository.
        config: release.yaml.
        running: The version that is deployed, None for a first release.
        commit: The commit of the version, None for the work tree.

    Returns:
        The migrations; None when the running version has no tag in this repository.
    """
    if running is None or not config.migrations:
        return []
    before = repository.tags().get(config.tag_prefix + running)
    if before is None:
        return None
    if commit is None:
        changed = repository.changed_since(before, config.migrations)
        texts = {path: _text(repository.root / path) for path in changed}
    else:
        changed = repository.changed_between(before, commit, config.migrations)
        texts = {
            path: repository.text_at(commit, path) for path in changed if repository.files_at(commit, path)
        }
    return [
        Migration(path=path, text=text, mentions=_mentions(repository, config, before, text))
        for path, text in texts.items()
        if text
    ]


def migration_scripts(repository: Repository, config: Config, commit: str | None) -> dict[str, str]:
    """Returns the texts of all migrations by path: of a commit, or of the work tree."""
    if not config.migrations:
        return {}
    if commit is None:
        return {path: _text(repository.root / path) for path in repository.files(config.migrations)}
    paths = pathspec.select(repository.files_at(commit, "."), config.migrations)
    with TemporaryDirectory(prefix=f"{config.name}-migrations-") as folder:
        repository.export(commit, paths, Path(folder))
        return {path: _text(Path(folder) / path) for path in paths}


def _mentions(
    repository: Repository, config: Config, commit: str, migration: str
) -> dict[tuple[str, ...], str]:
    """Returns the first place in the code of a commit for each table or column that a migration affects."""
    include = sorted({path for image in config.images.values() for path in image.inputs})
    exclude = sorted(
        {*config.migrations, *(path for image in config.images.values() for path in image.exclude)}
    )
    mentions = {}
    for names in migrations.affected_names(migration):
        places = repository.mentions(commit, names, include, exclude)
        if places:
            mentions[names] = places[0]
    return mentions


def contracts(root: Path, config: Config) -> dict[str, JsonObject]:
    """Returns the OpenAPI documents that release.yaml names, by image; unreadable ones are left out."""
    documents = {}
    for name, image in config.images.items():
        if image.contract:
            try:
                documents[name] = json.loads(_text(root / image.contract))
            except ValueError:
                continue
    return documents


def files(repository: Repository, settings: PreflightSettings) -> dict[str, str]:
    """Returns the texts of workflows, actions, files that name the cluster, and release.yaml, by path."""
    pathspecs = (*WORKFLOW_FILES, *settings.cluster_files, FILE_NAME)
    return {path: _text(repository.root / path) for path in repository.files(pathspecs)}


def _text(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
