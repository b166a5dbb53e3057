"""Fixtures of the system tests: a bootstrapped cluster, a clone of this repository, and the shop.

The cluster has what k8s/cluster-bootstrap leaves. The clone has a remote and an overlay of release.yaml with
registry and domain, as a developer's has.
"""

import itertools
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import trustme
import yaml
from kubernetes import client, config
from psycopg import sql

from todo_release.core.tables import Table

from . import running_cluster
from .shop_clone import ShopClone

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "todo.test"
HELM_4 = "4.2.4"
HOSTS = {"staging": f"staging.{DOMAIN}", "production": DOMAIN}


@pytest.fixture(scope="session")
def cluster() -> running_cluster.RunningCluster:
    """The running cluster."""
    return running_cluster.start(ROOT, more=("netpol", "acme", "monitoring"))


@pytest.fixture(scope="session")
def core(cluster: running_cluster.RunningCluster) -> client.CoreV1Api:
    """The Kubernetes API with the rights of an administrator."""
    config.load_kube_config(str(cluster.kubeconfig))
    return client.CoreV1Api()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority that signs the ingress's certificates."""
    return trustme.CA()


def _empty_database(admin_url: str, name: str) -> str:
    """Creates an empty database and returns its URL for pods."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    parts = urlsplit(admin_url)
    credentials = parts.netloc.rpartition("@")[0]
    address = f"{running_cluster.DATABASE_HOST_IN_PODS}:{parts.port}"
    return urlunsplit(parts._replace(netloc=f"{credentials}@{address}", path=f"/{name}"))


def _secret(name: str, values: dict[str, str], kind: str = "Opaque") -> client.V1Secret:
    return client.V1Secret(metadata=client.V1ObjectMeta(name=name), string_data=values, type=kind)


def _kubectl(*arguments: str) -> None:
    result = subprocess.run(["kubectl", *arguments], check=False, capture_output=True, text=True)
    if result.returncode:
        pytest.fail(f"kubectl {' '.join(arguments)}: {result.stderr}")


def _bootstrap() -> None:
    """Creates what a bootstrap applies first; Dapr, broker and ingress run already."""
    _kubectl("delete", "namespace", *HOSTS, "--ignore-not-found", "--wait", "--timeout=180s")
    for manifest in ("namespaces.yaml", "priority-classes.yaml"):
        _kubectl("apply", "--filename", str(ROOT / "k8s/cluster-bootstrap" / manifest))


@pytest.fixture(scope="session")
def sidecars(cluster: running_cluster.RunningCluster, monkeypatch_session: pytest.MonkeyPatch) -> None:
    """Dapr's injector, set as in the bootstrap; otherwise `restricted` namespaces refuse sidecars."""
    for name, value in cluster.env.items():
        monkeypatch_session.setenv(name, value)
    injector = "deployment/dapr-sidecar-injector"
    _kubectl("set", "env", "--namespace=dapr-system", injector, "SIDECAR_DROP_ALL_CAPABILITIES=true")
    _kubectl("rollout", "status", "--namespace=dapr-system", injector, "--timeout=60s")


@pytest.fixture(scope="session")
def environments(
    cluster: running_cluster.RunningCluster,
    core: client.CoreV1Api,
    authority: trustme.CA,
    sidecars: None,
) -> Iterator[None]:
    """The namespaces staging and production with their secrets and certificates, before any release."""
    _bootstrap()
    for environment, host in HOSTS.items():
        database = _empty_database(cluster.env["DATABASE_URL"], environment)
        values = {
            "DATABASE_URL": database,
            "FRONTEND_DATABASE_URL": database,
            "BETTER_AUTH_SECRET": secrets.token_urlsafe(32),
            "token": secrets.token_urlsafe(32),
            "REDPANDA_BROKERS": cluster.env["KAFKA_BROKERS"],
            "REDPANDA_USERNAME": cluster.env["KAFKA_USER"],
            "REDPANDA_PASSWORD": cluster.env["KAFKA_PASSWORD"],
            "REDPANDA_SASL_MECHANISM": "SHA-256",
            "REDPANDA_CA_CERT": Path(cluster.env["KAFKA_CA_FILE"]).read_text(encoding="utf-8"),
        }
        core.create_namespaced_secret(environment, _secret("app-secrets", values))
        issued = authority.issue_cert(host)
        certificate = {
            "tls.crt": b"".join(pem.bytes() for pem in issued.cert_chain_pems).decode(),
            "tls.key": issued.private_key_pem.bytes().decode(),
        }
        core.create_namespaced_secret(environment, _secret(f"{host}-tls", certificate, "kubernetes.io/tls"))
    yield
    if "KEEP" not in os.environ:
        for environment in HOSTS:
            core.delete_namespace(environment)


