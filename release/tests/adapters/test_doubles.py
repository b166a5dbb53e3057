"""Contracts: the doubles of `doubles.clients` behave as the real clients where the engine relies on it."""

import io
import json
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from todo_embedded.registry import image_registry
from todo_release.adapters.docker_engine import ContainerEngine, DockerEngine
from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.helm.storage import encode_record, last_good
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.registry.client import Registry
from todo_release.errors import RegistryError

from ..doubles.clients import ClusterDouble, ContainerEngineDouble, HelmDouble, RegistryClientDouble
from ..doubles.kubernetes_api import ApiDouble
from ..doubles.pushed_image import push_image
from ..doubles.registry import digest_of

NAMESPACE = "staging"


@dataclass(frozen=True)
class RegistryCase:
    """A registry client, and a function that pushes an image with a tag and returns its digest."""

    client: Any
    push: Callable[[str, str], str]
    path: str


@pytest.fixture(scope="module")
def registry_host() -> Iterator[str]:
    """The host of a real registry."""
    with image_registry() as host:
        yield host


@pytest.fixture(params=["double", "real"])
def registry(request: pytest.FixtureRequest, registry_host: str) -> Iterator[RegistryCase]:
    """An empty repository, in the double and in a real registry."""
    path = f"shop-{uuid.uuid4().hex[:8]}/web"
    if request.param == "double":
        double = RegistryClientDouble()

        def push(tag: str, content: str) -> str:
            digest = digest_of(content.encode())
            double.digests[path, tag], double.build_ids[digest] = digest, content
            return digest

        yield RegistryCase(double, push, path)
        return
    with Registry(registry_host, insecure=True, is_anonymous=True) as client:
        yield RegistryCase(
            client, lambda tag, content: push_image(registry_host, path, tag, build_id=content), path
        )


def test_registry_digest_is_that_of_the_pushed_image(registry: RegistryCase) -> None:
    """A digest is found by tag and by itself, and only in its own repository."""
    digest = registry.push("v1", "a")
    assert registry.client.digest(registry.path, "v1") == digest
    assert registry.client.digest(registry.path, digest) == digest
    assert registry.client.digest("shop/other", digest) is None


def test_registry_digest_of_a_missing_image_is_none(registry: RegistryCase) -> None:
    """A missing image is not an error."""
    registry.push("v1", "a")
    assert registry.client.digest(registry.path, "v2") is None
    assert registry.client.digest(registry.path, digest_of(b"none")) is None
    assert registry.client.digest("no/such", "v1") is None


def test_registry_tag_is_added_and_moved(registry: RegistryCase) -> None:
    """A tag names one image at a time; other tags stay."""
    first, second = registry.push("v1", "a"), registry.push("v2", "b")
    registry.client.tag(registry.path, first, "stable")
    assert registry.client.digest(registry.path, "stable") == first
    registry.client.tag(registry.path, second, "stable")
    assert registry.client.digest(registry.path, "stable") == second
    assert registry.client.digest(registry.path, "v1") == first


def test_registry_resolve_returns_digest_and_environment(registry: RegistryCase) -> None:
    """The engine reads the build id from the image's environment."""
    digest = registry.push("v1", "a")
    image = registry.client.resolve(registry.path, "v1", "linux/amd64")
    assert (image.digest, image.env["BUILD_ID"]) == (digest, "a")
    assert image.size_bytes > 0


@pytest.mark.parametrize("kind", ["double", "real"])
def test_registry_that_is_down_is_an_error(kind: str) -> None:
    """An unreachable registry is not one without images."""
    double = RegistryClientDouble()
    double.is_down = True
    real = Registry("127.0.0.1:1", insecure=True, is_anonymous=True, pause=lambda _seconds: None)
    client = double if kind == "double" else real
    with real, pytest.raises(RegistryError):
        client.digest("shop/web", "v1")


