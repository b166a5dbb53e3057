"""What each account of k8s/cluster-bootstrap may do, asked of a real API server.

`python -m tests.access.rights` starts one and prints the table. A cell has a letter for each verb that is
allowed: g get, l list, w watch, c create, u update, p patch, d delete.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from todo_embedded.controlplane.api_client import ApiClient
from todo_embedded.controlplane.control_plane import control_plane
from todo_embedded.errors import ApiError
from todo_release.core.tables import Table

BOOTSTRAP = Path(__file__).parents[2] / "k8s/cluster-bootstrap"
KINDS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
EVERYTHING = "".join(verb[0] for verb in VERBS)
# Namespaces that are asked about; the last stands for every other one, and "" for the whole cluster.
SCOPES = ("staging", "production", "monitoring", "")
# Ways to more rights, which are no kinds of their own in discovery, and the kinds of operators.
MORE = (
    ("", "pods/exec"), ("", "pods/attach"), ("", "pods/portforward"), ("", "pods/ephemeralcontainers"),
    ("", "pods/proxy"), ("", "services/proxy"),
    ("", "pods/eviction"), ("", "pods/log"), ("", "nodes/proxy"), ("", "serviceaccounts/token"),
    ("apps", "deployments/scale"), ("dapr.io", "components"), ("dapr.io", "configurations"),
    ("dapr.io", "resiliencies"), ("dapr.io", "subscriptions"), ("monitoring.coreos.com", "servicemonitors"),
    ("monitoring.coreos.com", "podmonitors"), ("monitoring.coreos.com", "prometheusrules"),
    ("monitoring.coreos.com", "prometheuses"), ("cert-manager.io", "certificates"),
    ("cert-manager.io", "issuers"), ("cert-manager.io", "clusterissuers"),
    ("gateway.networking.k8s.io", "gateways"), ("gateway.networking.k8s.io", "httproutes"),
    ("gateway.networking.k8s.io", "gatewayclasses"), ("gateway.networking.k8s.io", "referencegrants"),
)  # fmt: skip
PARALLEL = 16


@dataclass(frozen=True, order=True)
class Account:
    """A service account."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """Returns the name by which the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, order=True)
class Question:
    """May the account use the resource in the namespace, empty for the whole cluster?"""

    account: Account
    namespace: str
    group: str
    resource: str


Rights = Mapping[Question, str]


def accounts() -> list[Account]:
    """Returns the accounts of the manifests, and those of pods, which must have no rights at all."""
    own = [
        Account(item["metadata"]["namespace"], item["metadata"]["name"])
        for item in manifests()
        if item["kind"] == "ServiceAccount"
    ]
    return sorted([*own, Account("production", "default"), Account("production", "todo-app-backend")])


def manifests() -> list[dict[str, Any]]:
    """Returns the accounts, roles and bindings of all manifests of the bootstrap."""
    documents = (
        item
        for path in sorted(BOOTSTRAP.glob("*.yaml"))
        for item in yaml.safe_load_all(path.read_text("utf-8"))
    )
    return [item for item in documents if item and item["kind"] in KINDS]


@contextmanager
def api_server() -> Iterator[ApiClient]:
    """Runs an API server with the namespaces, accounts and roles of the bootstrap."""
    with tempfile.TemporaryDirectory() as folder, control_plane(Path(folder), nodes=()) as plane:
        for namespace in sorted({*filter(None, SCOPES), *(account.namespace for account in accounts())}):
            plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for item in manifests():
            try:
                plane.api.create(item)
            except ApiError as error:
                raise AssertionError(f"{item['kind']} {item['metadata']['name']}: {error}") from error
        yield plane.api


def resources(api: ApiClient) -> list[tuple[str, str]]:
    """Returns (group, resource) of all that the server has, without subresources, and of `MORE`."""
    roots = ["api/v1", *(
        f"apis/{group['preferredVersion']['groupVersion']}" for group in api.read("apis")["groups"]
    )]  # fmt: skip
    found = {
        (root.split("/")[1] if root.startswith("apis/") else "", resource["name"])
        for root in roots
        for resource in api.read(root)["resources"]
        if "/" not in resource["name"]
    }
    return sorted(found | set(MORE))


def rights(api: ApiClient) -> dict[Question, str]:
    """Asks about every account, scope, resource and verb; returns the letters of the allowed verbs."""
    questions = [
        Question(account, namespace, group, resource)
        for account in accounts()
        for namespace in SCOPES
        for group, resource in resources(api)
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = pool.map(lambda question: _allowed_verbs(api, question), questions)
        return dict(zip(questions, answers, strict=True))


def may(api: ApiClient, question: Question, verb: str, name: str = "") -> bool:
    """Asks whether a verb is allowed, on one object if it is named."""
    group, (resource, _, subresource) = question.group, question.resource.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": question.account.user,
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{question.account.namespace}",
                "system:authenticated",
            ],
            "resourceAttributes": {
                "namespace": question.namespace,
                "verb": verb,
                "group": group,
                "resource": resource,
                "subresource": subresource,
                "name": name,
            },
        },
    }
    return bool(api.create(review)["status"]["allowed"])


def _allowed_verbs(api: ApiClient, question: Question) -> str:
    # Who may neither read nor create may nothing else here; the other verbs are asked where that is not so.
    if not any(may(api, question, verb) for verb in ("get", "list", "create", "delete", "patch")):
        return ""
    return "".join(verb[0] for verb in VERBS if may(api, question, verb))


def table(answers: Rights) -> Table:
    """Returns a row for each resource that anybody may use, and a column for each account and scope."""
    columns = sorted({(question.account, question.namespace) for question in answers}, key=_column_order)
    used = sorted({(item.group, item.resource) for item, verbs in answers.items() if verbs})
    rows = tuple(
        (f"{resource}.{group}".rstrip("."), *(
            answers[Question(account, namespace, group, resource)] or "-" for account, namespace in columns
        ))
        for group, resource in used
    )  # fmt: skip
    names = (f"{account.namespace}/{account.name} in {namespace or '*'}" for account, namespace in columns)
    return Table("What each account may do", ("resource", *names), rows)


def _column_order(column: tuple[Account, str]) -> tuple[Account, int]:
    return column[0], SCOPES.index(column[1])


if __name__ == "__main__":
    with api_server() as running:
        sys.stdout.write("\n".join(table(rights(running)).lines()) + "\n")
