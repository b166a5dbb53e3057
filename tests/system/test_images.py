"""The images as a real engine makes them: closed, alive in a pod's confines, sharing what did not change."""

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
from .standin import Standin
from .workshop import Built, Workshop

# Their layers: the base's, the dependencies, the code, and last what a build has of its own.
SERVICES = ("frontend", "backend", "mcp", "notification", "sse-gateway")
PYTHON_SERVICES = SERVICES[1:]
LIMIT_BYTES = 200e6
# All that the services read, of addresses at which nobody answers.
NOWHERE = {
    "BACKEND_URL": "http://127.0.0.1:1",
    "BETTER_AUTH_SECRET": "0" * 32,
    "BETTER_AUTH_URL": "http://localhost",
    "DATABASE_URL": "postgresql://todo:none@127.0.0.1:1/todo",
    "JWKS_URL": "http://127.0.0.1:1/jwks",
    "JWT_ISSUER": "http://localhost",
}
TOOLS = ("pip", "pip3", "uv", "npm", "npx", "corepack", "yarn", "gcc", "cc", "make")
WHICH = ["sh", "-c", f"for tool in {' '.join(TOOLS)}; do command -v $tool; done; true"]


@pytest.fixture(scope="module")
def workshop(
    cluster: Standin, monkeypatch_session: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """A clone, and a place in the cluster's registry that nothing was pushed to before."""
    monkeypatch_session.setenv("DOCKER_HOST", cluster.env["DOCKER_HOST"])
    folder = tmp_path_factory.mktemp("images") / "todo"
    with Workshop.opened(ROOT, folder, f"{cluster.registry}/images-{secrets.token_hex(4)}") as opened:
        yield opened


@pytest.fixture(scope="module")
def built(workshop: Workshop) -> dict[str, Built]:
    """Every image."""
    return {name: workshop.build(name) for name in workshop.config.images}


@dataclass(frozen=True)
class Service:
    """A running container of an image, and where it should answer."""

    name: str
    container: Container
    url: str

    def health(self) -> dict[str, str]:
        """What /healthz answers; empty while it does not."""
        try:
            return dict(httpx2.get(f"{self.url}/healthz").raise_for_status().json())
        except httpx2.TransportError:
            return {}


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest, workshop: Workshop, built: dict[str, Built]) -> Iterator[Service]:
    """Each image in turn, running without any of its neighbours."""
    port = free_port()
    environment = {**NOWHERE, "PORT": str(port)}
    with workshop.container(built[request.param].reference, environment=environment) as container:
        yield Service(request.param, container, f"http://127.0.0.1:{port}")


async def test_service_lives_without_its_neighbours(service: Service, built: dict[str, Built]) -> None:
    """/healthz names service and build with a read-only root, no rights, no database and no bus."""
    await wait_until(service.health, timeout_seconds=60)
    assert service.health() == {
        "status": "ok",
        "service": service.name,
        "build": built[service.name].content_id,
    }


def test_service_is_nobody(service: Service) -> None:
    """The image itself says who runs it, wherever it runs."""
    assert service.container.exec_run(["id", "-u"]).output == b"10001\n"
    assert service.container.exec_run(["id", "-g"]).output == b"10001\n"


def test_image_has_no_tools_to_make_more_of_it(service: Service) -> None:
    """Nothing in it installs packages or compiles."""
    assert service.container.exec_run(WHICH).output == b""
    assert service.container.exec_run(["sh", "-c", "ls /var/lib/apt/lists/*Packages*"]).exit_code != 0


@pytest.mark.parametrize(("base", "tool"), [("python:3.13-slim", b"/pip\n"), ("node:22-slim", b"/npm\n")])
def test_tools_are_found_where_they_are(
    workshop: Workshop, built: dict[str, Built], base: str, tool: bytes
) -> None:
    """The base images have what the images must not have."""
    with workshop.container(base, command=["sleep", "60"]) as container:
        assert tool in container.exec_run(WHICH).output


