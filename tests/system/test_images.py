"""The images that a real engine builds: minimal, running with a pod's limits, and sharing layers."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from docker.models.containers import Container

from todo_embedded.ports import free_port
from todo_kit.testing import wait_until
from todo_release.adapters.docker_engine import DockerEngine
from todo_release.core.tables import Table

from .conftest import ROOT
from .image_builder import BuiltImage, ImageBuilder
from .running_cluster import RunningCluster

# The layers of each: the base image's, the dependencies, the code, and last one that is unique to the build.
SERVICES = ("frontend", "backend", "mcp", "notification", "sse-gateway")
PYTHON_SERVICES = SERVICES[1:]
LIMIT_BYTES = 200e6
# All settings that the services require, with addresses where nothing listens.
UNREACHABLE = {
    "APP_API_TOKEN": "0" * 32,
    "BACKEND_URL": "http://127.0.0.1:1",
    "BETTER_AUTH_SECRET": "0" * 32,
    "BETTER_AUTH_URL": "http://localhost",
    "DAPR_API_TOKEN": "0" * 32,
    "DATABASE_URL": "postgresql://todo:none@127.0.0.1:1/todo",
    "JWKS_URL": "http://127.0.0.1:1/jwks",
    "JWT_ISSUER": "http://localhost",
}
TOOLS = ("pip", "pip3", "uv", "npm", "npx", "corepack", "yarn", "gcc", "cc", "make")
WHICH = ["sh", "-c", f"for tool in {' '.join(TOOLS)}; do command -v $tool; done; true"]


@pytest.fixture(scope="module")
def builder(
    cluster: RunningCluster, monkeypatch_session: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageBuilder]:
    """A builder that pushes to an unused repository in the cluster's registry."""
    monkeypatch_session.setenv("DOCKER_HOST", cluster.env["DOCKER_HOST"])
    folder = tmp_path_factory.mktemp("images") / "todo"
    repository = f"{cluster.registry}/images-{secrets.token_hex(4)}"
    with ImageBuilder.of_clone(ROOT, folder, repository) as created:
        yield created


@pytest.fixture(scope="module")
def built(builder: ImageBuilder) -> dict[str, BuiltImage]:
    """All images, by name."""
    return {name: builder.build(name) for name in builder.config.images}


@dataclass(frozen=True)
class RunningService:
    """A running container of an image, and its URL."""

    name: str
    container: Container
    url: str

    def health(self) -> dict[str, str]:
        """Returns the answer of /healthz; empty while there is none."""
        try:
            return dict(httpx2.get(f"{self.url}/healthz").raise_for_status().json())
        except httpx2.TransportError:
            return {}


@pytest.fixture(scope="module", params=SERVICES)
def service(
    request: pytest.FixtureRequest, builder: ImageBuilder, built: dict[str, BuiltImage]
) -> Iterator[RunningService]:
    """Each image in turn, running without the other services."""
    port = free_port()
    environment = {**UNREACHABLE, "PORT": str(port)}
    with builder.container(built[request.param].reference, environment=environment) as container:
        yield RunningService(request.param, container, f"http://127.0.0.1:{port}")


async def test_service_is_healthy_without_the_other_services(
    service: RunningService, built: dict[str, BuiltImage]
) -> None:
    """/healthz names service and build with a read-only root, no capabilities, no database and no bus."""
    await wait_until(service.health, timeout_seconds=60)
    assert service.health() == {
        "status": "ok",
        "service": service.name,
        "build": built[service.name].content_id,
    }


def test_service_runs_as_an_unprivileged_user(service: RunningService) -> None:
    """The image itself sets user and group, so that they hold wherever it runs."""
    assert service.container.exec_run(["id", "-u"]).output == b"10001\n"
    assert service.container.exec_run(["id", "-g"]).output == b"10001\n"


def test_image_has_no_build_tools(service: RunningService) -> None:
    """The image has no package manager, no compiler and no package lists."""
    assert service.container.exec_run(WHICH).output == b""
    assert service.container.exec_run(["sh", "-c", "ls /var/lib/apt/lists/*Packages*"]).exit_code != 0


@pytest.mark.parametrize(("base", "tool"), [("python:3.13-slim", b"/pip\n"), ("node:22-slim", b"/npm\n")])
def test_base_image_has_build_tools(
    builder: ImageBuilder, built: dict[str, BuiltImage], base: str, tool: bytes
) -> None:
    """The search finds tools in the base images, which have them."""
    with builder.container(base, command=["sleep", "60"]) as container:
        assert tool in container.exec_run(WHICH).output


