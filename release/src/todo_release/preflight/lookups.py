"""Looks at what is neither chart nor cluster: registries, names, git, files. Nothing is changed.

What somebody else must answer has a few seconds; who is late counts as not seen.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from todo_release.adapters.git import Repository
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.adapters.registry.auth import DeniedError
from todo_release.adapters.registry.client import MissingError
from todo_release.adapters.registry.credentials import Credentials
from todo_release.adapters.registry.image_name import host_of, parse
from todo_release.artifacts import versions
from todo_release.config.model import FILE_NAME, Config, RegistrySettings
from todo_release.environments import pull_access
from todo_release.environments.environment import Access
from todo_release.errors import RegistryError
from todo_release.preflight.checks import migrations
from todo_release.preflight.snapshot import ImageLookup, Migration

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

PATIENCE_SECONDS = 5.0
WORK_FILES = (".github/workflows/*.yml", ".github/workflows/*.yaml", "k8s/**", FILE_NAME)
MOST_BYTES = 200_000
Connect = Callable[[str, Credentials | None], "Registry"]
Key = TypeVar("Key")
Found = TypeVar("Found")


def within(seconds: float, looks: Mapping[Key, Callable[[], Found]]) -> dict[Key, Found]:
    """Do all looks at the same time; the answers of those that came back in time. No look may raise."""
    answers: dict[Key, Found] = {}  # of daemon threads: a resolver that hangs must not keep the program alive

    def work(key: Key, look: Callable[[], Found]) -> None:
        answers[key] = look()

    threads = [threading.Thread(target=work, args=item, daemon=True) for item in looks.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def images(
    access: Access, settings: RegistrySettings, manifest: str, references: Iterable[str], connect: Connect
) -> dict[str, ImageLookup]:
    """Follow images down to their configuration, as the nodes will: with the pull secrets that the chart
    names.

    Raises:
        ClusterError: a pull secret could not be read.
        RegistryError: a pull secret is damaged.
    """
    names = pull_access.pull_secrets(manifest)
    wanted = set(references)
    hosts = {host_of(reference) for reference in wanted}
    credentials = {host: pull_access.credentials_of(access, names, host) for host in hosts}

    def look(reference: str) -> ImageLookup:
        return _look(reference, settings.platform, credentials[host_of(reference)], connect)

    found = within(PATIENCE_SECONDS, {one: partial(look, one) for one in wanted})
    late = f"its registry did not answer within {PATIENCE_SECONDS:.0f} s."
    return {one: found.get(one, ImageLookup(reference=one, unknown=late)) for one in wanted}


def _look(
    reference: str, platform: str, credentials: Mapping[str, Credentials], connect: Connect
) -> ImageLookup:
    host, repository, version = parse(reference)
    refusals = []
    tried: list[tuple[str, Credentials | None]] = [*credentials.items()] or [("", None)]
    for secret, each in tried:
        try:
            with connect(host, each) as registry:
                registry.resolve(repository, version, platform)
        except MissingError as missing:
            return ImageLookup(reference=reference, missing=missing.problem)
        except DeniedError as denied:
            refusals.append(f"with {secret}: {denied.problem}" if secret else denied.problem)
        except RegistryError as unknown:
            return ImageLookup(reference=reference, unknown=unknown.problem)
        else:
            return ImageLookup(reference=reference)
    if not credentials:
        return ImageLookup(
            reference=reference, unknown=f"it is not public, and no pull secret is for {host}. {refusals[0]}"
        )
    return ImageLookup(
        reference=reference, denied=f"The cluster cannot pull {reference}: {' '.join(refusals)}"
    )


def addresses(hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Addresses of hosts, none for one that does not exist; hosts that could not be asked for are left
    out.
    """
    found = within(PATIENCE_SECONDS, {host: partial(_addresses, host) for host in set(hosts) if host})
    return {host: known for host, known in found.items() if known is not None}


def _addresses(host: str) -> tuple[str, ...] | None:
    try:
        answers = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except socket.gaierror as error:
        return () if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)} else None
    return tuple(sorted({str(answer[4][0]) for answer in answers}))


def pending_migrations(
    repository: Repository, config: Config, running: str | None, commit: str | None
) -> list[Migration] | None:
    """The migrations that a version (`commit`, or the work tree) has and the running one has not; None when
    the running version is no release that is known here.
    """
    if running is None or not config.migrations:
        return []
    before = repository.tags().get(versions.TAG_PREFIX + running)
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
    inputs = sorted({path for image in config.images.values() for path in image.inputs})
    apart = {*config.migrations, *(path for image in config.images.values() for path in image.exclude)}

    def mentions(text: str) -> dict[tuple[str, ...], str]:
        found = {
            names: repository.mentions(before, names, inputs, sorted(apart))
            for names in migrations.names(text)
        }
        return {names: places[0] for names, places in found.items() if places}

    return [Migration(path=path, text=text, mentions=mentions(text)) for path, text in texts.items() if text]


def contracts(root: Path, config: Config) -> dict[str, JsonObject]:
    """The OpenAPI documents that release.yaml names, by image; one that cannot be read counts as none."""
    found = {}
    for name, image in config.images.items():
        if image.contract:
            try:
                found[name] = json.loads(_text(root / image.contract))
            except ValueError:
                continue
    return found


def files(repository: Repository) -> dict[str, str]:
    """Texts of the work tree that a release is made with: workflows, bootstrap, release.yaml."""
    return {path: _text(repository.root / path) for path in repository.files(WORK_FILES)}


def _text(path: Path) -> str:
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