async def test_service_ends_when_it_is_told_to(service: Service) -> None:
    """SIGTERM reaches the program itself; nobody has to kill it."""
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
    workshop: Workshop, built: dict[str, Built], name: str, command: list[str]
) -> None:
    """It runs as far as the database, which is not there."""
    with workshop.container(built[name].reference, command=command, environment=NOWHERE) as container:
        assert container.wait(timeout=60)["StatusCode"] == 1
        assert b"refused" in container.logs().lower()  # psycopg, or ECONNREFUSED of node


def test_python_services_share_one_layer_of_dependencies(built: dict[str, Built]) -> None:
    """A node pulls and stores it once, in whatever order the services come."""
    assert len({built[name].looks.layers[:-2] for name in PYTHON_SERVICES}) == 1


@pytest.mark.parametrize(
    ("name", "path", "line"),
    [
        ("sse-gateway", "services/sse_gateway/src/todo_sse_gateway/__init__.py", "CHANGED = True"),
        ("frontend", "services/frontend/src/server/log.ts", "export const changed = true;"),
    ],
)
def test_change_of_code_leaves_the_layers_of_dependencies(
    workshop: Workshop, built: dict[str, Built], name: str, path: str, line: str
) -> None:
    """A release of new code pulls kilobytes: dependencies and base are on the node already."""
    with workshop.changed(path, line):
        changed = workshop.build(name)
    assert changed.looks.layers[:-2] == built[name].looks.layers[:-2]
    assert changed.looks.layers[-2] != built[name].looks.layers[-2]


def test_build_has_its_own_id_and_shares_all_layers_but_the_last(
    workshop: Workshop, built: dict[str, Built]
) -> None:
    """The second build of one content does not get the first one's id from the cache."""

    def build(context: Any, dockerfile: str, reference: str) -> None:
        DockerEngine.connect().build(
            context,
            dockerfile=dockerfile,
            tags=[reference],
            build_args={"BUILD_ID": "another"},
            on_line=lambda line: None,
        )

    again = workshop.build_from("backend", build)
    assert again.layers[:-1] == built["backend"].looks.layers[:-1]
    assert "BUILD_ID=another" in again.environment
    assert f"BUILD_ID={built['backend'].content_id}" in built["backend"].looks.environment


def test_dependencies_are_the_same_layer_from_any_builder(
    workshop: Workshop, built: dict[str, Built]
) -> None:
    """Another machine, which has nothing cached, makes the same bytes of the same lock."""

    def build(context: Any, dockerfile: str, reference: str) -> None:
        workshop.engine.images.build(
            fileobj=context, custom_context=True, dockerfile=dockerfile, tag=reference, nocache=True, rm=True
        )

    assert workshop.build_from("mcp", build).layers[:-2] == built["mcp"].looks.layers[:-2]


def test_images_add_little_to_their_base(
    workshop: Workshop,
    built: dict[str, Built],
    pytestconfig: pytest.Config,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is ours is bounded, the base is what it is; all sizes are shown as a table."""
    bases = {name: "node:22-slim" if name == "frontend" else "python:3.13-slim" for name in built}
    added = {name: image.looks.size - workshop.look_at(bases[name]).size for name, image in built.items()}
    rows = []
    for name, image in built.items():
        sizes = (f"{size / 1e6:.0f} MB" for size in (image.looks.size, added[name], image.packed))
        rows.append((name, *sizes, f"{image.seconds:.0f} s"))
    columns = ("image", "unpacked", "of it ours", "in the registry", "built and pushed in")
    table = "\n".join(Table("Images", columns, tuple(rows)).lines())
    with capsys.disabled():
        pytestconfig.get_terminal_writer().line(f"\n{table}")
    assert {name: size for name, size in added.items() if size > LIMIT_BYTES} == {}
