"""Files that people and other programs write are damaged at random: each mistake is one clear error.

The mutations are the same in every run: each is made of its number.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from todo_release.adapters.kubernetes import kubeconfig, transport
from todo_release.adapters.kubernetes.transport import KubeconfigError
from todo_release.artifacts.image_values import read_images
from todo_release.config.loader import load
from todo_release.config.model import Config
from todo_release.config.overrides import Overrides
from todo_release.environments.history import parse_record
from todo_release.errors import ConfigError, ReleaseError
from todo_release.pipeline import saved_plan
from todo_release.pipeline.journal import Journal

from .shop import FILES, RELEASE_YAML

ROUNDS = 150
VALUES = (
    None,
    True,
    0,
    -1,
    1e400,
    "",
    " ",
    "a b",
    "${x}",
    "=",
    "2024-10-10",
    "[",
    [],
    [[]],
    {},
    {"": None},
    {"a": [1]},
)
TEXTS = (
    "\t",
    "\0",
    "\ufeff",
    "\u2028",
    "{",
    "}",
    "[",
    "- ",
    ": ",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "|\n",
    "'",
    '"',
    "---\n",
    "\r",
)
KUBECONFIG = {
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "a", "user": "b"}}],
    "clusters": [
        {"name": "a", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "YQ=="}}
    ],
    "users": [{"name": "b", "user": {"token": "t", "client-certificate": "missing.pem"}}],
}
OVERRIDES = Overrides(registry="registry.test/a", context="here", values={"staging": ("extra.yaml",)})
RECORD = {
    "schema": 1, "version": "1.0.0", "revision": 3, "digests": {"web": "sha256:1"}, "commit": "a" * 40,
    "status": "verified", "started_at": "2026-11-24T12:00:00+00:00", "seconds": 3.5, "actor": "Rita",
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of every value inside of a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutated_document(document: Any, number: int) -> Any:
    """Returns a document with a few values replaced, removed, or called otherwise."""
    chance = random.Random(number)  # noqa: S311  # nothing is kept secret by it
    changed = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(places(changed)) or [()])
        if not path:
            return chance.choice(VALUES)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        match chance.randint(0, 3):
            case 0:
                del parent[path[-1]]
            case 1 if isinstance(parent, dict):
                parent[chance.choice(("", 1, None, True, "other"))] = parent.pop(path[-1])
            case _:
                parent[path[-1]] = copy.deepcopy(chance.choice(VALUES))
    return changed


def mutated_text(text: str, number: int) -> str:
    """Returns a text of which parts are missing, repeated, or replaced by what parsers stumble over."""
    chance = random.Random(number)  # noqa: S311  # nothing is kept secret by it
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 1, 5, 40)))
        text = text[:start] + chance.choice((*TEXTS, text[start:end] * 2, "")) + text[end:]
    return text


def mutations(document: Any, text: str, dump: Callable[[Any], str]) -> Iterator[str]:
    """Yields texts that are damaged in their structure, and texts that are damaged as such."""
    for number in range(ROUNDS):
        yield dump(mutated_document(document, number))
        yield mutated_text(text, number)


def survives(read: Callable[[], object], *allowed: type[Exception]) -> None:
    """Calls a reader, which may raise only these errors; an error of the engine has problem and remedy."""
    raised: Exception | None = None
    try:
        read()
    except allowed as error:
        raised = error
    assert raised is None or str(raised).strip()
    if isinstance(raised, ReleaseError):
        assert raised.problem.strip()
        assert raised.remedy.strip()


def test_release_yaml(tmp_path: Path) -> None:
    """What cannot be read is an error of release.yaml."""
    for text in mutations(yaml.safe_load(RELEASE_YAML), RELEASE_YAML, yaml.safe_dump):
        (tmp_path / "release.yaml").write_bytes(text.encode())
        survives(lambda: load(tmp_path), ReleaseError)
        survives(lambda: load(tmp_path, OVERRIDES), ReleaseError)


def test_release_yaml_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are an error of the file that has them."""
    (tmp_path / "release.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match=r"release\.yaml cannot be read: 'utf-8' codec"):
        load(tmp_path)
    (tmp_path / "release.yaml").write_text(RELEASE_YAML)
    overlay = tmp_path / "overlay.yaml"
    overlay.write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match=r"overlay\.yaml cannot be read: 'utf-8' codec"):
        load(tmp_path, Overrides(files=(overlay,)))


def test_values() -> None:
    """What the images are is read from the values, or an error names what is wrong there."""
    text, config = FILES["chart/values.yaml"], Config.model_validate(_config())
    for changed in mutations(yaml.safe_load(text), text, yaml.safe_dump):
        survives(lambda changed=changed: read_images(changed, "chart/values.yaml", config), ReleaseError)


def test_kubeconfig(tmp_path: Path) -> None:
    """A connection is prepared, or the error says which file is wrong."""
    path = tmp_path / "config"
    for text in mutations(KUBECONFIG, yaml.safe_dump(KUBECONFIG), yaml.safe_dump):
        path.write_bytes(text.encode())
        survives(lambda: kubeconfig.contexts({"KUBECONFIG": str(path)}), ReleaseError)
        survives(lambda: transport.connect("here", path), ReleaseError, KubeconfigError)


def test_record() -> None:
    """A record of a deployment is read, or a ValueError has it set aside."""
    for text in mutations(RECORD, json.dumps(RECORD), json.dumps):
        survives(lambda text=text: parse_record(text), ValueError)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_journal_and_saved_plan(tmp_path: Path) -> None:
    """Damaged entries are skipped, and a damaged plan is refused."""
    journal, file = Journal(tmp_path, "1.0.0"), tmp_path / "plan.json"
    journal.write("tag", "started")
    journal.write("tag", "done", seconds=1.0, outcome={"commit": "a"})
    line = journal.path.read_text().splitlines()[-1]
    for text in mutations(json.loads(line), journal.path.read_text(), json.dumps):
        journal.path.write_bytes(f"{text}\n{line}\n".encode())
        survives(journal.read, ReleaseError)
        file.write_bytes(text.encode())
        survives(lambda: saved_plan.read(file, "shop"), ReleaseError)


def _config() -> dict[str, Any]:
    raw = yaml.safe_load(RELEASE_YAML)
    for environment in raw["environments"].values():
        environment["url"] = "https://shop.example.com"
    return dict(raw)
