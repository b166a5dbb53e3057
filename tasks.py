"""The actions of this repository, as invoke tasks; `./inv --list` names them, noxfile.py has the checks.

A task reads its options, calls one function of the release engine and exits with the code that it returns.
Tasks import the engine when they run: it takes 400 ms to load, which `inv --list` must not wait for.
"""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.tasks import Task, task

if TYPE_CHECKING:
    from todo_release.report.reporter import Output
    from todo_release.session import CommandOptions

ROOT = Path(__file__).parent
ENV = "environment of release.yaml: staging or production"
VERSION = "semantic version, such as 1.3.0"
DRY_RUN = "print the plan and stop"
DOWNGRADE = "replace a higher version, without hooks, as a rollback does"
# Every command of the engine takes these, in this order, after its own.
COMMON_HELP = {
    "config": "partial release.yaml that overrides release.yaml; repeatable",
    "registry": "registry and path of the images, such as ghcr.io/owner/project",
    "context": "kubeconfig context to use for every environment",
    "owner": "value of the variable `owner` of release.yaml",
    "domain": "value of the variable `domain` of release.yaml",
    "values": "ENVIRONMENT=PATH of an extra values file; repeatable",
    "json": "print JSON, one object per line",
    "yes": "answer every question with yes, except whether edits made by hand may be overwritten",
    "overwrite-edits": "overwrite what was changed by hand in an environment",
    "skip": "CHECK=REASON: continue although this preflight check finds errors; repeatable",
    "no-wait": "fail instead of waiting when somebody else is releasing to the environment",
}
ITERABLE = ["config", "values", "skip", "fault"]
SWITCHES = {"json", "yes", "overwrite_edits", "no_wait"}


def command(**own_help: str) -> "Callable[[Callable[..., int]], Task[Callable[..., None]]]":
    """Returns a decorator that makes a task of a function which takes `options` and returns an exit code.

    `own_help` is the help text of the function's other parameters.
    """

    def decorate(function: Callable[..., int]) -> "Task[Callable[..., None]]":
        inherited = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=False if name in SWITCHES else None)
            for name in (option.replace("-", "_") for option in COMMON_HELP)
        ]
        parameters = [
            parameter for parameter in signature(function).parameters.values() if parameter.name != "options"
        ]

        @wraps(function)
        def body(_: Context, **arguments: Any) -> None:
            common = {parameter.name: arguments.pop(parameter.name) for parameter in inherited}
            sys.exit(function(options=_options(**common), **arguments))

        context = Parameter("_", Parameter.POSITIONAL_ONLY)
        body.__signature__ = signature(function).replace(  # type: ignore[attr-defined]  # invoke reads it
            parameters=[context, *parameters, *inherited]
        )
        help_texts = {name.replace("_", "-"): text for name, text in own_help.items()} | COMMON_HELP
        decorated: Task[Callable[..., None]] = task(help=help_texts, iterable=ITERABLE)(body)
        return decorated

    return decorate


def _options(
    *, owner: str | None, domain: str | None, json: bool, no_wait: bool, **rest: Any
) -> "CommandOptions":
    from todo_release import command_line

    variables = {"owner": owner, "domain": domain}
    output: Output = "json" if json else "auto"
    return command_line.options(
        variables=variables, output=output, wait=not no_wait, parse=_argument_error, **rest
    )


def _argument_error(arguments: Sequence[str]) -> str | None:
    """Returns what is wrong with arguments of the tasks below, None if nothing is."""
    try:
        Parser(contexts=namespace.to_contexts()).parse_argv(list(arguments))
    except ParseError as error:
        return str(error)
    return None


@task(
    help={
        "check": "start, use the application as two clients would, print timings, stop",
        "port": "where the application is served on localhost (default 8080)",
    }
)
def up(_: Context, check: bool = False, port: int = 8080) -> None:
    """Run the whole application on this machine; Ctrl-C stops it."""
    from todo_local import run

    sys.exit(run.up(ROOT, check=check, port=port))


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    plan="run this file of `inv plan --out`; no other option chooses what is released",
    allow_downgrade=DOWNGRADE,
    dry_run=DRY_RUN,
)
def release(
    options: "CommandOptions",
    *,
    version: str = "",
    to: str = "",
    plan: str = "",
    allow_downgrade: bool = False,
    dry_run: bool = False,
) -> int:
    """Build, publish and deploy a version; run it again to continue after an interruption."""
    from todo_release import commands

    if bool(version) == bool(plan) or (plan and (to or allow_downgrade or dry_run)):
        raise ParseError("Name either a version with --version, or only a saved plan with --plan.")
    if plan:
        return commands.release_plan(ROOT, Path(plan), options)
    return commands.release(
        ROOT, version, options, last=to or None, allows_downgrade=allow_downgrade, is_dry_run=dry_run
    )


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    env="plan only the deployment of a released version to this environment",
    out="file to save the plan to, for `inv release --plan`",
    allow_downgrade=DOWNGRADE,
)
def plan(
    options: "CommandOptions",
    *,
    version: str,
    to: str = "",
    env: str = "",
    out: str = "",
    allow_downgrade: bool = False,
) -> int:
    """Show what `inv release` would do, and why."""
    from todo_release import commands
    from todo_release.pipeline.saved_plan import PlanRequest

    if to and env:
        raise ParseError("Name either the last environment of a release with --to, or one with --env.")
    request = PlanRequest(
        version=version, last=to or None, environment=env or None, allows_downgrade=allow_downgrade
    )
    return commands.plan(ROOT, request, options, file=Path(out) if out else None)


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    twin="copy the live cluster of this environment into the sandbox",
    fault="inject this fault and check how the engine handles it; repeatable, or `all`",
)
def rehearse(
    options: "CommandOptions",
    *,
    version: str,
    to: str = "",
    twin: str = "",
    fault: Sequence[str] | None = None,
) -> int:
    """Rehearse a release in a sandbox with a cluster of its own; nothing real is changed."""
    from todo_release import commands

    return commands.rehearse(ROOT, version, options, last=to or None, like=twin or None, faults=fault or ())


