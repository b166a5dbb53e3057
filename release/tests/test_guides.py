"""The examples in the guides are valid."""

import re
from pathlib import Path

from todo_release.config.loader import load

GUIDE = Path(__file__).parents[2] / "docs/guides/another-repository.md"


def test_example_for_another_repository_is_a_complete_release_yaml(tmp_path: Path) -> None:
    """The example can be copied and is read without an error."""
    [example] = re.findall(
        r"^```yaml\n(.+?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "release.yaml").write_text(example)
    config = load(tmp_path)
    assert config.deploy_order() == ("staging", "production")
    assert config.registry.reference("web") == "ghcr.io/example/shop/web"
