"""What a local run keeps on disk: the database, a secret, the last run's logs. All of it may be deleted."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class State:
    """The folders of one run, inside the repository's ignored `.cache`."""

    folder: Path
    is_kept: bool

    @property
    def database_dir(self) -> Path:
        """PostgreSQL's data, with the password that belongs to it."""
        return self.folder / "postgres"

    @property
    def logs_dir(self) -> Path:
        """One file a process."""
        return self.folder / "logs"

    @property
    def proxy_dir(self) -> Path:
        """The reverse proxy's configuration, and the only place it may write to."""
        return self.folder / "caddy"

    def auth_secret(self) -> str:
        """The secret that sessions are signed with: made once, so that sign-ins survive a restart."""
        path = self.folder / "auth-secret"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(48))
        return path.read_text()


def kept_state(root: Path) -> State:
    """The developer's own state: accounts and tasks are there again at the next start. Logs begin anew."""
    return _prepared(State(root / ".cache" / "local", is_kept=True))


def fresh_state(root: Path) -> State:
    """A state that begins with nothing, for a check; what the last check left is deleted."""
    folder = root / ".cache" / "local-check"
    shutil.rmtree(folder, ignore_errors=True)
    return _prepared(State(folder, is_kept=False))


def _prepared(state: State) -> State:
    state.folder.mkdir(parents=True, exist_ok=True)
    state.folder.chmod(0o700)
    shutil.rmtree(state.logs_dir, ignore_errors=True)
    state.logs_dir.mkdir()
    state.proxy_dir.mkdir(exist_ok=True)
    return state
