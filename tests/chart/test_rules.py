"""Alerts and recording rules: each fires in one case and is silent in another, as promtool sees it."""

import re
import shutil
import subprocess

import pytest
import yaml

from todo_embedded.prometheus import promtool

from .prometheus_rules import (
    CASES,
    ROOT,
    cases,
    cluster_groups,
    groups_by_file,
    rules_of,
    without_annotations,
)

FILES = [*sorted(path.stem for path in (ROOT / "chart/files/rules").glob("*.yaml")), "cluster"]
LABEL = re.compile(r"\$labels\.(\w+)")
RUNBOOKS = ROOT / "docs/runbooks"


@pytest.fixture(scope="module")
def production(render):
    """Production's rules by file, and the cluster's."""
    return groups_by_file(render("production"), "todo-app")


@pytest.fixture(scope="module")
def alerts(production):
    """Every alert by name."""
    return {name: rule for groups in production.values() for name, rule in rules_of(groups, "alert").items()}


@pytest.fixture(scope="module")
def run_promtool(tmp_path_factory):
    """Runs promtool in a folder with rules.yaml, and returns the finished process."""

    def call(groups, *arguments, case_file=None):
        folder = tmp_path_factory.mktemp("rules")
        (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        if case_file:
            shutil.copy(case_file, folder / "cases.yaml")
        return subprocess.run(
            [promtool(), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
        )

    return call


def test_every_file_of_rules_has_cases(production):
    """A new file of rules cannot be forgotten."""
    assert set(production) == set(FILES)
    assert {path.stem for path in CASES.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_rules_fire_when_they_should_and_only_then(production, run_promtool, name):
    """Each case holds for the rules as production gets them."""
    groups = without_annotations(production[name])
    finished = run_promtool(groups, "test", "rules", "cases.yaml", case_file=CASES / f"{name}.yaml")
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("name", FILES)
def test_rules_have_no_fault_that_promtool_knows(production, run_promtool, name):
    """Expressions and templates of texts can be parsed, and no rule is there twice."""
    finished = run_promtool(production[name], "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("name", FILES)
def test_every_alert_has_a_case_that_fires_it_and_one_that_does_not(production, name):
    """An alert that was never seen to fire, or never to be silent, is not tested."""
    expected = [case for test in cases(name) for case in test.get("alert_rule_test", ())]
    firing = {case["alertname"] for case in expected if case["exp_alerts"]}
    silent = {case["alertname"] for case in expected if not case["exp_alerts"]}
    alerts = set(rules_of(production[name], "alert"))
    assert firing == alerts
    assert silent == alerts - {"Watchdog"}  # it must never be silent


@pytest.mark.parametrize("name", FILES)
def test_every_recording_rule_has_a_case_with_its_value(production, name):
    """The value of each recorded series is asked for in a case."""
    asked = " ".join(case["expr"] for test in cases(name) for case in test.get("promql_expr_test", ()))
    recorded = set(rules_of(production[name], "record"))
    assert {record for record in recorded if record not in asked} == set()


def test_silent_case_without_a_series_would_be_found(production, run_promtool):
    """The cases are no empty promise: with its threshold removed, an alert fires where it must be silent."""
    [group] = without_annotations(production["capacity"])
    for rule in group["rules"]:
        rule["expr"] = rule["expr"].replace("> 0.9", "> 0")
    finished = run_promtool([group], "test", "rules", "cases.yaml", case_file=CASES / "capacity.yaml")
    assert finished.returncode != 0
    assert "QuotaNearlyUsed" in finished.stdout + finished.stderr


def test_texts_use_only_labels_that_the_alert_has(alerts):
    """A label that an expression has aggregated away would be empty in the text."""
    labels = {
        case["alertname"]: set(alert["exp_labels"])
        for name in FILES
        for test in cases(name)
        for case in test.get("alert_rule_test", ())
        for alert in case["exp_alerts"]
    }
    used = {name: set(LABEL.findall(str(rule["annotations"]))) for name, rule in alerts.items()}
    assert {name: found - labels[name] for name, found in used.items() if found - labels[name]} == {}


def test_every_alert_has_a_severity_that_is_routed(alerts):
    """Alertmanager's routes know these severities; only the watchdog has none."""
    severities = {name: rule["labels"]["severity"] for name, rule in alerts.items()}
    assert severities.pop("Watchdog") == "none"
    assert set(severities.values()) == {"critical", "warning"}


def test_every_alert_links_to_its_section_of_the_runbook(alerts):
    """Whoever is paged follows the link; it must lead to a heading of that name."""
    headings = re.findall(r"^## (\w+)$", (RUNBOOKS / "alerts.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(alerts)
    base = "https://github.com/example/hackathon-todo/blob/main/docs/runbooks/alerts.md"
    links = {name: rule["annotations"]["runbook_url"] for name, rule in alerts.items()}
    assert links == {name: f"{base}#{name.lower()}" for name in alerts}


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_rules_watch_only_the_namespace_of_their_release(render, environment):
    """The rules have no placeholder left, and each environment alerts only about itself."""
    release = {"staging": "todo-app-staging", "production": "todo-app"}[environment]
    by_file = groups_by_file(render(environment), release)
    del by_file["cluster"]
    text = yaml.safe_dump(by_file)
    assert re.findall(r"\b(NAMESPACE|RELEASE|SIDECARS|RUNBOOKS)\b", text) == []
    assert set(re.findall(r'namespace="(\w+)"', text)) == {environment}
    expressions = [rule["expr"] for groups in by_file.values() for group in groups for rule in group["rules"]]
    assert [expr for expr in expressions if f'namespace="{environment}"' not in expr] == []


def test_alert_templates_reach_prometheus_unrendered(alerts):
    """Helm leaves `{{ $labels.job }}` to Prometheus."""
    assert "{{ $labels.job }}" in alerts["HighErrorRate"]["annotations"]["summary"]
    assert cluster_groups()[0]["rules"][0]["alert"] == "Watchdog"
