"""Facts that workflows and documents repeat are those of their one owner."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .commands import named_sessions, nox_sessions, task_names
from .rules import Automation
from .shell import calls, sections
from .tree import ACTIONS, RELEASE, ROOT, WORKFLOWS, name_of

DEPLOYING = [path for path in WORKFLOWS if "./inv " in path.read_text()]
CREATED = re.compile(r"doctl kubernetes cluster create (\S+) --region (\S+)")
SESSIONS = re.compile(r"nox\.options\.sessions = \[(.+)\]")
ALERT = re.compile(r"- alert: (\w+)")
GIVEN = re.compile(r"\b(?:secrets|vars)\.(\w+)")


def body(name: str) -> dict[Any, Any]:
    """A workflow."""
    return Automation((ROOT / ".github/workflows" / f"{name}.yml").read_text()).body


def guide(name: str) -> str:
    """The text of a guide."""
    return (ROOT / "docs/guides" / f"{name}.md").read_text(encoding="utf-8")


def test_the_cluster_of_the_workflows_is_that_of_release_yaml() -> None:
    """Named once in the action that brings its credentials, once in release.yaml, made once in the README."""
    contexts = {one["context"] for one in RELEASE["environments"].values()}
    [step] = [step for step in Automation(ACTIONS[0].read_text()).steps if "CONTEXT" in step.get("env", {})]
    created = CREATED.search((ROOT / "k8s/cluster-bootstrap/README.md").read_text())
    assert created is not None
    assert contexts == {step["env"]["CONTEXT"]} == {f"do-{created[2]}-{created[1]}"}


def test_the_registry_of_the_workflows_is_that_of_release_yaml() -> None:
    """Whom docker logs in to."""
    [step] = [step for step in Automation(ACTIONS[0].read_text()).steps if "registry" in step.get("with", {})]
    assert RELEASE["registry"]["repository"].startswith(f"{step['with']['registry']}/")


@pytest.mark.parametrize("path", DEPLOYING, ids=name_of)
def test_environments_of_a_workflow_are_those_of_release_yaml(path: Path) -> None:
    """With the addresses that they have there, once the variables are filled in."""
    jobs = Automation(path.read_text()).jobs
    places = [job["environment"] for job in jobs.values()]
    named = [place for place in places if isinstance(place, dict)]
    assert all(isinstance(place, dict) or place == "${{ inputs.environment }}" for place in places)
    for place in named:
        url = place["url"].replace("${{ vars.DOMAIN }}", "${domain}")
        assert url == RELEASE["environments"][place["name"]]["url"]


@pytest.mark.parametrize("path", DEPLOYING, ids=name_of)
def test_a_job_may_take_longer_than_the_rollout_and_its_undoing(path: Path) -> None:
    """Killed in between, it would leave to the next run what it can do itself."""
    longest = max(one["timeout_seconds"] for one in RELEASE["environments"].values())
    assert all(
        job["timeout-minutes"] * 60 >= 2 * longest for job in Automation(path.read_text()).jobs.values()
    )


@pytest.mark.parametrize("path", DEPLOYING, ids=name_of)
def test_deploying_workflows_tell_the_engine_the_same(path: Path) -> None:
    """Who releases, to which registry and domain."""
    told = Automation(path.read_text()).body["env"]
    assert told == body("release")["env"]
    named = {name.removeprefix("RELEASE_VAR_").lower() for name in told if name.startswith("RELEASE_VAR_")}
    assert named == set(RELEASE["variables"])


def test_rollback_offers_the_environments_and_images_of_release_yaml() -> None:
    """Nobody should have to remember a name in an emergency."""
    inputs = body("rollback")[True]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == list(RELEASE["environments"])
    assert inputs["service"]["options"] == ["", *RELEASE["images"]]


def test_workflow_gate_and_noxfile_have_the_same_sessions() -> None:
    """What gates a change here gates it there."""
    found = SESSIONS.search((ROOT / "noxfile.py").read_text())
    assert found is not None
    default = re.findall(r'"(\w+)"', found[1])
    matrix = body("build")["jobs"]["checks"]["strategy"]["matrix"]["session"]
    [gate] = calls((ROOT / ".ci/run").read_text(), "nox")
    assert set(default) == set(matrix) == set(named_sessions(gate)) < nox_sessions()


def test_secrets_and_variables_of_the_workflows_are_those_of_the_guide() -> None:
    """Who sets up a repository reads one table."""
    used = {name for path in WORKFLOWS for name in GIVEN.findall(path.read_text())}
    assert used == set(re.findall(r"^\| `([A-Z_]+)` \|", guide("ci"), re.MULTILINE))


def test_workflows_are_those_of_the_guide() -> None:
    """None is without its line."""
    assert set(re.findall(r"^\| `([\w-]+\.yml)` \|", guide("ci"), re.MULTILINE)) == {
        path.name for path in WORKFLOWS
    }


def test_every_task_is_explained_in_a_guide() -> None:
    """By the name that is typed."""
    text = guide("releasing") + guide("local")
    assert [name for name in task_names() if not re.search(rf"\./inv {re.escape(name)}\b", text)] == []


def test_ports_of_the_guide_are_those_of_the_run_file() -> None:
    """The frontend and the origin have none there."""
    apps = yaml.safe_load((ROOT / "dapr.yaml").read_text())["apps"]
    ports = {app["appID"]: str(app["appPort"]) for app in apps} | {
        "the application": "8080",
        "frontend": "3000",
    }
    assert dict(re.findall(r"\| ([a-z][a-z -]+) \| (\d{4})\b", guide("local"))) == ports


def test_every_alert_has_its_section_in_the_runbook() -> None:
    """And every section about an alert its alert."""
    alerts = ALERT.findall((ROOT / "chart/files/alerts.yaml").read_text())
    headings = sections((ROOT / "docs/runbooks/monitoring.md").read_text())
    assert [one for one in headings if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", one)] == alerts


def test_pins_are_whole_commits_of_tags() -> None:
    """Each row says how it is known."""
    table = yaml.safe_load((Path(__file__).parent / "pins.yaml").read_text())
    assert table
    for row in table.values():
        assert set(row) == {"tag", "commit", "seen"}
        assert re.fullmatch(r"[0-9a-f]{40}", row["commit"])
        assert re.fullmatch(r"v\d+\.\d+\.\d+", row["tag"])


def test_pins_are_all_used() -> None:
    """A row that nobody needs is nobody's to keep."""
    texts = "".join(path.read_text() for path in (*WORKFLOWS, *ACTIONS))
    table = yaml.safe_load((Path(__file__).parent / "pins.yaml").read_text())
    assert [name for name in table if f"uses: {name}@" not in texts] == []
