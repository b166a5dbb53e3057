"""What a local run keeps on disk: the database, a secret, the last run's logs. All of it may be deleted."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataFolder:
    """The folder of one run, inside the repository's ignored `.cache`, and the places in it."""

    folder: Path
    is_kept: bool

    @property
    def database_dir(self) -> Path:
        """PostgreSQL's data, with the password that belongs to it."""
        return self.folder / "postgres"

    @property
    def logs_dir(self) -> Path:
        """One log file a process."""
        return self.folder / "logs"

    @property
    def proxy_dir(self) -> Path:
        """The reverse proxy's configuration, and the only place it may write to."""
        return self.folder / "caddy"

    def auth_secret(self) -> str:
        """Returns the secret that sessions are signed with: made once, so that sign-ins survive a restart."""
        path = self.folder / "auth-secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(48))
        return path.read_text()


def kept_data(root: Path) -> DataFolder:
    """Returns the developer's own data: accounts and tasks survive until the next start, logs do not."""
    return _prepared(DataFolder(root / ".cache" / "local", is_kept=True))


def fresh_data(root: Path) -> DataFolder:
    """Returns an empty folder for a check; what the last check left is deleted."""
    folder = root / ".cache" / "local-check"
    shutil.rmtree(folder, ignore_errors=True)
    return _prepared(DataFolder(folder, is_kept=False))


def _prepared(data: DataFolder) -> DataFolder:
    data.folder.mkdir(parents=True, exist_ok=True)
    data.folder.chmod(0o700)
    shutil.rmtree(data.logs_dir, ignore_errors=True)
    data.logs_dir.mkdir()
    data.proxy_dir.mkdir(exist_ok=True)
    return data
