"""Fixtures of the image tests: release.yaml, the images' inputs, and the chart's containers."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from todo_release.adapters.git import Repository
from todo_release.artifacts import images
from todo_release.config.loader import load
from todo_release.config.model import Config

from .dockerfile import Dockerfile

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its Dockerfile as text and parsed, and the files of its build context."""

    name: str
    text: str
    dockerfile: Dockerfile
    inputs: tuple[str, ...]


@pytest.fixture(scope="session")
def config() -> Config:
    """The committed release.yaml."""
    return load(ROOT)


@pytest.fixture(scope="session")
def every_image(config: Config) -> dict[str, Image]:
    """Every image by name."""
    by_name = {}
    for name, settings in config.images.items():
        text = (ROOT / settings.dockerfile).read_text(encoding="utf-8")
        inputs = images.read_image_inputs(Repository(ROOT), config, name)
        names = tuple(file.name for file in inputs.files if file.name != inputs.dockerfile)
        by_name[name] = Image(name, text, Dockerfile.parse(text), names)
    return by_name


@pytest.fixture(params=["frontend", "backend", "mcp", "notification", "sse-gateway"])
def image(request: pytest.FixtureRequest, every_image: dict[str, Image]) -> Image:
    """Each image in turn."""
    return every_image[request.param]


@pytest.fixture(scope="session")
def containers() -> dict[str, list[dict[str, Any]]]:
    """The chart's containers by image, those of Deployments before those of Jobs."""
    rendered = subprocess.run(
        ["helm", "template", "todo-app", str(ROOT / "chart")], capture_output=True, text=True, check=True
    ).stdout
    workloads = [
        item for item in yaml.safe_load_all(rendered) if item and item["kind"] in {"Deployment", "Job"}
    ]
    workloads.sort(key=lambda item: str(item["kind"]))
    by_image: dict[str, list[dict[str, Any]]] = {}
    for workload in workloads:
        for container in workload["spec"]["template"]["spec"]["containers"]:
            name = container["image"].rpartition("/")[2].partition(":")[0]
            by_image.setdefault(name, []).append(container)
    return by_image
