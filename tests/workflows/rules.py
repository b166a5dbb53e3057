"""What every workflow and action here must be like, beside what zizmor and GitHub's schema check.

A rule takes a file and tells each mistake in it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from .shell import calls
from .tree import RELEASE

USES = re.compile(r"^\s*(?:- )?uses: (\S+)(?: # (\S+))?$", re.MULTILINE)
ELSEWHERE = re.compile(r"([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([0-9a-f]{40})")
CONTEXT = re.compile(r"\bdo-[a-z]+\d-[\w-]+")
REASONED = re.compile(r"persist-credentials: true # \w+")
KEEPS_CREDENTIALS = {"release", "promote"}
FORBIDDEN_TRIGGERS = {"workflow_run", "pull_request_target"}
LINES = 2
PINS: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("pins.yaml").read_text())


@dataclass(frozen=True)
class Automation:
    """A workflow, or an action when it has no jobs."""

    text: str

    @cached_property
    def body(self) -> dict[Any, Any]:
        """The file as YAML; `on` is a truth value there."""
        return dict(yaml.safe_load(self.text))

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs that have steps of their own."""
        return {name: job for name, job in self.body.get("jobs", {}).items() if "steps" in job}

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Every step, of all jobs or of the action."""
        return [
            step for job in (*self.jobs.values(), self.body.get("runs", {})) for step in job.get("steps", ())
        ]


def permissions(file: Automation) -> Iterator[str]:
    """Nothing is allowed but what a job says that it needs."""
    if file.body.get("permissions") != {}:
        yield "permissions at the top are not {}"
    for name, job in file.body["jobs"].items():
        if "permissions" not in job:
            yield f"{name} says no permissions"


def limits(file: Automation) -> Iterator[str]:
    """No job runs for hours because something hangs."""
    yield from (
        f"{name} has no timeout-minutes" for name, job in file.jobs.items() if "timeout-minutes" not in job
    )


def triggers(file: Automation) -> Iterator[str]:
    """A change of somebody else must never run with this repository's rights."""
    found = file.body.get(True) or {}
    yield from (f"{one} must not start it" for one in sorted(FORBIDDEN_TRIGGERS & set(found)))


def pins(file: Automation) -> Iterator[str]:
    """Every action is one that was looked at, by commit; tags can be moved."""
    for name, tag in USES.findall(file.text):
        if name.startswith("$/"):
            continue
        found = ELSEWHERE.fullmatch(name)
        known = PINS.get(found[1]) if found else None
        if found is None:
            yield f"{name} is not pinned to a commit"
        elif known is None:
            yield f"{found[1]} is not in pins.yaml"
        elif (found[2], tag) != (known["commit"], known["tag"]):
            yield f"{name} # {tag or '(no tag)'} is not the commit and tag of pins.yaml"


def expressions(file: Automation) -> Iterator[str]:
    """What others may have written reaches a shell through the environment only, never as program text."""
    yield from (f"an expression in: {step['run']}" for step in file.steps if "${{" in step.get("run", ""))


def thinness(file: Automation) -> Iterator[str]:
    """Logic belongs where it can be run and tested on any machine."""
    for step in file.steps:
        run = step.get("run", "")
        count = sum(len(list(calls(run, program))) for program in ("inv", "nox"))
        if count > 1 or len(run.splitlines()) > LINES:
            yield f"more than one call or {LINES} lines in: {run.splitlines()[0]}"


def clones(file: Automation) -> Iterator[str]:
    """Credentials stay in a clone only where git asks the remote; history is whole for who reads versions."""
    kept = 0
    for name, job in file.jobs.items():
        tasks = {call[0] for step in job["steps"] for call in calls(step.get("run", ""), "inv")}
        for step in job["steps"]:
            if not step.get("uses", "").startswith("actions/checkout@"):
                continue
            given = step.get("with", {})
            if given.get("persist-credentials") is not False:
                kept += 1
                if not tasks & KEEPS_CREDENTIALS:
                    yield f"{name} keeps credentials that it does not need"
            if tasks and given.get("fetch-depth") != 0:
                yield f"{name} lacks history and tags (fetch-depth: 0)"
    if kept > len(REASONED.findall(file.text)):
        yield "credentials are kept without a comment that says why"


def environments(file: Automation) -> Iterator[str]:
    """Who reaches the cluster does so in a GitHub environment, one after the other."""
    for name, job in file.jobs.items():
        if not any("secrets.DIGITALOCEAN_ACCESS_TOKEN" in str(step) for step in job["steps"]):
            continue
        place = job.get("environment")
        place = place.get("name") if isinstance(place, dict) else place
        wanted = {"group": f"deploy-{place}", "cancel-in-progress": False, "queue": "max"}
        if not place:
            yield f"{name} reaches the cluster outside of an environment"
        if job.get("concurrency") != wanted:
            yield f"{name} may run beside another one of its environment"


def clusters(file: Automation) -> Iterator[str]:
    """The clusters are those of release.yaml, which the engine reaches by the same names."""
    known = {one["context"] for one in RELEASE["environments"].values()}
    yield from (
        f"{one} is no context of release.yaml" for one in CONTEXT.findall(file.text) if one not in known
    )


OF_WORKFLOWS: tuple[Callable[[Automation], Iterator[str]], ...] = (
    permissions, limits, triggers, pins, expressions, thinness, clones, environments, clusters,
)  # fmt: skip
OF_ACTIONS: tuple[Callable[[Automation], Iterator[str]], ...] = (
    pins, expressions, thinness, clusters,
)  # fmt: skip


def mistakes(file: Automation) -> list[str]:
    """Every mistake, each with the rule it breaks."""
    rules = OF_WORKFLOWS if "jobs" in file.body else OF_ACTIONS
    return [f"{rule.__name__}: {mistake}" for rule in rules for mistake in rule(file)]
