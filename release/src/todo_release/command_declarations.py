"""Declares the commands: their names, options and help; each calls one function of `commands`.

Invoke tasks (`tasks`) and the console script (`console`) are made of these declarations. Commands import the
engine when they run: it takes 400 ms to load, which a list of the commands must not wait for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from todo_release.preflight.checks.workflows import Parse
    from todo_release.report.reporter import Output
    from todo_release.session import CommandOptions

FILE_NAME = "release.yaml"
ENV = "environment of release.yaml: staging or production"
VERSION = "semantic version, such as 1.3.0"
DRY_RUN = "print the plan and stop"
KINDS = ("major", "minor", "patch", "prerelease")
DOWNGRADE = "replace a higher version, without hooks, as a rollback does"
# Every command takes these, in this order, after its own.
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
REPEATABLE = ("config", "values", "skip", "fault")
SWITCHES = {"json", "yes", "overwrite_edits", "no_wait"}


class UsageError(Exception):
    """Options of a command are not valid, or contradict each other; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: a function of root folder and options, and the help of its own options by their names."""

    name: str
    function: Callable[..., int]
    help: Mapping[str, str]

    @property
    def summary(self) -> str:
        """What the command does, in one line."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    @property
    def parameters(self) -> list[Parameter]:
        """Its options: its own, then the common ones; a repeatable option has no default but None."""
        own = [
            parameter
            for name, parameter in signature(self.function).parameters.items()
            if name not in {"root", "options"}
        ]
        common = (name.replace("-", "_") for name in COMMON_HELP)
        return own + [
            Parameter(name, Parameter.KEYWORD_ONLY, default=False if name in SWITCHES else None)
            for name in common
        ]

    @property
    def option_help(self) -> dict[str, str]:
        """The help of all its options, by their names with dashes."""
        return {name.replace("_", "-"): text for name, text in self.help.items()} | COMMON_HELP

    def run(self, root: Path, arguments: Mapping[str, Any], parse: "Parse | None" = None) -> int:
        """Runs the command and returns its exit code.

        Args:
            root: the folder with release.yaml.
            arguments: the value of each of its `parameters`.
            parse: as in `command_line.options`.

        Raises:
            UsageError: the arguments are not valid, or contradict each other.
        """
        common = {name.replace("-", "_") for name in COMMON_HELP}
        stated = {name: value for name, value in arguments.items() if name in common}
        own = {name: value for name, value in arguments.items() if name not in common}
        return self.function(root, _options(parse=parse, **stated), **own)


COMMANDS: list[Command] = []