@command(env=ENV, version=VERSION, allow_downgrade=DOWNGRADE, dry_run=DRY_RUN)
def deploy(
    options: "CommandOptions", *, env: str, version: str, allow_downgrade: bool = False, dry_run: bool = False
) -> int:
    """Deploy a released version to one environment."""
    from todo_release import commands

    return commands.deploy(ROOT, version, env, options, allows_downgrade=allow_downgrade, is_dry_run=dry_run)


@command(version=VERSION, allow_downgrade=DOWNGRADE, dry_run=DRY_RUN)
def promote(
    options: "CommandOptions", *, version: str, allow_downgrade: bool = False, dry_run: bool = False
) -> int:
    """Deploy a version to the environments that accept only what another one has verified."""
    from todo_release import commands

    return commands.promote(ROOT, version, options, allows_downgrade=allow_downgrade, is_dry_run=dry_run)


@command(env=ENV, version="version to check (default: the work tree as it is)")
def preflight(options: "CommandOptions", *, env: str, version: str = "") -> int:
    """Find what would fail if an environment were released to now; changes nothing."""
    from todo_release import commands

    return commands.preflight(ROOT, env, options, version=version or None)


@command(env=ENV)
def verify(options: "CommandOptions", *, env: str) -> int:
    """Run the smoke checks of an environment."""
    from todo_release import commands

    return commands.verify(ROOT, env, options)


@command(
    env=ENV,
    version="version to go back to (default: the last verified one)",
    service="roll back only the image of this service",
    dry_run=DRY_RUN,
)
def rollback(
    options: "CommandOptions", *, env: str, version: str = "", service: str = "", dry_run: bool = False
) -> int:
    """Roll an environment back to a verified version; first shows what that undoes."""
    from todo_release import commands

    return commands.rollback(
        ROOT, env, options, version=version or None, service=service or None, is_dry_run=dry_run
    )


@command()
def status(options: "CommandOptions") -> int:
    """Show what runs in every environment."""
    from todo_release import commands

    return commands.status(ROOT, options)


@command(env=ENV)
def history(options: "CommandOptions", *, env: str) -> int:
    """Show the deployments of an environment: version, person, result."""
    from todo_release import commands

    return commands.history(ROOT, env, options)


@command(env=ENV)
def drift(options: "CommandOptions", *, env: str) -> int:
    """Show what was changed by hand in an environment; exit code 17 if anything was."""
    from todo_release import commands

    return commands.drift(ROOT, env, options)


@command(env=ENV)
def diagnose(options: "CommandOptions", *, env: str) -> int:
    """Show why an environment is not ready, and save the evidence."""
    from todo_release import commands

    return commands.diagnose(ROOT, env, options)


@command(env=ENV, service="only this service's pods", lines="last lines of each container (default 100)")
def logs(options: "CommandOptions", *, env: str, service: str = "", lines: int = 100) -> int:
    """Show the last lines of an environment's pods."""
    from todo_release import commands

    return commands.logs(ROOT, env, options, service=service or None, lines=lines)


@command()
def show(options: "CommandOptions") -> int:
    """Show the last released version, the version of the chart, and the next versions."""
    from todo_release import commands

    return commands.version(ROOT, options)


@command()
def next_(options: "CommandOptions") -> int:
    """Print the next version that the news fragments require, for scripts."""
    from todo_release import commands

    return commands.version(ROOT, options, is_next=True)


@command(kind="major, minor, patch or prerelease")
def bump(options: "CommandOptions", *, kind: str) -> int:
    """Print the next version of a kind, for scripts."""
    from todo_release import commands

    return commands.version(ROOT, options, kind=kind)


@command()
def news(options: "CommandOptions") -> int:
    """Show what the changelog will say about the next version."""
    from todo_release import commands

    return commands.news(ROOT, options)


version_tasks = Collection("version")
version_tasks.add_task(show, default=True)
version_tasks.add_task(next_, "next")
version_tasks.add_task(bump)

namespace = Collection(
    up,
    release,
    plan,
    preflight,
    rehearse,
    deploy,
    promote,
    verify,
    rollback,
    status,
    history,
    drift,
    diagnose,
    logs,
    news,
    version_tasks,
)