@pytest.fixture(scope="session")
def monkeypatch_session() -> Iterator[pytest.MonkeyPatch]:
    """A monkeypatch that lasts for the whole session."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@dataclass(frozen=True)
class RepositoryClone:
    """A clone of this repository, configured for the cluster by an overlay of release.yaml."""

    path: Path
    overlay: Path

    def inv(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `./inv` in the clone; fails the test with the output when the exit code is not 0."""
        command = ["./inv", *arguments, f"--config={self.overlay}"]
        result = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=False)
        if check and result.returncode:
            output = f"{result.stdout}{result.stderr}"
            pytest.fail(f"`{' '.join(command)}` exited with {result.returncode}:\n{output}")
        return result

    def git(self, *arguments: str) -> str:
        """Runs git in the clone and returns its output."""
        command = ["git", *arguments]
        result = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=True)
        return result.stdout.strip()


@pytest.fixture(scope="session")
def clone(
    cluster: running_cluster.RunningCluster,
    environments: None,
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> RepositoryClone:
    """A clone with its own bare remote, and an overlay with the cluster's registry and domain."""
    folder = tmp_path_factory.mktemp("release")
    remote, path = folder / "remote.git", folder / "todo"
    subprocess.run(["git", "clone", "--quiet", "--bare", "--no-tags", ROOT, remote], check=True)
    subprocess.run(["git", "clone", "--quiet", remote, path], check=True)
    # Releases start from main, but CI checks out a commit and a developer may have another branch.
    for command in (
        ["switch", "--quiet", "--force-create", "main"],
        ["push", "--quiet", "--force", "origin", "main"],
    ):
        subprocess.run(["git", *command], cwd=path, check=True)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    shutil.copy(Path(__file__).with_name("values-small.yaml"), folder)
    registry = f"{cluster.registry}/todo-{secrets.token_hex(4)}"
    _, current = config.list_kube_config_contexts(str(cluster.kubeconfig))
    overlay = folder / "release.overlay.yaml"
    base = yaml.safe_load((ROOT / "release.yaml").read_text(encoding="utf-8"))
    smoke = {"connect_to": running_cluster.HTTPS_ADDRESS, "ca_file": str(ca_file)}
    overlay.write_text(
        yaml.safe_dump(
            {
                "registry": {"repository": registry, "insecure": True},
                "remote": "origin",
                "variables": {"domain": DOMAIN},
                "watch": {"minutes": None},  # without a Prometheus each release would wait for one
                "environments": {
                    name: {
                        "context": current["name"],
                        "values": [*base["environments"][name]["values"], str(folder / "values-small.yaml")],
                        "set": {"ingress.tlsSecret": f"{host}-tls"},
                        "smoke": smoke,
                    }
                    for name, host in HOSTS.items()
                },
            }
        ),
        encoding="utf-8",
    )
    return RepositoryClone(path, overlay)


@pytest.fixture(scope="session")
def first_release(clone: RepositoryClone) -> str:
    """The output of the release of 0.1.0 to both environments, which all tests of the application share."""
    return clone.inv("release", "--version=0.1.0", "--yes").stdout


@pytest.fixture(scope="module")
def shop(
    request: pytest.FixtureRequest,
    cluster: running_cluster.RunningCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ShopClone]:
    """The shop, never released, with environments for the tests of one file."""
    name = request.module.__name__.rpartition("test_")[2].replace("_", "-")
    with ShopClone.created(tmp_path_factory.mktemp(name), name, cluster) as created:
        yield created


@pytest.fixture(scope="session")
def helm_4() -> Path:
    """The program Helm 4: the one that HELM4 names, or one that Go builds once from its module."""
    folder = Path.home() / f".cache/todo/helm-{HELM_4}"
    program = Path(os.environ.get("HELM4", folder / "helm"))
    if not program.exists():
        if shutil.which("go") is None:
            pytest.skip("needs Helm 4: set HELM4 to it, or install Go")
        flags = f"-ldflags=-X=helm.sh/helm/v4/internal/version.version=v{HELM_4}"
        module = f"helm.sh/helm/v4/cmd/helm@v{HELM_4}"
        subprocess.run(["go", "install", flags, module], env={**os.environ, "GOBIN": str(folder)}, check=True)
    return program


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how long each test took and what it measured with `record_property`; whole tables come last."""
    rows, tables = [], []
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport) and report.when == "call":
            file, _, name = report.nodeid.rpartition("/")[2].partition("::")
            part = f" [{report.context.msg}]" if isinstance(report, pytest.SubtestReport) else ""
            measured = ", ".join(
                f"{what} {value}" for what, value in report.user_properties if "\n" not in str(value)
            )
            tables += [str(value) for _, value in report.user_properties if "\n" in str(value)]
            rows.append((file, name + part, f"{report.duration:.1f} s", measured))
    columns = ("file", "test", "took", "measured")
    for line in Table("How long it took", columns, tuple(rows)).lines() if rows else ():
        terminalreporter.write_line(line)
    for table in tables:
        terminalreporter.write_line(f"\n{table}")
