"""A second, tiny application in a repository of its own, and whoever releases it from the command line.

It is what lies in `shop/`: two services, a chart, release.yaml. A release of it takes seconds, so every way
in which a release can end is tried on it.
"""

import itertools
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx2
import yaml

from . import standin
from .running import Run, Told, wait_until

HERE = Path(__file__).parent
TASKS = HERE.parents[1] / "tasks.py"
INV = Path(sys.executable).with_name("inv")
# Without these a registry translates into an old form, in which the tag is a part.
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
ENVIRONMENTS = ("staging", "production")
OWNER = {"NAME": "Rita", "EMAIL": "rita@example.com"}
# Nobody's own settings of git, and a name.
GIT = {
    **{f"GIT_{role}_{what}": OWNER[what] for role in ("AUTHOR", "COMMITTER") for what in OWNER},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Shop:
    """One clone of the application's repository; all clones share remote, registry and environments.

    `name` keeps its namespaces, Helm releases and images apart from those of other tests.
    """

    name: str
    path: Path
    overlay: Path
    registry: str
    environ: Mapping[str, str]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, name: str, cluster: standin.Standin) -> Iterator[Self]:
        """Make remote, clone and namespaces; the namespaces go afterwards, unless $KEEP is set."""
        path = folder / "shop"
        shutil.copytree(HERE / "shop", path)
        shutil.copy(TASKS, path)
        registry = f"{cluster.registry}/shop-{name}-{secrets.token_hex(4)}"
        shop = cls(name, path, folder / "release.overlay.yaml", registry, cluster.environ() | GIT)
        shop.overlay.write_text(yaml.safe_dump(shop._overlay(cluster)), encoding="utf-8")
        _git(path, "init", "--quiet", "--initial-branch=main")
        _git(path, "add", "--all")
        _git(path, "commit", "--quiet", "--message=shop: Open.")
        _git(path, "clone", "--quiet", "--bare", str(path), str(folder / "remote.git"))
        _git(path, "remote", "add", "origin", str(folder / "remote.git"))
        _git(path, "fetch", "--quiet", "origin")
        shop._make_namespaces()
        yield shop
        if "KEEP" not in os.environ:
            shop.kubectl("delete", "namespace", *map(shop.namespace, ENVIRONMENTS), "--wait=false")

    def _overlay(self, cluster: standin.Standin) -> dict[str, Any]:
        context = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))["current-context"]
        return {
            "registry": {"repository": self.registry, "insecure": True},
            "variables": {"domain": f"{self.name}.test"},
            "smoke": {"connect_to": standin.HTTP_ADDRESS},
            "environments": {
                each: {"context": context, "namespace": self.namespace(each), "release": self.namespace(each)}
                for each in ENVIRONMENTS
            },
        }

    def _make_namespaces(self) -> None:
        for each in ENVIRONMENTS:
            self.make_namespace(self.namespace(each))

    def make_namespace(self, name: str) -> None:
        """Make a namespace as every environment of the application needs it, instead of any that is there."""
        self.kubectl("delete", "namespace", name, "--ignore-not-found")
        self.kubectl("create", "namespace", name)
        self.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        self.kubectl("create", "secret", "generic", "shop", "--from-literal=KEY=1", f"--namespace={name}")

    def another_clone(self, path: Path) -> Self:
        """Somebody else's clone."""
        _git(self.path, "clone", "--quiet", self.git("remote", "get-url", "origin"), str(path))
        return replace(self, path=path)

    def with_helm(self, program: Path) -> Self:
        """The same clone, of somebody who has another Helm."""
        return self.with_environ(PATH=f"{program.parent}{os.pathsep}{self.environ['PATH']}")

    def with_environ(self, **variables: str) -> Self:
        """The same clone, of somebody who has more in their environment."""
        return replace(self, environ={**self.environ, **variables})

    def namespace(self, environment: str) -> str:
        """The namespace of an environment, which is also its Helm release."""
        return f"shop-{self.name}-{environment}"

    def workload(self, environment: str, service: str) -> str:
        """A service's Deployment, as kubectl calls it."""
        return f"deployment/{self.namespace(environment)}-{service}"

    def next_version(self) -> str:
        """A version that was not released yet."""
        return f"0.{next(self._numbers)}.0"

    # What a developer does

    def git(self, *arguments: str) -> str:
        """Run git in the clone."""
        return _git(self.path, *arguments)

    def change(self, service: str, page: str) -> None:
        """Commit another page, so that the service's image is another one."""
        (self.path / service / "page.txt").write_text(f"{page}\n", encoding="utf-8")
        self.git("commit", "--quiet", "--all", f"--message={service}: Show {page!r}.")

    def configure(self, environment: str, values: Mapping[str, Any]) -> None:
        """Commit values of an environment in place of those it had; nothing when they are the same."""
        path = self.path / f"chart/values-{environment}.yaml"
        text = yaml.safe_dump(dict(values))
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            self.git("commit", "--quiet", "--all", f"--message=chart: Configure {environment}.")

    # What whoever releases does

    def start(
        self,
        task: str,
        *arguments: str,
        killed_at: Callable[[Told], bool] | None = None,
        in_shell: bool = False,
    ) -> Run:
        """Start a task of the engine, from a shell or not; it agrees to everything and answers in JSON."""
        command = [str(INV), task, *arguments, f"--config={self.overlay}", "--json", "--yes"]
        if in_shell:
            command = ["bash", "-e", "-c", f"{shlex.join(command)}; exit"]
        return Run(command, cwd=self.path, environ=self.environ, killed_at=killed_at)

    def run(self, task: str, *arguments: str, code: int = 0) -> Run:
        """Run a task of the engine to its end, which must be that exit code."""
        run = self.start(task, *arguments)
        ended = run.code()
        assert ended == code, f"`inv {task} {' '.join(arguments)}` exited with {ended}, not {code}:\n{run}"
        return run

    def plan(self, version: str) -> list[str]:
        """The ids of the steps of a release."""
        told = self.run("plan", f"--version={version}").until(lambda told: told["event"] == "plan")
        return [step["id"] for step in told["steps"]]

    def table(self, task: str, *arguments: str, code: int = 0) -> list[dict[str, str]]:
        """The rows of the first table that a task shows."""
        run = self.run(task, *arguments, code=code)
        return list(run.until(lambda told: told["event"] == "table")["rows"])

    # What anybody can see

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl as the cluster's administrator."""
        done = subprocess.run(
            ["kubectl", *arguments], env=dict(self.environ), check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def container(self, environment: str, service: str) -> dict[str, Any]:
        """What the Deployment of a service says of its container."""
        name = f"{self.namespace(environment)}-{service}"
        (found,) = [
            one for one in self.objects(environment, "deployments") if one["metadata"]["name"] == name
        ]
        return dict(found["spec"]["template"]["spec"]["containers"][0])

    def objects(self, environment: str, kinds: str) -> list[Any]:
        """Objects of some kinds (as kubectl lists them) in an environment."""
        printed = self.kubectl("get", kinds, f"--namespace={self.namespace(environment)}", "--output=json")
        return list(json.loads(printed)["items"])

    def versions_of_everything(self) -> dict[str, str]:
        """Resource version of every object in the environments, digest of every tag, commit of every ref."""
        kinds = self.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
        stored = ",".join(kind for kind in kinds if not kind.endswith("metrics.k8s.io"))
        found = {
            f"{environment} {one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
            for environment in ENVIRONMENTS
            for one in self.objects(environment, stored)
        }
        for image in ("web", "api"):
            found |= {f"{image}:{tag}": self.digest(image, tag) for tag in self.tags(image)}
        refs = self.git("ls-remote", "origin").splitlines()
        return found | {f"remote {ref}": commit for commit, ref in (line.split("\t") for line in refs)}

    def tags(self, image: str) -> list[str]:
        """The tags that the registry has of an image."""
        host, _, path = self.registry.partition("/")
        answer = httpx2.get(f"http://{host}/v2/{path}/{image}/tags/list")
        return sorted(answer.json()["tags"] or []) if answer.status_code == 200 else []

    def digest(self, image: str, tag: str) -> str:
        """The digest that a tag of an image names."""
        answer = httpx2.head(self.manifest_url(image, tag), headers={"accept": MANIFESTS}).raise_for_status()
        return str(answer.headers["docker-content-digest"])

    def manifest_url(self, image: str, reference: str) -> str:
        """Where the registry has a manifest."""
        host, _, path = self.registry.partition("/")
        return f"http://{host}/v2/{path}/{image}/manifests/{reference}"

    def start_helm(self, environment: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Helm as somebody does who uses it by hand, in the clone."""
        command = ["helm", *arguments, f"--namespace={self.namespace(environment)}"]
        return subprocess.Popen(
            command, cwd=self.path, env=dict(self.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def helm(self, environment: str, *arguments: str) -> str:
        """Run Helm by hand to its end and return what it printed."""
        with self.start_helm(environment, *arguments) as process:
            printed, said = process.communicate()
        assert process.returncode == 0, f"helm {' '.join(arguments)}: {said.decode()}"
        return printed.decode()

    def history(self, environment: str) -> list[dict[str, Any]]:
        """Helm's history, oldest first; empty when there is none."""
        release = self.namespace(environment)
        if release not in self.helm(environment, "list", "--all", "--short").split():
            return []
        return list(json.loads(self.helm(environment, "history", release, "--max=100", "--output=json")))

    def records(self, environment: str) -> list[dict[str, Any]]:
        """The engine's records, oldest first."""
        namespace = self.namespace(environment)
        found = self.kubectl(
            "get", "configmap", f"{namespace}-releases", f"--namespace={namespace}", "--output=json"
        )
        data = json.loads(found)["data"]
        return [json.loads(data[key]) for key in sorted(data)]

    def answer(self, environment: str, path: str = "/web") -> dict[str, Any]:
        """What the application answers through the ingress."""
        return dict(
            httpx2.get(f"http://{standin.HTTP_ADDRESS}{path}", headers={"host": self.host(environment)})
            .raise_for_status()
            .json()
        )

    def wait_for_page(self, environment: str, page: str) -> None:
        """Wait until the ingress, too, knows that another page is served."""

        def is_served() -> bool:
            try:
                return bool(self.answer(environment)["page"] == page)
            except httpx2.HTTPError:
                return False

        wait_until(is_served, timeout_seconds=20, what=f"page {page!r} in {environment}")

    def host(self, environment: str) -> str:
        """The name the application has in the ingress."""
        return f"{'staging.' if environment == 'staging' else ''}{self.name}.test"


def _git(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=path, env=os.environ | GIT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()
