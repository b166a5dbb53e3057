"""A clone of the shop, a second, small application, and everything that a test does with it.

The application is in `shop/`: two services, a chart, release.yaml. A release of it takes seconds, so tests
use it for every way in which a release can end.
"""

import itertools
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx2
import yaml

from . import running_cluster
from .engine_run import Condition, EngineRun, is_event, wait_until

HERE = Path(__file__).parent
TASKS = HERE.parents[1] / "tasks.py"
INV = Path(sys.executable).with_name("inv")
# Without these types a registry converts a manifest to the old schema, whose digest depends on the tag.
MANIFEST_TYPES = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
ENVIRONMENTS = ("staging", "production")
OWNER = {"NAME": "Rita", "EMAIL": "rita@example.com"}
# Git with an author and without the settings of this machine.
GIT = {
    **{f"GIT_{role}_{what}": OWNER[what] for role in ("AUTHOR", "COMMITTER") for what in OWNER},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class ShopClone:
    """One clone of the shop's repository; all clones share remote, registry and environments.

    `name` makes namespaces, Helm releases and images different from those of other tests.
    """

    name: str
    path: Path
    overlay: Path
    registry: str
    environ: Mapping[str, str]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    @contextmanager
    def created(cls, folder: Path, name: str, cluster: running_cluster.RunningCluster) -> Iterator[Self]:
        """Creates remote, clone and namespaces; deletes the namespaces afterwards unless KEEP is set."""
        path = folder / "shop"
        shutil.copytree(HERE / "shop", path)
        shutil.copy(TASKS, path)
        registry = f"{cluster.registry}/shop-{name}-{secrets.token_hex(4)}"
        shop = cls(name, path, folder / "release.overlay.yaml", registry, cluster.environ() | GIT)
        shop.overlay.write_text(yaml.safe_dump(shop._overlay(cluster)), encoding="utf-8")
        _git(path, "init", "--quiet", "--initial-branch=main")
        _git(path, "add", "--all")
        _git(path, "commit", "--quiet", "--message=shop: Add the application.")
        _git(path, "clone", "--quiet", "--bare", str(path), str(folder / "remote.git"))
        _git(path, "remote", "add", "origin", str(folder / "remote.git"))
        _git(path, "fetch", "--quiet", "origin")
        for environment in ENVIRONMENTS:
            shop.create_namespace(shop.namespace(environment))
        yield shop
        if "KEEP" not in os.environ:
            shop.kubectl("delete", "namespace", *map(shop.namespace, ENVIRONMENTS), "--wait=false")

    def _overlay(self, cluster: running_cluster.RunningCluster) -> dict[str, Any]:
        context = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))["current-context"]
        return {
            "registry": {"repository": self.registry, "insecure": True},
            "variables": {"domain": f"{self.name}.test"},
            "smoke": {"connect_to": running_cluster.HTTP_ADDRESS},
            "environments": {
                name: {"context": context, "namespace": self.namespace(name), "release": self.namespace(name)}
                for name in ENVIRONMENTS
            },
        }

    def create_namespace(self, name: str) -> None:
        """Creates a namespace with the Secret that the shop needs, in place of an existing one."""
        self.kubectl("delete", "namespace", name, "--ignore-not-found")
        self.kubectl("create", "namespace", name)
        self.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        self.kubectl("create", "secret", "generic", "shop", "--from-literal=KEY=1", f"--namespace={name}")

    def another_clone(self, path: Path) -> Self:
        """Returns another clone of the remote, in a new folder."""
        _git(self.path, "clone", "--quiet", self.git("remote", "get-url", "origin"), str(path))
        return replace(self, path=path)

    def with_helm(self, program: Path) -> Self:
        """Returns the same clone with another Helm on PATH."""
        return self.with_environ(PATH=f"{program.parent}{os.pathsep}{self.environ['PATH']}")

    def with_environ(self, **variables: str) -> Self:
        """Returns the same clone with more environment variables."""
        return replace(self, environ={**self.environ, **variables})

    def namespace(self, environment: str) -> str:
        """Returns the namespace of an environment, which is also its Helm release."""
        return f"shop-{self.name}-{environment}"

    def workload(self, environment: str, service: str) -> str:
        """Returns a service's Deployment in the form that kubectl reads."""
        return f"deployment/{self.namespace(environment)}-{service}"

    def next_version(self) -> str:
        """Returns a version that was not released yet."""
        return f"0.{next(self._numbers)}.0"

    # Changes of the repository

    def git(self, *arguments: str) -> str:
        """Runs git in the clone and returns its output."""
        return _git(self.path, *arguments)

    def change(self, service: str, page: str) -> None:
        """Commits another page, which makes another image of the service."""
        (self.path / service / "page.txt").write_text(f"{page}\n", encoding="utf-8")
        self.git("commit", "--quiet", "--all", f"--message={service}: Show {page!r}.")

    def configure(self, environment: str, values: Mapping[str, Any]) -> None:
        """Commits the values of an environment; does nothing when it has the same values already."""
        path = self.path / f"chart/values-{environment}.yaml"
        text = yaml.safe_dump(dict(values))
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            self.git("commit", "--quiet", "--all", f"--message=chart: Configure {environment}.")

    # Commands of the engine

    def start(
        self,
        task: str,
        *arguments: str,
        kill_when: Condition | None = None,
        in_shell: bool = False,
    ) -> EngineRun:
        """Starts a task of the engine with `--yes` and `--json`, if wanted as a child of a shell."""
        command = [str(INV), task, *arguments, f"--config={self.overlay}", "--json", "--yes"]
        if in_shell:
            command = ["bash", "-e", "-c", f"{shlex.join(command)}; exit"]
        return EngineRun(command, cwd=self.path, environ=self.environ, kill_when=kill_when)

    def run(self, task: str, *arguments: str, exit_code: int = 0) -> EngineRun:
        """Runs a task of the engine to its end and checks its exit code."""
        run = self.start(task, *arguments)
        code = run.exit_code()
        assert code == exit_code, (
            f"`inv {task} {' '.join(arguments)}` exited with {code}, not {exit_code}:\n{run}"
        )
        return run

    def plan(self, version: str) -> list[str]:
        """Returns the ids of the steps of a release."""
        event = self.run("plan", f"--version={version}").wait_for(is_event("plan"))
        return [step["id"] for step in event["steps"]]

    def table(self, task: str, *arguments: str, exit_code: int = 0) -> list[dict[str, str]]:
        """Returns the rows of the first table that a task shows."""
        run = self.run(task, *arguments, exit_code=exit_code)
        return list(run.wait_for(is_event("table"))["rows"])

    # State of cluster, registry and remote

    def kubectl(self, *arguments: str) -> str:
        """Runs kubectl as the cluster's administrator and returns its output."""
        result = subprocess.run(
            ["kubectl", *arguments], env=dict(self.environ), check=False, capture_output=True, text=True
        )
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout

    def container(self, environment: str, service: str) -> dict[str, Any]:
        """Returns the container in a service's Deployment."""
        name = f"{self.namespace(environment)}-{service}"
        (deployment,) = [
            deployment
            for deployment in self.objects(environment, "deployments")
            if deployment["metadata"]["name"] == name
        ]
        return dict(deployment["spec"]["template"]["spec"]["containers"][0])

    def objects(self, environment: str, kinds: str) -> list[Any]:
        """Returns the objects of some kinds, comma-separated, in an environment."""
        printed = self.kubectl("get", kinds, f"--namespace={self.namespace(environment)}", "--output=json")
        return list(json.loads(printed)["items"])

    def state(self) -> dict[str, str]:
        """Returns every object's resource version, every tag's digest and every ref's commit."""
        kinds = self.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
        stored = ",".join(kind for kind in kinds if not kind.endswith("metrics.k8s.io"))
        state = {
            f"{environment} {item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for environment in ENVIRONMENTS
            for item in self.objects(environment, stored)
        }
        for image in ("web", "api"):
            state |= {f"{image}:{tag}": self.digest(image, tag) for tag in self.tags(image)}
        refs = self.git("ls-remote", "origin").splitlines()
        return state | {f"remote {ref}": commit for commit, ref in (line.split("\t") for line in refs)}

    def tags(self, image: str) -> list[str]:
        """Returns the tags of an image in the registry."""
        host, _, path = self.registry.partition("/")
        answer = httpx2.get(f"http://{host}/v2/{path}/{image}/tags/list")
        return sorted(answer.json()["tags"] or []) if answer.status_code == 200 else []

    def digest(self, image: str, tag: str) -> str:
        """Returns the digest behind a tag of an image."""
        answer = httpx2.head(self.manifest_url(image, tag), headers={"accept": MANIFEST_TYPES})
        return str(answer.raise_for_status().headers["docker-content-digest"])

    def manifest_url(self, image: str, reference: str) -> str:
        """Returns the registry's URL of a manifest."""
        host, _, path = self.registry.partition("/")
        return f"http://{host}/v2/{path}/{image}/manifests/{reference}"

    def start_helm(self, environment: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts Helm by hand in the clone."""
        command = ["helm", *arguments, f"--namespace={self.namespace(environment)}"]
        return subprocess.Popen(
            command, cwd=self.path, env=dict(self.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def helm(self, environment: str, *arguments: str) -> str:
        """Runs Helm by hand and returns its output."""
        with self.start_helm(environment, *arguments) as process:
            output, error_output = process.communicate()
        assert process.returncode == 0, f"helm {' '.join(arguments)}: {error_output.decode()}"
        return output.decode()

    def history(self, environment: str) -> list[dict[str, Any]]:
        """Returns Helm's history, oldest first; empty when there is no release."""
        release = self.namespace(environment)
        if release not in self.helm(environment, "list", "--all", "--short").split():
            return []
        return list(json.loads(self.helm(environment, "history", release, "--max=100", "--output=json")))

    def records(self, environment: str) -> list[dict[str, Any]]:
        """Returns the engine's records, oldest first."""
        namespace = self.namespace(environment)
        printed = self.kubectl(
            "get", "configmap", f"{namespace}-releases", f"--namespace={namespace}", "--output=json"
        )
        data = json.loads(printed)["data"]
        return [json.loads(data[key]) for key in sorted(data)]

    def answer(self, environment: str, path: str = "/web") -> dict[str, Any]:
        """Returns the application's answer through the ingress."""
        url = f"http://{running_cluster.HTTP_ADDRESS}{path}"
        answer = httpx2.get(url, headers={"host": self.host(environment)})
        return dict(answer.raise_for_status().json())

    def wait_for_page(self, environment: str, page: str) -> None:
        """Waits until the ingress, too, serves a page."""

        def is_served() -> bool:
            try:
                return bool(self.answer(environment)["page"] == page)
            except httpx2.HTTPError:
                return False

        wait_until(is_served, timeout_seconds=20, what=f"page {page!r} in {environment}")

    def host(self, environment: str) -> str:
        """Returns the application's host name in the ingress."""
        return f"{'staging.' if environment == 'staging' else ''}{self.name}.test"


def _git(path: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", *arguments], cwd=path, env=os.environ | GIT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"git {' '.join(arguments)}: {result.stderr}"
    return result.stdout.strip()
