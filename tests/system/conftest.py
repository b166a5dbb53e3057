"""Fixtures of the system tests: a cluster as k8s/cluster-bootstrap leaves it, and a scratch clone.

The clone is what a person of the team has: this repository with a remote, and a file that says which registry
and domain are theirs. Nothing here is imported by the product.
"""

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

from . import standin
from .shopkeeper import Shop

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "todo.test"
HELM_4 = "4.2.4"
HOSTS = {"staging": f"staging.{DOMAIN}", "production": DOMAIN}


@pytest.fixture(scope="session")
def cluster() -> standin.Standin:
    """The running stand-in cluster."""
    return standin.start(ROOT)


@pytest.fixture(scope="session")
def core(cluster: standin.Standin) -> client.CoreV1Api:
    """The Kubernetes API, as its administrator."""
    config.load_kube_config(str(cluster.kubeconfig))
    return client.CoreV1Api()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority behind the ingress's certificates; a new one each time."""
    return trustme.CA()


def _fresh_database(admin_url: str, name: str) -> str:
    """Make an empty database and return its URL as pods see it."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    parts = urlsplit(admin_url)
    credentials = parts.netloc.rpartition("@")[0]
    address = f"{standin.DATABASE_HOST_IN_PODS}:{parts.port}"
    return urlunsplit(parts._replace(netloc=f"{credentials}@{address}", path=f"/{name}"))


def _secret(name: str, values: dict[str, str], kind: str = "Opaque") -> client.V1Secret:
    return client.V1Secret(metadata=client.V1ObjectMeta(name=name), string_data=values, type=kind)


def _kubectl(*arguments: str) -> None:
    done = subprocess.run(["kubectl", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")


def _bootstrap() -> None:
    """Do what the bootstrap runbook does for the cluster itself; Dapr, broker and ingress run already."""
    _kubectl("delete", "namespace", *HOSTS, "--ignore-not-found", "--wait", "--timeout=180s")
    for manifest in ("namespaces.yaml", "priority-classes.yaml"):
        _kubectl("apply", "--filename", str(ROOT / "k8s/cluster-bootstrap" / manifest))


@pytest.fixture(scope="session")
def sidecars(cluster: standin.Standin, monkeypatch_session: pytest.MonkeyPatch) -> None:
    """Dapr's injector as the bootstrap's values have it; else `restricted` namespaces refuse sidecars."""
    for name, value in cluster.env.items():
        monkeypatch_session.setenv(name, value)
    injector = "deployment/dapr-sidecar-injector"
    _kubectl("set", "env", "--namespace=dapr-system", injector, "SIDECAR_DROP_ALL_CAPABILITIES=true")
    _kubectl("rollout", "status", "--namespace=dapr-system", injector, "--timeout=60s")


@pytest.fixture(scope="session")
def environments(
    cluster: standin.Standin,
    core: client.CoreV1Api,
    authority: trustme.CA,
    sidecars: None,
) -> Iterator[None]:
    """Namespaces staging and production with only what bootstrap leaves there: secrets and certificates."""
    _bootstrap()
    for environment, host in HOSTS.items():
        database = _fresh_database(cluster.env["DATABASE_URL"], environment)
        values = {
            "DATABASE_URL": database,
            "FRONTEND_DATABASE_URL": database,
            "BETTER_AUTH_SECRET": secrets.token_urlsafe(32),
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
class Clone:
    """A checkout whose owner works against the stand-in cluster."""

    path: Path
    overlay: Path

    def inv(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `./inv` there as its owner would; on an unexpected exit code the output is the error."""
        command = ["./inv", *arguments, f"--config={self.overlay}"]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=False)
        if check and done.returncode:
            pytest.fail(f"`{' '.join(command)}` exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def git(self, *arguments: str) -> str:
        """Run git there and return what it printed."""
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture(scope="session")
def clone(
    cluster: standin.Standin,
    environments: None,
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
) -> Clone:
    """A clone with a bare remote of its own, and an overlay file with this cluster's registry and domain."""
    folder = tmp_path_factory.mktemp("release")
    remote, path = folder / "remote.git", folder / "todo"
    subprocess.run(["git", "clone", "--quiet", "--bare", "--no-tags", ROOT, remote], check=True)
    subprocess.run(["git", "clone", "--quiet", remote, path], check=True)
    # CI checks out a commit and developers a branch; releases are made from main.
    for command in (
        ["switch", "--quiet", "--force-create", "main"],
        ["push", "--quiet", "--force", "origin", "main"],
    ):
        subprocess.run(["git", *command], cwd=path, check=True)
    trusted = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    shutil.copy(Path(__file__).with_name("values-small.yaml"), folder)
    registry = f"{cluster.registry}/todo-{secrets.token_hex(4)}"
    _, current = config.list_kube_config_contexts(str(cluster.kubeconfig))
    overlay = folder / "release.overlay.yaml"
    base = yaml.safe_load((ROOT / "release.yaml").read_text(encoding="utf-8"))
    smoke = {"connect_to": standin.HTTPS_ADDRESS, "ca_file": str(trusted)}
    overlay.write_text(
        yaml.safe_dump(
            {
                "registry": {"repository": registry, "insecure": True},
                "remote": "origin",
                "variables": {"domain": DOMAIN},
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
    return Clone(path, overlay)


@pytest.fixture(scope="module")
def shop(
    request: pytest.FixtureRequest, cluster: standin.Standin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """The second application, never released, with environments that only the tests of one file use."""
    name = request.module.__name__.rpartition("test_")[2].replace("_", "-")
    with Shop.opened(tmp_path_factory.mktemp(name), name, cluster) as opened:
        yield opened


@pytest.fixture(scope="session")
def helm_4() -> Path:
    """Helm 4: $HELM4 names it, else Go builds it from its module, once."""
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
    """Show how long each test took, and what it measured and gave to `record_property`."""
    rows = []
    for report in (one for found in terminalreporter.stats.values() for one in found):
        if isinstance(report, pytest.TestReport) and report.when == "call":
            file, _, name = report.nodeid.rpartition("/")[2].partition("::")
            part = f" [{report.context.msg}]" if isinstance(report, pytest.SubtestReport) else ""
            measured = ", ".join(f"{what} {value}" for what, value in report.user_properties)
            rows.append((file, name + part, f"{report.duration:.1f} s", measured))
    columns = ("file", "test", "took", "measured")
    for line in Table("How long it took", columns, tuple(rows)).lines() if rows else ():
        terminalreporter.write_line(line)
