"""Reads text files that people write; what cannot be read is an error that names the file."""

from pathlib import Path

from todo_release.errors import ConfigError


def read(path: Path, shown: str) -> str:
    """Returns the text of a file in UTF-8; `shown` is the name that errors show.

    Raises:
        ConfigError: There is no such file, or it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"There is no file {shown}.", remedy="Add it, or correct its path.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{shown} cannot be read: {error}.", remedy="Save it as a text file in UTF-8.", file=shown
        ) from error
