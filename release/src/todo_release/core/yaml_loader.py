"""Loads YAML as plain values, with the C library where PyYAML has it: it is ten times as fast."""

from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """Returns the value of one document; None for an empty one.

    Raises:
        yaml.YAMLError: The text is not YAML, or holds several documents.
    """
    return yaml.load(text, Loader=LOADER)  # noqa: S506  # both loaders are safe ones


def load_all(text: str) -> list[Any]:
    """Returns the values of all documents that are not empty.

    Raises:
        yaml.YAMLError: The text is not YAML.
    """
    return [document for document in yaml.load_all(text, Loader=LOADER) if document]
