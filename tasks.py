"""What this repository can do, as invoke tasks; `./inv --list` names them.

A task reads its options, calls one function of the release engine and exits with that function's code. What
checks the tree is in noxfile.py.
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
    from todo_release.session import Options

ROOT = Path(__file__).parent
ENV = "staging or production, as release.yaml names them"
VERSION = "semantic version, such as 1.3.0"
DRY_RUN = "print the plan and stop"
# Every command of the engine takes these, in this order, after its own.
COMMON_HELP = {
    "config": "partial release.yaml laid over it; may be given several times",
    "registry": "repository of the images, such as ghcr.io/owner/project",
    "context": "kubeconfig context of every environment",
    "owner": "value of the variable `owner` of release.yaml",
    "domain": "value of the variable `domain` of release.yaml",
    "values": "ENVIRONMENT=PATH of one more values file; may be given several times",
    "json": "print JSON, one object a line",
    "yes": "answer every question with yes",
    "skip": "CHECK=REASON: go on although this preflight check found errors; may be given several times",
    "no-wait": "fail instead of waiting while somebody else releases to the environment",
}
ITERABLE = ["config", "values", "skip", "fault"]
SWITCHES = {"json", "yes", "no_wait"}


def command(**own: str) -> "Callable[[Callable[..., int]], Task[Callable[..., None]]]":
    """Make a task of a function that takes `options` and returns an exit code; `own` is help for the rest."""

    def decorate(function: Callable[..., int]) -> "Task[Callable[..., None]]":
        inherited = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=False if name in SWITCHES else None)
            for name in (option.replace("-", "_") for option in COMMON_HELP)
        ]
        parameters = [one for one in signature(function).parameters.values() if one.name != "options"]

        @wraps(function)
        def body(_: Context, **given: Any) -> None:
            said = {one.name: given.pop(one.name) for one in inherited}
            sys.exit(function(options=_options(**said), **given))

        context = Parameter("_", Parameter.POSITIONAL_ONLY)
        body.__signature__ = signature(function).replace(  # type: ignore[attr-defined]  # what invoke reads
            parameters=[context, *parameters, *inherited]
        )
        helped = {name.replace("_", "-"): text for name, text in own.items()} | COMMON_HELP
        made: Task[Callable[..., None]] = task(help=helped, iterable=ITERABLE)(body)
        return made

    return decorate


def _options(*, owner: str | None, domain: str | None, json: bool, no_wait: bool, **rest: Any) -> "Options":
    from todo_release import commands

    variables = {"owner": owner, "domain": domain}
    output: Output = "json" if json else "auto"
    return commands.options(variables=variables, output=output, wait=not no_wait, parse=_mistake, **rest)


def _mistake(arguments: Sequence[str]) -> str | None:
    """What is wrong with arguments for the tasks below; None: nothing."""
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
    import todo_local

    sys.exit(todo_local.up(ROOT, check=check, port=port))


@command(version=VERSION, to="last environment to release to (default: all)", dry_run=DRY_RUN)
def release(options: "Options", *, version: str, to: str = "", dry_run: bool = False) -> int:
    """Build, publish and deploy a version, environment by environment; again, it goes on or does nothing."""
    from todo_release import commands

    return commands.release(ROOT, version, options, last=to or None, is_dry_run=dry_run)


@command(version=VERSION, to="last environment to release to (default: all)")
def plan(options: "Options", *, version: str, to: str = "") -> int:
    """Print what `inv release` would do for a version, and why, without doing it."""
    from todo_release import commands

    return commands.release(ROOT, version, options, last=to or None, is_dry_run=True)


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    twin="make the rehearsal's cluster like the live one of this environment",
    fault="let this go wrong and see what the engine does; all, or several times",
)
def rehearse(
    options: "Options", *, version: str, to: str = "", twin: str = "", fault: Sequence[str] | None = None
) -> int:
    """Play a whole release in a cluster made for it; nothing real is touched."""
    from todo_release import commands

    return commands.rehearse(ROOT, version, options, last=to or None, like=twin or None, faults=fault or ())


@command(env=ENV, version=VERSION, dry_run=DRY_RUN)
def deploy(options: "Options", *, env: str, version: str, dry_run: bool = False) -> int:
    """Bring a version that is released already to one environment."""
    from todo_release import commands

    return commands.deploy(ROOT, version, env, options, is_dry_run=dry_run)


@command(version=VERSION, dry_run=DRY_RUN)
def promote(options: "Options", *, version: str, dry_run: bool = False) -> int:
    """Bring a version to the environments that take only what another one has verified."""
    from todo_release import commands

    return commands.promote(ROOT, version, options, is_dry_run=dry_run)


@command(env=ENV, version="version to look at (default: the work tree as it is)")
def preflight(options: "Options", *, env: str, version: str = "") -> int:
    """Find in seconds what would fail in an environment if it were released to now."""
    from todo_release import commands

    return commands.preflight(ROOT, env, options, version=version or None)


@command(env=ENV)
def verify(options: "Options", *, env: str) -> int:
    """Run the smoke checks of an environment."""
    from todo_release import commands

    return commands.verify(ROOT, env, options)


@command(
    env=ENV,
    version="version to go back to (default: the last one that was verified)",
    service="take back only this service's image",
    dry_run=DRY_RUN,
)
def rollback(
    options: "Options", *, env: str, version: str = "", service: str = "", dry_run: bool = False
) -> int:
    """Take an environment back to a version that worked, after saying what that undoes."""
    from todo_release import commands

    return commands.rollback(
        ROOT, env, options, version=version or None, service=service or None, is_dry_run=dry_run
    )


@command()
def status(options: "Options") -> int:
    """Show what runs in every environment."""
    from todo_release import commands

    return commands.status(ROOT, options)


@command(env=ENV)
def history(options: "Options", *, env: str) -> int:
    """Show what was deployed to an environment, by whom, and what came of it."""
    from todo_release import commands

    return commands.history(ROOT, env, options)


@command(env=ENV)
def drift(options: "Options", *, env: str) -> int:
    """Show what somebody changed in an environment by hand; exit code 17 if anything."""
    from todo_release import commands

    return commands.drift(ROOT, env, options)


@command(env=ENV)
def diagnose(options: "Options", *, env: str) -> int:
    """Say what keeps an environment from being ready, and keep the evidence."""
    from todo_release import commands

    return commands.diagnose(ROOT, env, options)


@command(env=ENV, service="only this service's pods", lines="last lines of each container (default 100)")
def logs(options: "Options", *, env: str, service: str = "", lines: int = 100) -> int:
    """Show the last lines of an environment's pods."""
    from todo_release import commands

    return commands.logs(ROOT, env, options, service=service or None, lines=lines)


@command()
def show(options: "Options") -> int:
    """Show the version released last, the chart's, and those that may come next."""
    from todo_release import commands

    return commands.version(ROOT, options)


@command()
def next_(options: "Options") -> int:
    """Print the next version that the news fragments ask for, for scripts."""
    from todo_release import commands

    return commands.version(ROOT, options, is_next=True)


@command(kind="major, minor, patch or prerelease")
def bump(options: "Options", *, kind: str) -> int:
    """Print the next version of a kind, for scripts."""
    from todo_release import commands

    return commands.version(ROOT, options, kind=kind)


@command()
def news(options: "Options") -> int:
    """Show what the changelog will say of the next version."""
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
