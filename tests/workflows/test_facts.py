"""Facts that workflows and documents repeat agree with their one owner."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .commands import named_sessions, nox_sessions, task_names
from .rules import Automation
from .shell import calls, sections
from .tree import ACTIONS, RELEASE, ROOT, WORKFLOWS, name_of

ACCESS = ROOT / ".github/actions/access/action.yml"
DEPLOYING = [path for path in WORKFLOWS if "./inv " in path.read_text()]
SESSIONS = re.compile(r"sessions = \[([^]]+)\]")
ALERT = re.compile(r"- alert: (\w+)")
SETTING = re.compile(r"\b(?:secrets|vars)\.(\w+)")


def body(name: str) -> dict[Any, Any]:
    """Returns a workflow as YAML."""
    return Automation((ROOT / ".github/workflows" / f"{name}.yml").read_text()).body


def guide(name: str) -> str:
    """Returns the text of a guide."""
    return (ROOT / "docs/guides" / f"{name}.md").read_text(encoding="utf-8")


def test_the_cluster_of_the_workflows_is_that_of_release_yaml() -> None:
    """The action, release.yaml and cluster.yaml name the same cluster."""
    contexts = {environment["context"] for environment in RELEASE["environments"].values()}
    [step] = [step for step in Automation(ACCESS.read_text()).steps if "CONTEXT" in step.get("env", {})]
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())["digitalocean"]
    assert contexts == {step["env"]["CONTEXT"]} == {f"do-{cluster['region']}-{cluster['name']}"}


def test_the_registry_of_the_workflows_is_that_of_release_yaml() -> None:
    """The workflows log in to the registry of release.yaml."""
    [step] = [step for step in Automation(ACCESS.read_text()).steps if "registry" in step.get("with", {})]
    assert RELEASE["registry"]["repository"].startswith(f"{step['with']['registry']}/")


@pytest.mark.parametrize("path", DEPLOYING, ids=name_of)
def test_environments_of_a_workflow_are_those_of_release_yaml(path: Path) -> None:
    """Names and URLs are the same once the variables are filled in."""
    jobs = Automation(path.read_text()).jobs
    used = [job["environment"] for job in jobs.values()]
    named = [environment for environment in used if isinstance(environment, dict)]
    others = [environment for environment in used if not isinstance(environment, dict)]
    assert set(others) <= {"${{ inputs.environment }}", "production-plan"}
    for environment in named:
        url = environment["url"].replace("${{ vars.DOMAIN }}", "${domain}")
        assert url == RELEASE["environments"][environment["name"]]["url"]


@pytest.mark.parametrize("path", DEPLOYING, ids=name_of)
def test_job_may_take_longer_than_rollout_and_rollback(path: Path) -> None:
    """A job has time for the longest rollout and its rollback."""
    longest = max(environment["timeout_seconds"] for environment in RELEASE["environments"].values())
    assert all(
        job["timeout-minutes"] * 60 >= 2 * longest for job in Automation(path.read_text()).jobs.values()
    )


@pytest.mark.parametrize("path", DEPLOYING, ids=name_of)
def test_deploying_workflows_set_the_same_environment(path: Path) -> None:
    """All deploying workflows set the same author, registry and domain."""
    variables = Automation(path.read_text()).body["env"]
    assert variables == body("release")["env"]
    prefix = "RELEASE_VAR_"
    names = {name.removeprefix(prefix).lower() for name in variables if name.startswith(prefix)}
    assert names == set(RELEASE["variables"])


@pytest.mark.parametrize("name", ["release", "deploy-production"])
def test_production_runs_the_plan_that_was_shown_before_the_approval(name: str) -> None:
    """One job saves the plan, and the job that waits for approval takes that file and runs it."""
    jobs = Automation((ROOT / ".github/workflows" / f"{name}.yml").read_text()).jobs
    [planned] = [call for step in jobs["plan"]["steps"] for call in calls(step.get("run", ""), "inv")]
    [run] = [call for step in jobs["production"]["steps"] for call in calls(step.get("run", ""), "inv")]
    [handed] = [step for step in jobs["plan"]["steps"] if "upload-artifact" in step.get("uses", "")]
    [taken] = [step for step in jobs["production"]["steps"] if "download-artifact" in step.get("uses", "")]
    assert jobs["production"]["needs"] == "plan"
    assert planned[-2:] == ["--out", "$RUNNER_TEMP/plan.json"]
    assert run == ["release", "--plan", "$RUNNER_TEMP/plan.json", "--yes"]
    assert handed["with"]["path"] == "${{ runner.temp }}/plan.json"
    assert taken["with"] == {"name": handed["with"]["name"], "path": "${{ runner.temp }}"}


def test_release_page_is_made_by_the_job_that_may() -> None:
    """release.yaml names the repository, and the job after the approval has the token and the permission."""
    production = body("release")["jobs"]["production"]
    [step] = [step for step in production["steps"] if "./inv release" in step.get("run", "")]
    assert RELEASE["github"] == "${owner}/hackathon-todo"
    assert production["permissions"]["contents"] == "write"
    assert step["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}


def test_accounts_of_the_workflows_are_those_of_the_cluster() -> None:
    """rbac.yaml has a deployer in each namespace of release.yaml, which is named like its environment."""
    text = (ROOT / "k8s/cluster-bootstrap/rbac.yaml").read_text()
    accounts = [item for item in yaml.safe_load_all(text) if item["kind"] == "ServiceAccount"]
    found = {f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in accounts}
    assert found == {f"{name}/deployer" for name in RELEASE["environments"]}
    assert all(name == environment["namespace"] for name, environment in RELEASE["environments"].items())


def test_rollback_offers_the_environments_and_images_of_release_yaml() -> None:
    """The form lists all names, so that nobody must remember one in an emergency."""
    inputs = body("rollback")[True]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == list(RELEASE["environments"])
    assert inputs["service"]["options"] == ["", *RELEASE["images"]]


def test_workflow_gate_and_noxfile_have_the_same_sessions() -> None:
    """CI, `.ci/run` and `./nox` run the same checks by default."""
    declared = SESSIONS.search((ROOT / "noxfile.py").read_text())
    assert declared is not None
    default = re.findall(r'"(\w+)"', declared[1])
    matrix = body("build")["jobs"]["checks"]["strategy"]["matrix"]["session"]
    [gate] = calls((ROOT / ".ci/run").read_text(), "nox")
    assert set(default) == set(matrix) == set(named_sessions(gate)) < nox_sessions()


def test_secrets_and_variables_of_the_workflows_are_those_of_the_guide() -> None:
    """The table of the guide lists every secret and variable."""
    used = {name for path in WORKFLOWS for name in SETTING.findall(path.read_text())}
    assert used == set(re.findall(r"^\| `([A-Z_]+)` \|", guide("ci"), re.MULTILINE))


def test_workflows_are_those_of_the_guide() -> None:
    """The table of the guide lists every workflow."""
    assert set(re.findall(r"^\| `([\w-]+\.yml)` \|", guide("ci"), re.MULTILINE)) == {
        path.name for path in WORKFLOWS
    }


def test_every_task_is_explained_in_a_guide() -> None:
    """A guide names every task as it is typed."""
    text = guide("releasing") + guide("local") + guide("another-repository") + guide("cluster")
    assert [name for name in task_names() if not re.search(rf"\./inv {re.escape(name)}\b", text)] == []


def test_ports_of_the_guide_are_those_of_the_run_file() -> None:
    """The guide has the ports of dapr.yaml, and those of the frontend and the proxy."""
    apps = yaml.safe_load((ROOT / "dapr.yaml").read_text())["apps"]
    ports = {app["appID"]: str(app["appPort"]) for app in apps} | {
        "the application": "8080",
        "frontend": "3000",
    }
    assert dict(re.findall(r"\| ([a-z][a-z -]+) \| (\d{4})\b", guide("local"))) == ports


def test_every_alert_has_its_section_in_the_runbook() -> None:
    """The runbook has one section for each alert."""
    files = sorted((ROOT / "chart/files/rules").glob("*.yaml"))
    stack = ROOT / "k8s/cluster-bootstrap/values/kube-prometheus-stack.yaml"
    alerts = [alert for file in (*files, stack) for alert in ALERT.findall(file.read_text())]
    title, *headings = sections((ROOT / "docs/runbooks/alerts.md").read_text())
    assert title == "Alerts"
    assert sorted(headings) == sorted(alerts)


def test_pins_are_whole_commits_of_tags() -> None:
    """Each row has a whole commit, its tag, and how it was reviewed."""
    table = yaml.safe_load((Path(__file__).parent / "pins.yaml").read_text())
    assert table
    for row in table.values():
        assert set(row) == {"tag", "commit", "seen"}
        assert re.fullmatch(r"[0-9a-f]{40}", row["commit"])
        assert re.fullmatch(r"v\d+\.\d+\.\d+", row["tag"])


def test_pins_are_all_used() -> None:
    """Every pinned action is used."""
    texts = "".join(path.read_text() for path in (*WORKFLOWS, *ACTIONS))
    table = yaml.safe_load((Path(__file__).parent / "pins.yaml").read_text())
    assert [name for name in table if f"uses: {name}@" not in texts] == []