def command(name: str = "", /, **own_help: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Returns a decorator that declares a function as a command; by default it has the function's name."""

    def declare(function: Callable[..., int]) -> Callable[..., int]:
        COMMANDS.append(Command(name or function.__name__, function, own_help))
        return function

    return declare


def find_root(start: Path) -> Path:
    """Returns the nearest folder with release.yaml, at `start` or above it; `start` where there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / FILE_NAME).is_file()), start)


def _options(
    *,
    owner: str | None,
    domain: str | None,
    json: bool,
    no_wait: bool,
    parse: "Parse | None",
    **rest: Any,
) -> "CommandOptions":
    from todo_release import command_line

    variables = {"owner": owner, "domain": domain}
    output: Output = "json" if json else "auto"
    try:
        return command_line.options(variables=variables, output=output, wait=not no_wait, parse=parse, **rest)
    except ValueError as error:
        raise UsageError(str(error)) from error


@command()
def init(root: Path, options: "CommandOptions") -> int:
    """Writes a first release.yaml from what the repository holds; says what it could not find."""
    from todo_release.starter import run

    return run.init(root, options)


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    plan="run this file of `plan --out`; no other option chooses what is released",
    allow_downgrade=DOWNGRADE,
    dry_run=DRY_RUN,
)
def release(
    root: Path,
    options: "CommandOptions",
    *,
    version: str = "",
    to: str = "",
    plan: str = "",
    allow_downgrade: bool = False,
    dry_run: bool = False,
) -> int:
    """Builds, publishes and deploys a version; run it again to continue after an interruption."""
    from todo_release import commands

    if bool(version) == bool(plan) or (plan and (to or allow_downgrade or dry_run)):
        raise UsageError("Name either a version with --version, or only a saved plan with --plan.")
    if plan:
        return commands.release_plan(root, Path(plan), options)
    return commands.release(
        root, version, options, last=to or None, allows_downgrade=allow_downgrade, is_dry_run=dry_run
    )


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    env="plan only the deployment of a released version to this environment",
    out="file to save the plan to, for `release --plan`",
    allow_downgrade=DOWNGRADE,
)
def plan(
    root: Path,
    options: "CommandOptions",
    *,
    version: str,
    to: str = "",
    env: str = "",
    out: str = "",
    allow_downgrade: bool = False,
) -> int:
    """Shows what a release would do, and why."""
    from todo_release import commands
    from todo_release.pipeline.saved_plan import PlanRequest

    if to and env:
        raise UsageError("Name either the last environment of a release with --to, or one with --env.")
    request = PlanRequest(
        version=version, last=to or None, environment=env or None, allows_downgrade=allow_downgrade
    )
    return commands.plan(root, request, options, file=Path(out) if out else None)


@command(
    version=VERSION,
    to="last environment to release to (default: all)",
    twin="copy the live cluster of this environment into the sandbox",
    fault="inject this fault and check how the engine handles it; repeatable, or `all`",
)
def rehearse(
    root: Path,
    options: "CommandOptions",
    *,
    version: str,
    to: str = "",
    twin: str = "",
    fault: Sequence[str] | None = None,
) -> int:
    """Rehearses a release in a sandbox with a cluster of its own; nothing real is changed."""
    from todo_release import commands

    return commands.rehearse(root, version, options, last=to or None, like=twin or None, faults=fault or ())


@command(env=ENV, version=VERSION, allow_downgrade=DOWNGRADE, dry_run=DRY_RUN)
def deploy(
    root: Path,
    options: "CommandOptions",
    *,
    env: str,
    version: str,
    allow_downgrade: bool = False,
    dry_run: bool = False,
) -> int:
    """Deploys a released version to one environment."""
    from todo_release import commands

    return commands.deploy(root, version, env, options, allows_downgrade=allow_downgrade, is_dry_run=dry_run)


@command(version=VERSION, allow_downgrade=DOWNGRADE, dry_run=DRY_RUN)
def promote(
    root: Path,
    options: "CommandOptions",
    *,
    version: str,
    allow_downgrade: bool = False,
    dry_run: bool = False,
) -> int:
    """Deploys a version to the environments that accept only what another one has verified."""
    from todo_release import commands

    return commands.promote(root, version, options, allows_downgrade=allow_downgrade, is_dry_run=dry_run)


@command(env=ENV, version="version to check (default: the work tree as it is)")
def preflight(root: Path, options: "CommandOptions", *, env: str, version: str = "") -> int:
    """Finds what would fail if an environment were released to now; changes nothing."""
    from todo_release import commands

    return commands.preflight(root, env, options, version=version or None)


@command(env=ENV)
def verify(root: Path, options: "CommandOptions", *, env: str) -> int:
    """Runs the smoke checks of an environment."""
    from todo_release import commands

    return commands.verify(root, env, options)


@command(env=ENV, minutes="how long (default: as release.yaml says, or 5)")
def watch(root: Path, options: "CommandOptions", *, env: str, minutes: int = 0) -> int:
    """Watches how the pods of an environment answer, as a release does; changes nothing."""
    if minutes < 0:
        raise UsageError(f"--minutes {minutes}: write a number above 0.")
    from todo_release import commands

    return commands.watch(root, env, options, minutes=minutes or None)


@command(
    env=ENV,
    version="version to go back to (default: the last verified one)",
    service="roll back only the image of this service",
    dry_run=DRY_RUN,
)
def rollback(
    root: Path,
    options: "CommandOptions",
    *,
    env: str,
    version: str = "",
    service: str = "",
    dry_run: bool = False,
) -> int:
    """Rolls an environment back to a verified version; first shows what that undoes."""
    from todo_release import commands

    return commands.rollback(
        root, env, options, version=version or None, service=service or None, is_dry_run=dry_run
    )


@command()
def status(root: Path, options: "CommandOptions") -> int:
    """Shows what runs in every environment."""
    from todo_release import commands

    return commands.status(root, options)


@command(env=ENV)
def history(root: Path, options: "CommandOptions", *, env: str) -> int:
    """Shows the deployments of an environment: version, person, result."""
    from todo_release import commands

    return commands.history(root, env, options)


@command(env=ENV)
def drift(root: Path, options: "CommandOptions", *, env: str) -> int:
    """Shows what was changed by hand in an environment; exit code 17 if anything was."""
    from todo_release import commands

    return commands.drift(root, env, options)


@command(env=ENV)
def diagnose(root: Path, options: "CommandOptions", *, env: str) -> int:
    """Shows why an environment is not ready, and saves the evidence."""
    from todo_release import commands

    return commands.diagnose(root, env, options)


@command(env=ENV, service="only this service's pods", lines="last lines of each container (default 100)")
def logs(root: Path, options: "CommandOptions", *, env: str, service: str = "", lines: int = 100) -> int:
    """Shows the last lines of an environment's pods."""
    from todo_release import commands

    return commands.logs(root, env, options, service=service or None, lines=lines)


@command("version")
def show(root: Path, options: "CommandOptions") -> int:
    """Shows the last released version, the version of the chart, and the next versions."""
    from todo_release import commands

    return commands.version(root, options)


@command("version.next")
def next_(root: Path, options: "CommandOptions") -> int:
    """Prints the next version that the news fragments require, for scripts."""
    from todo_release import commands

    return commands.version(root, options, is_next=True)


@command("version.bump", kind=f"one of {', '.join(KINDS)}")
def bump(root: Path, options: "CommandOptions", *, kind: str) -> int:
    """Prints the next version of a kind, for scripts."""
    if kind not in KINDS:
        raise UsageError(f"--kind {kind}: write one of {', '.join(KINDS)}.")
    from todo_release import commands

    return commands.version(root, options, kind=kind)


@command()
def news(root: Path, options: "CommandOptions") -> int:
    """Shows what the changelog will say about the next version."""
    from todo_release import commands

    return commands.news(root, options)