class _DockerDaemon(BaseHTTPRequestHandler):
    """The endpoints of Docker's API that a build and a push use; build arguments decide the digest."""

    protocol_version = "HTTP/1.1"
    built: dict[str, str]

    def do_GET(self) -> None:
        """Answers `version`, as Podman does, so that builds use the API and not buildx."""
        self._answer({"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]})

    def do_POST(self) -> None:
        """Builds, tags or pushes an image."""
        path, _, query = self.path.partition("?")
        self._read_body()
        if path.endswith("/build"):
            image = _parameter(query, "t")
            self.built[image] = digest_of(_parameter(query, "buildargs").encode())
            self._stream({"stream": f"STEP 1/1: FROM scratch ({image})\n"})
        elif path.endswith("/push"):
            name = unquote(path.split("/images/")[1].removesuffix("/push"))
            digest = self.built[f"{name}:{_parameter(query, 'tag')}"]
            self._stream({"status": "pushed"}, {"aux": {"Digest": digest}})
        else:
            self._answer({})

    def _read_body(self) -> None:
        if self.headers["transfer-encoding"] != "chunked":
            self.rfile.read(int(self.headers["content-length"] or 0))
            return
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        self.rfile.readline()

    def _answer(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        self._send_head("Content-Length", str(len(body)))
        self.wfile.write(body)

    def _stream(self, *messages: dict[str, Any]) -> None:
        """Sends each message as a chunk, as Docker does."""
        self._send_head("Transfer-Encoding", "chunked")
        for message in messages:
            chunk = json.dumps(message).encode()
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, name: str, value: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Drops the line."""


def _parameter(query: str, name: str) -> str:
    return parse_qs(query)[name][0]


@pytest.fixture(params=["double", "real"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerEngine]:
    """A container engine: the double, and the real client of a fake daemon."""
    if request.param == "double":
        yield ContainerEngineDouble(RegistryClientDouble())
        return
    handler = type("Handler", (_DockerDaemon,), {"built": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        connected = DockerEngine.connect()
        yield connected
        connected._client.close()  # an open connection is a warning
        server.shutdown()
        thread.join()


def context_of(files: dict[str, str]) -> io.BytesIO:
    """Returns a build context."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


def build_and_push(
    engine: ContainerEngine, reference: str, build_id: str
) -> tuple[str, list[str], list[str]]:
    """Builds and pushes an image; returns its digest and the lines of both."""
    build_lines: list[str] = []
    push_lines: list[str] = []
    engine.build(
        context_of({"Dockerfile": "FROM scratch\n"}),
        dockerfile="Dockerfile",
        tags=[reference],
        build_args={"BUILD_ID": build_id},
        on_line=build_lines.append,
        platform="linux/amd64",
        cache=None,
    )
    return engine.push(reference, on_line=push_lines.append), build_lines, push_lines


def test_engine_push_returns_the_digest_and_both_pass_on_lines(engine: ContainerEngine) -> None:
    """The digest names the content: the same build has the same one, another build another one."""
    digest, build_lines, push_lines = build_and_push(engine, "r.test/shop/web:a", "a")
    assert digest.startswith("sha256:")
    assert len(build_lines) == 1
    assert "r.test/shop/web:a" in build_lines[0]
    assert push_lines
    assert build_and_push(engine, "r.test/shop/web:b", "b")[0] != digest
    assert build_and_push(engine, "r.test/shop/web:a2", "a")[0] == digest


@dataclass(frozen=True)
class HelmCase:
    """A Helm client, and a function that records a revision with a status."""

    client: Any
    record: Callable[[int, str], None]


@pytest.fixture(params=["double", "real"])
def helm(request: pytest.FixtureRequest, cluster: Cluster, api: ApiDouble) -> HelmCase:
    """The double, and the real client with records as Helm writes them in an API server."""
    if request.param == "double":
        double = HelmDouble()

        def add(number: int, status: str) -> None:
            assert number == len(double.revisions) + 1
            double._add(f"1.{number}.0", status, "released")  # prepares a state

        return HelmCase(double, add)

    def store(number: int, status: str) -> None:
        name = f"sh.helm.release.v1.shop.v{number}"
        version = f"1.{number}.0"
        body = {
            "name": "shop",
            "version": number,
            "manifest": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop-web}\n",
            "chart": {"metadata": {"name": "shop", "version": version, "appVersion": version}},
            "info": {"status": status, "description": "released", "last_deployed": "2026-11-24T05:00:00Z"},
        }
        labels = {"owner": "helm", "name": "shop", "version": str(number), "status": status}
        secret = {"metadata": {"name": name, "labels": labels}, "data": {"release": encode_record(body)}}
        api.put(f"api/v1/namespaces/{NAMESPACE}/secrets/{name}", secret)

    return HelmCase(Helm(None, NAMESPACE, cluster=cluster), store)


def test_helm_history_is_oldest_first(helm: HelmCase) -> None:
    """Numbers grow by one; chart and application have the version of the release."""
    assert helm.client.history("shop") == []
    helm.record(1, "superseded")
    helm.record(2, "deployed")
    history = helm.client.history("shop")
    assert [
        (item.number, item.status, item.chart, item.chart_version, item.app_version, item.description)
        for item in history
    ] == [
        (1, "superseded", "shop", "1.1.0", "1.1.0", "released"),
        (2, "deployed", "shop", "1.2.0", "1.2.0", "released"),
    ]


def test_helm_unlock_marks_only_a_pending_revision_as_failed(helm: HelmCase) -> None:
    """The result is the revision before the change; a second call finds nothing to unlock."""
    assert helm.client.unlock("shop") is None
    helm.record(1, "deployed")
    assert helm.client.unlock("shop") is None
    helm.record(2, "pending-upgrade")
    pending = helm.client.unlock("shop")
    assert (pending.number, pending.status) == (2, "pending-upgrade")
    assert [item.status for item in helm.client.history("shop")] == ["deployed", "failed"]
    assert helm.client.unlock("shop") is None


def test_helm_mark_failed_excludes_a_revision_from_rollbacks(helm: HelmCase) -> None:
    """A rollback then goes to the revision before it."""
    helm.record(1, "superseded")
    helm.record(2, "superseded")
    helm.client.mark_failed("shop", 2, "image-missing")
    history = helm.client.history("shop")
    assert (history[1].status, history[1].description) == ("failed", "image-missing")
    good = last_good(history)
    assert good is not None
    assert good.number == 1


def test_helm_manifest_is_that_of_the_release(helm: HelmCase) -> None:
    """The engine reads workloads from it."""
    helm.record(1, "deployed")
    assert (
        helm.client.manifest("shop") == "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop-web}\n"
    )


@pytest.fixture(params=["double", "real"])
def config_maps(request: pytest.FixtureRequest, cluster: Cluster) -> Any:
    """A cluster: the double, and the real client of an API server."""
    return ClusterDouble() if request.param == "double" else cluster


def test_cluster_config_map_is_created_and_replaced(config_maps: Any) -> None:
    """Data is replaced as a whole, and a changed copy does not change the cluster."""
    assert config_maps.get_config_map(NAMESPACE, "records") is None
    config_maps.put_config_map(NAMESPACE, "records", {"a": "1"}, {})
    config_maps.put_config_map(NAMESPACE, "records", {"b": "2"}, {})
    data = config_maps.get_config_map(NAMESPACE, "records")
    assert data == {"b": "2"}
    data["c"] = "3"
    assert config_maps.get_config_map(NAMESPACE, "records") == {"b": "2"}
    assert config_maps.get_config_map("production", "records") is None
