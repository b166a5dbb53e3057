"""Where alerts go: Alertmanager's configuration, checked and asked for its routes by amtool."""

import itertools
import subprocess

import pytest
import yaml

from todo_embedded.prometheus import amtool

from .prometheus_rules import groups_by_file, rules_of, stack_values

SECRET = "alertmanager-receivers"
FOLDER = f"/etc/alertmanager/secrets/{SECRET}/"


@pytest.fixture(scope="module")
def config():
    """The configuration as Alertmanager gets it."""
    return stack_values()["alertmanager"]["config"]


@pytest.fixture(scope="module")
def route(config, tmp_path_factory):
    """Returns the receivers of an alert with some labels."""
    file = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")

    def call(**labels):
        pairs = [f"{name}={value}" for name, value in labels.items()]
        command = [amtool(), "config", "routes", "test", f"--config.file={file}", *pairs]
        finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return finished.stdout.strip().split(",")

    return call


def test_configuration_is_valid(config, tmp_path):
    """Amtool accepts it, with files for the secrets."""
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    finished = subprocess.run(
        [amtool(), "check-config", file], capture_output=True, text=True, check=False, timeout=30
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_invalid_configuration_is_refused(config, tmp_path):
    """The check is not blind: a receiver that does not exist is found."""
    file = tmp_path / "alertmanager.yaml"
    file.write_text(yaml.safe_dump({**config, "receivers": config["receivers"][:1]}), encoding="utf-8")
    finished = subprocess.run(
        [amtool(), "check-config", file], capture_output=True, text=True, check=False, timeout=30
    )
    assert finished.returncode != 0


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "Watchdog", "severity": "none"}, "heartbeat"),
        ({"alertname": "HighErrorRate", "severity": "critical", "namespace": "production"}, "critical"),
        ({"alertname": "NodeCpuBusy", "severity": "warning"}, "warning"),
        ({"alertname": "HighErrorRate", "severity": "critical", "namespace": "staging"}, "staging"),
        ({"alertname": "QuotaNearlyUsed", "severity": "warning", "namespace": "staging"}, "staging"),
        ({"alertname": "KubeNodeNotReady", "severity": "warning", "namespace": "kube-system"}, "warning"),
        ({"alertname": "Unknown"}, "warning"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else value,
)
def test_alert_goes_to_its_receiver(route, labels, receiver):
    """The watchdog leaves the cluster, critical ones page, staging pages nobody, the rest can wait."""
    assert route(**labels) == [receiver]


def test_no_alert_ends_where_nobody_looks(render, route, config):
    """Every alert that we have, in either environment, reaches a receiver that sends it somewhere."""
    alerts = {
        name: rule
        for groups in groups_by_file(render("production"), "todo-app").values()
        for name, rule in rules_of(groups, "alert").items()
    }
    sending = {item["name"] for item in config["receivers"] if any(key.endswith("_configs") for key in item)}
    silent = {
        (name, namespace): found
        for (name, rule), namespace in itertools.product(alerts.items(), ("staging", "production"))
        for found in route(alertname=name, namespace=namespace, **rule["labels"])
        if found not in sending
    }
    assert silent == {}
    assert {item["name"] for item in config["receivers"]} == sending


def test_page_is_sent_at_once_and_a_warning_once_a_day(config):
    """The intervals are those that the runbook says."""
    routes = {item["receiver"]: {**config["route"], **item} for item in config["route"]["routes"]}
    assert (routes["critical"]["group_wait"], routes["critical"]["repeat_interval"]) == ("10s", "4h")
    assert config["route"]["repeat_interval"] == "24h"
    assert (routes["heartbeat"]["group_wait"], routes["heartbeat"]["repeat_interval"]) == ("0s", "5m")


def test_addresses_are_read_from_files_of_the_secret(config):
    """An address is a secret: no values file has one, and each file is of the mounted Secret."""
    spec = stack_values()["alertmanager"]["alertmanagerSpec"]
    assert spec["secrets"] == [SECRET]
    found = {
        key: value
        for receiver in config["receivers"]
        for kind, entries in receiver.items()
        if kind != "name"
        for entry in entries
        for key, value in entry.items()
        if "url" in key
    }
    assert set(found) == {"url_file", "api_url_file"}
    files = [
        entry[key]
        for receiver in config["receivers"]
        for kind, entries in receiver.items()
        if kind != "name"
        for entry in entries
        for key in entry
        if key.endswith("_file")
    ]
    assert sorted(files) == [
        f"{FOLDER}{name}-url" for name in ("critical", "heartbeat", "staging", "warning")
    ]


def test_inhibited_alerts_exist(render, config):
    """Each name in an inhibition is an alert; a renamed one would no longer be silenced."""
    alerts = {
        name
        for groups in groups_by_file(render("production"), "todo-app").values()
        for name in rules_of(groups, "alert")
    }
    named = {
        name
        for rule in config["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        for name in matcher.split('"')[1].split("|")
    }
    assert named - alerts == set()
    assert {"ServiceDown", "HighErrorRate"} <= named