async def test_service_ends_on_sigterm(service: RunningService) -> None:
    """SIGTERM reaches the program itself, so it needs no SIGKILL."""
    await wait_until(service.health, timeout_seconds=60)
    service.container.stop(timeout=30)
    service.container.reload()
    assert service.container.attrs["State"]["ExitCode"] != 137


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("backend", ["python", "-m", "todo_backend.migrate"]),
        ("notification", ["python", "-m", "todo_notification.migrate"]),
        ("frontend", ["node", "migrate.mjs"]),
    ],
)
def test_migration_is_in_the_image(
    builder: ImageBuilder, built: dict[str, BuiltImage], name: str, command: list[str]
) -> None:
    """The migration starts and fails at the database, which is unreachable."""
    with builder.container(built[name].reference, command=command, environment=UNREACHABLE) as container:
        assert container.wait(timeout=60)["StatusCode"] == 1
        assert b"refused" in container.logs().lower()  # psycopg, or ECONNREFUSED of node


def test_python_services_share_their_layers_of_dependencies(built: dict[str, BuiltImage]) -> None:
    """All share a layer of dependencies, and the services with a database share a second one on top of it."""
    layers = {name: built[name].facts.layers[:-2] for name in PYTHON_SERVICES}
    assert layers["mcp"] == layers["sse-gateway"]
    assert layers["backend"] == layers["notification"]
    assert layers["backend"][:-1] == layers["mcp"]


@pytest.mark.parametrize(
    ("name", "path", "line"),
    [
        ("sse-gateway", "services/sse_gateway/src/todo_sse_gateway/__init__.py", "CHANGED = True"),
        ("frontend", "services/frontend/src/server/log.ts", "export const changed = true;"),
    ],
)
def test_change_of_code_leaves_the_layers_of_dependencies(
    builder: ImageBuilder, built: dict[str, BuiltImage], name: str, path: str, line: str
) -> None:
    """A release of new code pulls kilobytes, because dependencies and base are on the node already."""
    with builder.with_line(path, line):
        changed = builder.build(name)
    assert changed.facts.layers[:-2] == built[name].facts.layers[:-2]
    assert changed.facts.layers[-2] != built[name].facts.layers[-2]


def test_build_has_its_own_id_and_shares_all_layers_but_the_last(
    builder: ImageBuilder, built: dict[str, BuiltImage]
) -> None:
    """A second build of the same content does not take the first one's id from the cache."""

    def build(context: Any, dockerfile: str, reference: str) -> None:
        DockerEngine.connect().build(
            context,
            dockerfile=dockerfile,
            tags=[reference],
            build_args={"BUILD_ID": "another"},
            on_line=lambda line: None,
        )

    again = builder.build_with("backend", build)
    assert again.layers[:-1] == built["backend"].facts.layers[:-1]
    assert "BUILD_ID=another" in again.environment
    assert f"BUILD_ID={built['backend'].content_id}" in built["backend"].facts.environment


def test_dependencies_are_the_same_layer_from_any_builder(
    builder: ImageBuilder, built: dict[str, BuiltImage]
) -> None:
    """A builder without a cache makes the same bytes from the same lock file."""

    def build(context: Any, dockerfile: str, reference: str) -> None:
        builder.engine.images.build(
            fileobj=context, custom_context=True, dockerfile=dockerfile, tag=reference, nocache=True, rm=True
        )

    assert builder.build_with("mcp", build).layers[:-2] == built["mcp"].facts.layers[:-2]


def test_images_add_little_to_their_base(
    builder: ImageBuilder,
    built: dict[str, BuiltImage],
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each image adds less than the limit to its base; a table shows all sizes."""
    bases = {name: "node:22-slim" if name == "frontend" else "python:3.13-slim" for name in built}
    added = {
        name: image.facts.size_bytes - builder.inspect(bases[name]).size_bytes
        for name, image in built.items()
    }
    rows = []
    for name, image in built.items():
        sizes = (image.facts.size_bytes, added[name], image.compressed_bytes)
        rows.append((name, *(f"{size / 1e6:.0f} MB" for size in sizes), f"{image.seconds:.0f} s"))
    columns = ("image", "unpacked", "beyond the base", "in the registry", "built and pushed in")
    table = "\n".join(Table("Images", columns, tuple(rows)).lines())
    with capsys.disabled():
        pytestconfig.get_terminal_writer().line(f"\n{table}")
    assert {name: size for name, size in added.items() if size > LIMIT_BYTES} == {}
