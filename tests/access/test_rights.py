"""Each account may do what a release needs, and nothing else, as a real API server answers."""

from collections.abc import Iterator

import pytest

from todo_embedded.controlplane.api_client import ApiClient

from .rights import EVERYTHING, SCOPES, Account, Question, Rights, accounts, api_server, may, rights, table

READ = "glw"
STAGING, PRODUCTION = Account("staging", "deployer"), Account("production", "deployer")
SLEEP = Account("operations", "staging-sleep")
# In the own namespace: the chart's objects, Helm's records, and the engine's.
MANAGED = {
    ("", "configmaps"), ("", "secrets"), ("", "serviceaccounts"), ("", "services"),
    ("apps", "deployments"), ("autoscaling", "horizontalpodautoscalers"), ("batch", "jobs"),
    ("coordination.k8s.io", "leases"), ("dapr.io", "components"), ("dapr.io", "configurations"),
    ("dapr.io", "resiliencies"), ("gateway.networking.k8s.io", "gateways"),
    ("gateway.networking.k8s.io", "httproutes"), ("monitoring.coreos.com", "podmonitors"),
    ("monitoring.coreos.com", "prometheusrules"), ("monitoring.coreos.com", "servicemonitors"),
    ("networking.k8s.io", "ingresses"), ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
}  # fmt: skip
# In the own namespace: what a rollout and its diagnosis read.
READ_IN_NAMESPACE = {
    ("", "events"), ("", "limitranges"), ("", "persistentvolumeclaims"), ("", "pods"), ("", "pods/log"),
    ("", "resourcequotas"), ("apps", "replicasets"), ("cert-manager.io", "certificates"),
    ("cert-manager.io", "issuers"), ("discovery.k8s.io", "endpointslices"),
}  # fmt: skip
# Everywhere: what preflight reads.
READ_EVERYWHERE = {
    ("", "namespaces"): READ, ("", "nodes"): READ, ("", "pods"): READ, ("", "services"): READ,
    ("", "persistentvolumes"): "gl",
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): "gl",
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): "gl",
    ("apiextensions.k8s.io", "customresourcedefinitions"): "gl", ("cert-manager.io", "clusterissuers"): "gl",
    ("gateway.networking.k8s.io", "gatewayclasses"): "gl", ("gateway.networking.k8s.io", "gateways"): "gl",
    ("gateway.networking.k8s.io", "httproutes"): "gl", ("networking.k8s.io", "ingressclasses"): "gl",
    ("networking.k8s.io", "ingresses"): "gl", ("scheduling.k8s.io", "priorityclasses"): "gl",
    ("storage.k8s.io", "storageclasses"): "gl",
}  # fmt: skip
# What every account of a cluster may do by default: ask about its own rights.
SELF_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


@pytest.fixture(scope="module")
def api() -> Iterator[ApiClient]:
    """An API server with the accounts of rbac.yaml."""
    with api_server() as running:
        yield running


@pytest.fixture(scope="module")
def answers(api: ApiClient) -> Rights:
    """What each account may do."""
    return rights(api)


def expected(question: Question) -> str:
    """Returns the letters of the verbs that an account must have, and no others."""
    thing = (question.group, question.resource)
    if question.resource in SELF_REVIEWS:
        return "c"
    if question.account not in {STAGING, PRODUCTION}:
        return ""
    if question.namespace == question.account.namespace:
        if thing in MANAGED:
            return EVERYTHING
        if thing in READ_IN_NAMESPACE:
            return f"{READ}c" if thing == ("", "events") else READ  # deployments are marked by Events
    return READ_EVERYWHERE.get(thing, "")


def test_each_account_has_exactly_these_rights(answers: Rights) -> None:
    """For each account, namespace and resource exactly the listed verbs are allowed."""
    assert len(answers) > 500
    wrong = {
        question: (found, expected(question))
        for question, found in answers.items()
        if found != expected(question)
    }
    assert wrong == {}


def test_all_accounts_of_the_bootstrap_are_in_the_table() -> None:
    """A new account must be listed here with its rights."""
    assert set(accounts()) == {
        STAGING,
        PRODUCTION,
        SLEEP,
        Account("production", "default"),
        Account("production", "todo-app-backend"),
    }


@pytest.mark.parametrize(
    ("account", "namespace", "asked", "is_allowed"),
    [
        (SLEEP, "staging", ("deployments.apps", "patch", "todo-app-staging-backend"), True),
        (SLEEP, "staging", ("deployments.apps", "patch", "other"), False),
        (SLEEP, "staging", ("deployments.apps", "delete", "todo-app-staging-backend"), False),
        (SLEEP, "production", ("deployments.apps", "patch", "todo-app-backend"), False),
        (PRODUCTION, "staging", ("configmaps", "get", "todo-app-staging-releases"), True),
        (PRODUCTION, "staging", ("configmaps", "get", "other"), False),
        (PRODUCTION, "staging", ("configmaps", "patch", "todo-app-staging-releases"), False),
        (STAGING, "production", ("configmaps", "get", "todo-app-releases"), False),
        (STAGING, "production", ("secrets", "get", "app-secrets"), False),
        (
            STAGING,
            "monitoring",
            ("services/proxy", "get", "monitoring-kube-prometheus-prometheus:9090"),
            True,
        ),
        (STAGING, "monitoring", ("services/proxy", "get", "monitoring-grafana:80"), False),
        (
            STAGING,
            "monitoring",
            ("services/proxy", "create", "monitoring-kube-prometheus-prometheus:9090"),
            False,
        ),
        (STAGING, "staging", ("pods/exec", "create", ""), False),
        (STAGING, "production", ("serviceaccounts", "impersonate", "deployer"), False),
        (STAGING, "staging", ("serviceaccounts/token", "create", "deployer"), False),
    ],
)
def test_single_objects_are_allowed_by_name(
    api: ApiClient, account: Account, namespace: str, asked: tuple[str, str, str], is_allowed: bool
) -> None:
    """Production reads one ConfigMap of staging, its verified versions, and nobody takes over an account."""
    kind, verb, name = asked
    resource, _, group = kind.partition(".")
    assert may(api, Question(account, namespace, group, resource), verb, name) is is_allowed


def test_table_has_a_column_for_each_account_and_scope(
    answers: Rights, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is printed, so that a reviewer sees what an account may do."""
    printed = table(answers)
    assert len(printed.columns) == 1 + len(accounts()) * len(SCOPES)
    with capsys.disabled():
        for account in (STAGING, PRODUCTION):
            chosen = {question: verbs for question, verbs in answers.items() if question.account == account}
            print("", *table(chosen).lines(), sep="\n")  # noqa: T201  # the table is the test's output
