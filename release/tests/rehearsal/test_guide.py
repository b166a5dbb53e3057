"""The guide to the engine in another repository is followed, word by word, in a scratch repository."""

import re
from pathlib import Path

import pytest

from todo_release import console
from todo_release.config.loader import load

from ..shop import Tree
from .shared_control_plane import SharedControlPlane

GUIDE = (Path(__file__).parents[3] / "docs/guides/another-repository.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"\buv run todo-release (.+?)[`\n]")
FILES = {
    "web/Dockerfile": "FROM node:22\nCOPY index.js .\n",
    "web/index.js": "hello\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.0.0\nappVersion: 0.0.0\n",
    "chart/values.yaml": 'web: {image: {repository: "", tag: "", digest: ""}}\n',
    "chart/templates/web.yaml": """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: web
      image: "{{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}"
""",
}


def block(language: str, after: str = "") -> str:
    """Returns the first code block of a language in the guide, behind a text."""
    found = re.search(rf"^```{language}\n(.+?)^```$", GUIDE[GUIDE.index(after) :], re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def repository(tmp_path: Path, shared: SharedControlPlane, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Returns another repository, as the current folder of somebody with a cluster."""
    tree = Tree(tmp_path / "shop")
    tree.path.mkdir()
    tree.git("init", "--quiet", "--initial-branch=main")
    tree.commit("add", FILES)
    monkeypatch.chdir(tree.path)
    monkeypatch.setenv("KUBECONFIG", str(shared.plane.kubeconfig))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tree


def test_commands_and_files_of_the_guide_make_the_plan_that_it_prints(
    repository: Tree, registry_host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`init` writes a valid release.yaml, and the guide's own one gives the guide's plan, line by line."""
    init, plan = (line.split() for line in COMMAND.findall(GUIDE))
    assert console.main(init) == 0
    assert load(repository.path).images.keys() == {"web"}
    repository.commit("release: Describe it.", {"release.yaml": block("yaml"), "tasks.py": block("python")})
    monkeypatch.setenv("RELEASE_CONTEXT", "rehearsal")
    monkeypatch.setenv("RELEASE_REGISTRY", f"{registry_host}/example/shop")
    monkeypatch.setenv("RELEASE_REGISTRY_INSECURE", "true")
    capsys.readouterr()
    assert console.main(plan) == 0
    printed, shown = capsys.readouterr().out, block("", " ".join(plan))
    commit = re.compile(r"\b[0-9a-f]{12}\b")
    steps = [line for line in printed.splitlines() if line.startswith(("✓", "•"))]
    assert [commit.sub("COMMIT", line) for line in steps] == commit.sub("COMMIT", shown).splitlines()
    assert repository.git("status", "--porcelain") == ""


def test_tasks_file_of_the_guide_has_the_commands(repository: Tree) -> None:
    """The one line of the guide's tasks.py is all that invoke needs."""
    names: dict[str, object] = {}
    exec(block("python"), names)  # noqa: S102  # the guide's own line
    assert "release" in names["namespace"].task_names  # type: ignore[attr-defined]  # an invoke Collection


def test_example_for_another_repository_is_a_complete_release_yaml(tmp_path: Path) -> None:
    """The example can be copied and is read without an error."""
    (tmp_path / "release.yaml").write_text(block("yaml"))
    config = load(tmp_path)
    assert config.deploy_order() == ("staging", "production")
    assert config.registry.reference("web") == "ghcr.io/example/shop/web"
