"""Rules for workflows and actions, beyond what zizmor and GitHub's schema check.

A rule takes a file and yields a sentence for each violation.
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
PINNED = re.compile(r"([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([0-9a-f]{40})")
CONTEXT = re.compile(r"\bdo-[a-z]+\d-[\w-]+")
REASONED = re.compile(r"persist-credentials: true # \w+")
KEEPS_CREDENTIALS = {"release", "plan", "promote"}
PUBLISHES = "github.event.repository.private || vars.KEEP_EVIDENCE == 'true'"
FORBIDDEN_TRIGGERS = {"workflow_run", "pull_request_target"}
LINES = 2
PLAN_SUFFIX = "-plan"  # the GitHub environment without approval, in which the plan of another one is made
PINS: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("pins.yaml").read_text())


@dataclass(frozen=True)
class Automation:
    """A workflow, or an action when it has no jobs."""

    text: str

    @cached_property
    def body(self) -> dict[Any, Any]:
        """The file as YAML, in which the key `on` is read as True."""
        return dict(yaml.safe_load(self.text))

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs that have their own steps."""
        return {name: job for name, job in self.body.get("jobs", {}).items() if "steps" in job}

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Every step of all jobs or of the action."""
        return [
            step for job in (*self.jobs.values(), self.body.get("runs", {})) for step in job.get("steps", ())
        ]


def permissions(file: Automation) -> Iterator[str]:
    """Checks that a job has only the permissions that it names."""
    if file.body.get("permissions") != {}:
        yield "permissions at the top are not {}"
    for name, job in file.body["jobs"].items():
        if "permissions" not in job:
            yield f"{name} has no permissions"


def limits(file: Automation) -> Iterator[str]:
    """Checks that every job has a time limit."""
    yield from (
        f"{name} has no timeout-minutes" for name, job in file.jobs.items() if "timeout-minutes" not in job
    )


def triggers(file: Automation) -> Iterator[str]:
    """Checks that a foreign change never runs with this repository's rights."""
    events = file.body.get(True) or {}
    yield from (f"{event} must not start it" for event in sorted(FORBIDDEN_TRIGGERS & set(events)))


def pins(file: Automation) -> Iterator[str]:
    """Checks that every action is a reviewed one, pinned by commit because tags can be moved."""
    for name, tag in USES.findall(file.text):
        if name.startswith("$/"):
            continue
        match = PINNED.fullmatch(name)
        pin = PINS.get(match[1]) if match else None
        if match is None:
            yield f"{name} is not pinned to a commit"
        elif pin is None:
            yield f"{match[1]} is not in pins.yaml"
        elif (match[2], tag) != (pin["commit"], pin["tag"]):
            yield f"{name} # {tag or '(no tag)'} is not the commit and tag of pins.yaml"


def expressions(file: Automation) -> Iterator[str]:
    """Checks that foreign text reaches a shell only through the environment, never as program text."""
    yield from (f"an expression in: {step['run']}" for step in file.steps if "${{" in step.get("run", ""))


def size(file: Automation) -> Iterator[str]:
    """Checks that a step has no logic, which belongs where it can be tested on any machine."""
    for step in file.steps:
        run = step.get("run", "")
        count = sum(len(list(calls(run, program))) for program in ("inv", "nox"))
        if count > 1 or len(run.splitlines()) > LINES:
            yield f"more than one call or {LINES} lines in: {run.splitlines()[0]}"


def checkouts(file: Automation) -> Iterator[str]:
    """Checks that a clone keeps credentials only for git, and has the history that versions need."""
    kept = 0
    for name, job in file.jobs.items():
        tasks = {call[0] for step in job["steps"] for call in calls(step.get("run", ""), "inv")}
        for step in job["steps"]:
            if not step.get("uses", "").startswith("actions/checkout@"):
                continue
            options = step.get("with", {})
            if options.get("persist-credentials") is not False:
                kept += 1
                if not tasks & KEEPS_CREDENTIALS:
                    yield f"{name} keeps credentials that it does not need"
            if tasks and options.get("fetch-depth") != 0:
                yield f"{name} lacks history and tags (fetch-depth: 0)"
    if kept > len(REASONED.findall(file.text)):
        yield "credentials are kept without a comment that says why"


def environments(file: Automation) -> Iterator[str]:
    """Checks that a job with cluster access is in a GitHub environment, with one job at a time.

    A rollback has its own queue, because a deployment that waits for approval would hold it up.
    """
    for name, job in file.jobs.items():
        if not any("secrets.DIGITALOCEAN_ACCESS_TOKEN" in str(step) for step in job["steps"]):
            continue
        environment = job.get("environment")
        environment = environment.get("name") if isinstance(environment, dict) else environment
        tasks = {call[0] for step in job["steps"] for call in calls(step.get("run", ""), "inv")}
        queue = "rollback" if "rollback" in tasks else "deploy"
        concurrency = {"group": f"{queue}-{environment}", "cancel-in-progress": False, "queue": "max"}
        if not environment:
            yield f"{name} reaches the cluster outside of an environment"
        if job.get("concurrency") != concurrency:
            yield f"{name} may run beside another job of its environment"


def accounts(file: Automation) -> Iterator[str]:
    """Checks that a job uses the account of its own environment in the cluster."""
    for name, job in file.jobs.items():
        environment = job.get("environment")
        environment = environment.get("name") if isinstance(environment, dict) else environment
        wanted = f"{str(environment).removesuffix(PLAN_SUFFIX)}/deployer"
        for step in job["steps"]:
            options = step.get("with", {})
            if "digitalocean-token" in options and options.get("service-account") != wanted:
                yield f"{name} does not use the account {wanted}"


def artifacts(file: Automation) -> Iterator[str]:
    """Checks that artifacts are deleted, and that evidence of a cluster is not published unasked."""
    for step in file.steps:
        if not step.get("uses", "").startswith("actions/upload-artifact@"):
            continue
        name = step["with"]["name"]
        if "retention-days" not in step["with"]:
            yield f"{name} is kept without a limit (retention-days)"
        if "evidence" in step["with"]["path"] and PUBLISHES not in str(step.get("if")):
            yield f"{name} is published by a public repository"


def clusters(file: Automation) -> Iterator[str]:
    """Checks that clusters are contexts of release.yaml."""
    known = {environment["context"] for environment in RELEASE["environments"].values()}
    unknown = [context for context in CONTEXT.findall(file.text) if context not in known]
    yield from (f"{context} is no context of release.yaml" for context in unknown)


OF_WORKFLOWS: tuple[Callable[[Automation], Iterator[str]], ...] = (
    permissions, limits, triggers, pins, expressions, size, checkouts, environments, accounts, artifacts,
    clusters,
)  # fmt: skip
OF_ACTIONS: tuple[Callable[[Automation], Iterator[str]], ...] = (
    pins, expressions, size, clusters,
)  # fmt: skip


def violations(file: Automation) -> list[str]:
    """Returns every violation with the name of its rule."""
    rules = OF_WORKFLOWS if "jobs" in file.body else OF_ACTIONS
    return [f"{rule.__name__}: {text}" for rule in rules for text in rule(file)]
