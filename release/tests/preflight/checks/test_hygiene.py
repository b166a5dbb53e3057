"""Placeholders, secrets in plain text, and addresses that browsers cannot reach."""

from typing import Any

import pytest

from todo_release.preflight.checks.hygiene import CHECK

from ..snapshots import (
    error_causes,
    findings_of,
    make_config,
    make_snapshot,
    severities_of,
    summaries_of,
    workload,
)


def workload_with(name: str, value: Any) -> dict[str, Any]:
    """Returns a workload with one environment variable."""
    return workload(containers=[{"name": "web", "image": "a", "env": [{"name": name, "value": value}]}])


@pytest.mark.parametrize(
    ("value", "placeholder"),
    [
        ("<OWNER>", "<OWNER>"),
        ("CHANGE_ME", "CHANGE_ME"),
        ("please REPLACE_WITH_KEY", "REPLACE_WITH_KEY"),
        ("REPLACE", "REPLACE"),
        ("FIXME", "FIXME"),
        ("set-by-chartpress", "set-by-chartpress"),
    ],
)
def test_placeholder_that_was_never_filled_in_is_an_error(value: str, placeholder: str) -> None:
    """Each known form of placeholder is an error with its field."""
    (finding,) = findings_of(CHECK, make_snapshot(workload_with("X", value)))
    assert (finding.severity.value, finding.cause) == (
        "error",
        f"The placeholder {placeholder} was never filled in.",
    )
    assert finding.path == "spec.template.spec.containers[0].env[0].value"


@pytest.mark.parametrize("value", ["irreplaceable", "<b>bold</b>", "changes", "REPLACED", 7, None])
def test_ordinary_text_is_no_placeholder(value: Any) -> None:
    """Words that only resemble a placeholder are no finding."""
    assert summaries_of(CHECK, make_snapshot(workload_with("X", value))) == []


def test_placeholders_in_prose_and_config_maps_are_no_error() -> None:
    """Alert texts may contain <NAMES>, and a file in a ConfigMap is only a warning."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "x"},
        "spec": {"text": "<NAMESPACE>"},
    }
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"a": "CHANGE_ME", "b": "example.com"},
    }
    assert summaries_of(CHECK, make_snapshot(rule)) == []
    assert severities_of(CHECK, make_snapshot(settings)) == ["warning"]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("shop.example.com", 1),
        ("https://example.org/x", 1),
        ("ana@example.net", 1),
        ("notexample.com", 0),
        ("example.community", 0),
    ],
)
def test_example_host_is_an_error(value: str, count: int) -> None:
    """Hosts that are reserved for documentation belong to nobody."""
    assert len(error_causes(CHECK, make_snapshot(workload_with("HOST", value)))) == count


def test_api_group_of_the_same_form_is_no_host() -> None:
    """Groups of custom kinds are names that nobody connects to."""
    shelf = {"apiVersion": "library.example.com/v1", "kind": "Shelf", "metadata": {"name": "a"}, "spec": {}}
    rules = [{"apiGroups": ["library.example.com"], "resources": ["shelves"], "verbs": ["get"]}]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "a"},
        "rules": rules,
    }
    assert summaries_of(CHECK, make_snapshot(shelf, role)) == []


def test_example_host_is_shown_without_the_text_around_it() -> None:
    """The rest of the value may hold a password."""
    (cause,) = error_causes(
        CHECK, make_snapshot(workload_with("URL", "shop:hunter2@cache.example.com:6379/0"))
    )
    assert cause == "cache.example.com is a name from documentation: example.com belongs to nobody."


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("DATABASE_URL", "postgresql://shop:pass@db.test/shop", "warning"),
        ("API_TOKEN", "abcd1234efgh5678", "warning"),
        ("password", "short", "warning"),
        ("BETTER_AUTH_SECRET", "alsoratherlongbutwords", "warning"),
        ("API_TOKEN", "", None),
        ("API_TOKEN", "$(OTHER)", None),
        ("API_TOKEN", "/var/run/token", None),
        ("MAX_TOKENS", "4000", None),
        ("TOKEN_AUDIENCE", "shop", None),
        ("DATABASE_URL", "postgresql://db.test/shop", None),
    ],
)
def test_secret_in_plain_text_is_found_and_not_repeated(name: str, value: str, severity: str | None) -> None:
    """Secrets are found by the variable's name or by credentials in an address, and never shown."""
    findings = findings_of(CHECK, make_snapshot(workload_with(name, value)))
    assert [finding.severity.value for finding in findings] == ([severity] if severity else [])
    assert all(not value or value not in f"{finding.cause}{finding.remedy}" for finding in findings)


def test_variable_from_a_secret_is_no_finding() -> None:
    """A variable that reads a Secret is no finding."""
    reference = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "app", "key": "P"}}}
    assert (
        summaries_of(
            CHECK, make_snapshot(workload(containers=[{"name": "web", "image": "a", "env": [reference]}]))
        )
        == []
    )


def test_secret_in_a_component_is_a_warning() -> None:
    """Everybody who may list components can read their metadata."""
    items = [
        {"name": "saslPassword", "value": "x"},
        {"name": "redisPassword", "value": ""},
        {"name": "brokers", "value": "b"},
    ]
    component = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "p"},
        "spec": {"metadata": items},
    }
    assert summaries_of(CHECK, make_snapshot(component)) == [
        ("warning", "Component/p", "saslPassword is given in plain text.")
    ]


PUBLIC = make_config(preflight={"public_urls": ["BETTER_AUTH_URL"]})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("https://staging.shop.test", None),
        ("", None),
        ("http://frontend:3000", "only the cluster can reach"),
        ("http://frontend.staging.svc", "only the cluster can reach"),
        ("https://shop.test", "but people open https://staging.shop.test"),
        ("http://staging.shop.test", "but people open https://staging.shop.test"),
    ],
)
def test_browser_address_that_is_not_the_public_one_is_an_error(value: str, problem: str | None) -> None:
    """Sign-in refuses every other address as an invalid origin."""
    causes = error_causes(CHECK, make_snapshot(workload_with("BETTER_AUTH_URL", value), config=PUBLIC))
    assert [problem in cause for cause in causes if problem] == ([True] if problem else [])
    assert len(causes) == (1 if problem else 0)
    assert (
        summaries_of(CHECK, make_snapshot(workload_with("JWKS_URL", "http://frontend:3000"), config=PUBLIC))
        == []
    )
