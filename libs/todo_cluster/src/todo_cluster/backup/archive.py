"""Keeps backups in a folder or an S3-compatible bucket: encrypted files, and a manifest that is written last.

A backup without a manifest is not complete and is never offered. Files are encrypted to public age keys, so
the machine that makes backups cannot open them.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store
from pydantic import BaseModel, ValidationError

from todo_cluster.backup.table_sums import TableSum
from todo_cluster.config.backup import BackupSettings
from todo_cluster.errors import BackupError

MANIFEST = "manifest.json"
S3 = "s3://"


class SavedFile(BaseModel):
    """One encrypted file; `sha256` is of what is stored."""

    name: str
    sha256: str
    size: int


class BackupManifest(BaseModel):
    """What a backup holds; it is not encrypted and has no contents."""

    application: str
    environment: str
    created_at: datetime
    server_version: int
    tool_major: int
    tables: dict[str, TableSum]
    secrets: tuple[str, ...]
    files: tuple[SavedFile, ...]

    @property
    def name(self) -> str:
        """The name of the backup: when it was made."""
        return f"{self.created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


class Archive:
    """The backups of one environment of an application."""

    def __init__(self, store: LocalStore | S3Store, place: str, application: str, environment: str) -> None:
        """Takes the `place` that messages show."""
        self._store: Any = store
        self.place = place
        self._prefix = f"{application}/{environment}"

    @classmethod
    def open(
        cls, settings: BackupSettings, root: Path, application: str, environment: str, target: str = ""
    ) -> "Archive":
        """Opens the folder or bucket of the settings, or another `target`; nothing is sent yet.

        Raises:
            BackupError: None is named, or it cannot be used.
        """
        place = target or settings.target or ""
        if not place:
            raise BackupError(
                "It is not said where backups are.",
                remedy="Set backup.target in cluster.yaml, or use --target.",
            )
        try:
            if place.startswith(S3):
                options: dict[str, Any] = {"region": settings.region}
                if settings.endpoint:
                    options["endpoint"] = settings.endpoint
                    options["client_options"] = {"allow_http": settings.endpoint.startswith("http:")}
                client = options.pop("client_options", None)
                store: LocalStore | S3Store = S3Store.from_url(place, client_options=client, **options)
            else:
                folder = root / place
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                store = LocalStore(folder)
        except (BaseError, OSError, ValueError) as error:
            raise BackupError(
                f"{place} cannot be used: {error}.", remedy="Name a folder, or s3://BUCKET/PREFIX."
            ) from error
        return cls(store, place, application, environment)

    def names(self) -> list[str]:
        """Returns the names of the complete backups, the newest last.

        Raises:
            BackupError: The place did not answer or refused.
        """
        entries = self._ask(lambda: self._store.list(f"{self._prefix}/").collect())
        paths = [str(entry["path"]).split("/") for entry in entries]
        return sorted(path[-2] for path in paths if path[-1] == MANIFEST)

    def manifest(self, name: str) -> BackupManifest:
        """Returns what a backup holds; `latest` is the newest one.

        Raises:
            BackupError: There is no such backup, or its manifest is damaged.
        """
        names = self.names()
        chosen = names[-1] if name == "latest" and names else name
        if chosen not in names:
            raise BackupError(
                f"There is no complete backup {name!r} in {self.place}/{self._prefix}.",
                remedy=f"Choose one of: {', '.join(names) or 'none, make one with `inv backup`'}.",
            )
        text = self._ask(lambda: bytes(self._store.get(f"{self._prefix}/{chosen}/{MANIFEST}").bytes()))
        try:
            return BackupManifest.model_validate_json(text)
        except ValidationError as error:
            raise BackupError(
                f"The manifest of {chosen} is damaged: {error}.", remedy="Use another backup."
            ) from error

    def save(self, created_at: datetime, name: str, content: bytes, recipients: Iterable[str]) -> SavedFile:
        """Encrypts and stores one file of the backup that was begun at a time.

        Raises:
            BackupError: A key is none, or the place refused.
        """
        try:
            keys = [pyrage.x25519.Recipient.from_str(text) for text in recipients]
        except pyrage.RecipientError as error:
            raise BackupError(
                f"A key cannot be used: {error}.", remedy="Correct backup.recipients."
            ) from error
        if not keys:
            raise BackupError(
                "Backups must be encrypted, and no key is named.",
                remedy="Make one with `age-keygen`, keep it outside the cluster, and set backup.recipients.",
            )
        encrypted = pyrage.encrypt(content, keys)
        folder = f"{created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        self._ask(lambda: self._store.put(f"{self._prefix}/{folder}/{name}", encrypted))
        return SavedFile(name=name, sha256=hashlib.sha256(encrypted).hexdigest(), size=len(encrypted))

    def finish(self, manifest: BackupManifest) -> None:
        """Stores the manifest, which makes the backup complete.

        Raises:
            BackupError: The place refused.
        """
        path = f"{self._prefix}/{manifest.name}/{MANIFEST}"
        self._ask(lambda: self._store.put(path, manifest.model_dump_json(indent=1).encode()))

    def load(self, manifest: BackupManifest, name: str, identities: Iterable[str]) -> bytes:
        """Returns the content of a file.

        Raises:
            BackupError: It is not there, was altered, or no private key opens it.
        """
        saved = next((file for file in manifest.files if file.name == name), None)
        if saved is None:
            raise BackupError(f"Backup {manifest.name} has no {name}.", remedy="Use another backup.")
        encrypted = self._ask(
            lambda: bytes(self._store.get(f"{self._prefix}/{manifest.name}/{name}").bytes())
        )
        if hashlib.sha256(encrypted).hexdigest() != saved.sha256:
            raise BackupError(
                f"{name} of {manifest.name} is not what was stored: its digest differs.",
                remedy="Use another backup.",
            )
        try:
            keys = [pyrage.x25519.Identity.from_str(text) for text in identities]
            return bytes(pyrage.decrypt(encrypted, keys))
        except (pyrage.DecryptError, pyrage.IdentityError) as error:
            raise BackupError(
                f"{name} of {manifest.name} cannot be opened: {error}.",
                remedy="Name the file of the private age key with --identity.",
            ) from error

    def _ask(self, action: Any) -> Any:
        try:
            return action()
        except (BaseError, NotFoundError, OSError) as error:
            raise BackupError(
                f"{self.place} did not do what was asked: {str(error).splitlines()[0]}.",
                remedy="Check that it exists, its credentials and the network.",
            ) from error
