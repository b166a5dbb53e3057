"""cluster.yaml: one message with file, line and column for every mistake."""

from pathlib import Path

import pytest

from todo_cluster.config.loader import load
from todo_release.errors import ConfigError

ROOT = Path(__file__).parents[3]
MINIMAL = "provider: existing\ncontext: here\n"


def test_unknown_key_is_reported_with_its_place(tmp_path: Path) -> None:
    """The message begins with a place that an editor can open."""
    (tmp_path / "cluster.yaml").write_text(f"{MINIMAL}colour: blue\n")
    with pytest.raises(ConfigError, match=r"^cluster\.yaml:3:1: The key 'colour' is not known\."):
        load(tmp_path)


def test_missing_file_is_reported(tmp_path: Path) -> None:
    """A folder without cluster.yaml is an error that names the file."""
    with pytest.raises(ConfigError, match=r"There is no file cluster\.yaml"):
        load(tmp_path)


def test_mistake_in_an_overlay_names_the_overlay(tmp_path: Path) -> None:
    """Each value keeps the place of the file that it comes from."""
    (tmp_path / "cluster.yaml").write_text(MINIMAL)
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("\ncolour: blue\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2:1: The key 'colour'"):
        load(tmp_path, [overlay])


def test_context_stands_for_an_existing_cluster(tmp_path: Path) -> None:
    """A context on the command line wins over the provider in the file."""
    (tmp_path / "cluster.yaml").write_text(MINIMAL.replace("here", "there"))
    config = load(tmp_path, context="mine")
    assert (config.provider, config.context) == ("existing", "mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("provider: digitalocean\n", "provider is digitalocean, but there is no"),
        ("provider: existing\n", "`context` names none"),
        (f"{MINIMAL}components: {{dns: {{namespace: x}}}}\n", "name its chart, or under `present`"),
    ],
)
def test_what_belongs_together_must_be_there(tmp_path: Path, text: str, message: str) -> None:
    """A provider needs its settings, and a component a chart or what shows that it is there."""
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path)


def test_configuration_of_this_repository_is_valid() -> None:
    """cluster.yaml can be read, and the components' files are there."""
    config = load(ROOT)
    files = [file for component in config.components.values() for file in component.values]
    assert [
        file for file in (*files, *config.manifests, config.workloads) if not (ROOT / str(file)).is_file()
    ] == []
