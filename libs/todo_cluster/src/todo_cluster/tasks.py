"""The commands for the cluster as invoke tasks; needs the extra `todo-cluster[invoke]`.

A command `group.name` goes into the group of that name. Commands import their code when they run, so that
`inv --list` stays quick.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task, task

if TYPE_CHECKING:
    from todo_cluster.command import ClusterOptions

# Every command takes these, after its own.
COMMON_HELP = {
    "cluster-config": "partial cluster.yaml that is laid over cluster.yaml; repeatable",
    "config": "partial release.yaml that is laid over release.yaml; repeatable",
    "json": "print JSON, one object per line",
    "yes": "answer every question with yes",
}
COMMON = (
    Parameter("cluster_config", Parameter.KEYWORD_ONLY, default=None),
    Parameter("config", Parameter.KEYWORD_ONLY, default=None),
    Parameter("json", Parameter.KEYWORD_ONLY, default=False),
    Parameter("yes", Parameter.KEYWORD_ONLY, default=False),
)
REPEATABLE = ("cluster_config", "config")
ENV = "environment of release.yaml: staging or production"
VALUES_FILE = "file with lines KEY=VALUE that only you may read"
TARGET = "folder or s3://BUCKET/PREFIX, instead of backup.target in cluster.yaml"
FROM_ENVIRONMENT = "take values from environment variables of the keys' names"

Function = Callable[..., int]
COMMANDS: list[tuple[str, Function, Mapping[str, str]]] = []


def command(name: str, /, **own_help: str) -> Callable[[Function], Function]:
    """Returns a decorator that declares a function of root, options and its own options as a command."""

    def declare(function: Function) -> Function:
        COMMANDS.append((name, function, own_help))
        return function

    return declare


def add_to(namespace: Collection, root: Path) -> None:
    """Adds the commands to the tasks of a repository."""
    for name, function, own_help in COMMANDS:
        group, _, short = name.rpartition(".")
        if group and group not in namespace.collections:
            namespace.add_collection(Collection(group))
        target = namespace.collections[group] if group else namespace
        target.add_task(_task(function, own_help, root), short)


def _task(function: Function, own_help: Mapping[str, str], root: Path) -> "Task[Callable[..., None]]":
    def body(_: Context, **arguments: Any) -> None:
        common = {parameter.name: arguments.pop(parameter.name) for parameter in COMMON}
        sys.exit(function(root, _options(**common), **arguments))

    own = [parameter for name, parameter in signature(function).parameters.items()][2:]
    body.__name__ = function.__name__
    body.__doc__ = function.__doc__
    context = Parameter("_", Parameter.POSITIONAL_ONLY)
    body.__signature__ = Signature([context, *own, *COMMON])  # type: ignore[attr-defined]  # invoke reads it
    texts = {key.replace("_", "-"): text for key, text in own_help.items()} | COMMON_HELP
    decorated: Task[Callable[..., None]] = task(help=texts, iterable=REPEATABLE)(body)
    return decorated


def _options(
    *, cluster_config: Sequence[str], config: Sequence[str], json: bool, yes: bool
) -> "ClusterOptions":
    from todo_cluster.command import ClusterOptions
    from todo_release.config.overrides import Overrides

    return ClusterOptions(
        cluster_files=tuple(Path(path) for path in cluster_config),
        release_overrides=Overrides(files=tuple(Path(path) for path in config)),
        output="json" if json else "auto",
        is_agreed=yes,
    )


@command(
    "bootstrap",
    plan="show what would be done, and whether it fits the nodes; change nothing in the cluster",
    context="kubeconfig context of an existing cluster, instead of the one in cluster.yaml",
)
def bootstrap(root: Path, options: "ClusterOptions", *, plan: bool = False, context: str = "") -> int:
    """Builds the cluster below the application, or completes one; run it again to continue."""
    from todo_cluster.bootstrap import run

    return run.bootstrap(root, replace(options, context=context or None), is_plan=plan)


@command("cost", credit="money that is there, in dollars (default: costs.credit of cluster.yaml)")
def cost(root: Path, options: "ClusterOptions", *, credit: str = "") -> int:
    """Shows what the cluster costs a month, how long a credit lasts, and what would save how much."""
    from todo_cluster.cost import run

    return run.cost(root, options, credit=credit)


@command(
    "secrets.check", env=ENV, offline="only the form of values: do not ask database, broker and registry"
)
def secrets_check(root: Path, options: "ClusterOptions", *, env: str, offline: bool = False) -> int:
    """Shows which keys of the Secrets are missing, invalid or unused, and since when each is set."""
    from todo_cluster.secrets import run

    return run.check(root, options, env, is_offline=offline)


@command(
    "secrets.set",
    env=ENV,
    file=VALUES_FILE,
    from_environment=FROM_ENVIRONMENT,
    offline="only the form of values: do not ask database, broker and registry",
)
def secrets_set(
    root: Path,
    options: "ClusterOptions",
    *,
    env: str,
    file: str = "",
    from_environment: bool = False,
    offline: bool = False,
) -> int:
    """Writes an environment's Secrets, after every value was tried; asks for what is missing."""
    from todo_cluster.secrets import run

    inputs = run.ValueInputs(Path(file) if file else None, from_environment)
    return run.set_values(root, options, env, inputs, is_offline=offline)


@command(
    "secrets.rotate",
    env=ENV,
    keys="the keys to replace, separated by commas",
    file=VALUES_FILE,
    from_environment=FROM_ENVIRONMENT,
)
def secrets_rotate(
    root: Path,
    options: "ClusterOptions",
    *,
    env: str,
    keys: str,
    file: str = "",
    from_environment: bool = False,
) -> int:
    """Replaces values that are in use, and restarts what reads them without an outage."""
    from todo_cluster.secrets import run

    inputs = run.ValueInputs(Path(file) if file else None, from_environment)
    return run.rotate(
        root, options, env, inputs, tuple(key.strip() for key in keys.split(",") if key.strip())
    )


@command("kafka.topics", env=ENV, plan="show what would be changed; change nothing")
def kafka_topics(root: Path, options: "ClusterOptions", *, env: str, plan: bool = False) -> int:
    """Creates an environment's topics and the rights of its account; changes only what differs."""
    from todo_cluster.kafka import run

    return run.topics(root, options, env, is_plan=plan)


@command("backup", env=ENV, target=TARGET)
def backup(root: Path, options: "ClusterOptions", *, env: str, target: str = "") -> int:
    """Saves an environment's database and Secrets, encrypted, and proves it by restoring it once."""
    from todo_cluster.backup import run

    return run.backup(root, options, env, target=target)


@command(
    "restore",
    env=ENV,
    target=TARGET,
    backup="name of the backup (default: the latest)",
    identity="file with the private age key; default $AGE_IDENTITY_FILE",
    secrets="restore the Secrets too, before the database",
    no_database="leave the database as it is",
    overwrite="replace a database that is not empty, and Secrets that differ",
    list="only show which backups there are",
)
def restore(
    root: Path,
    options: "ClusterOptions",
    *,
    env: str,
    target: str = "",
    backup: str = "latest",
    identity: str = "",
    secrets: bool = False,
    no_database: bool = False,
    overwrite: bool = False,
    list: bool = False,  # noqa: A002  # the name of the option
) -> int:
    """Restores a backup into an environment, or into the database that $RESTORE_DATABASE_URL names."""
    from todo_cluster.backup import run

    if list:
        return run.list_backups(root, options, env, target=target)
    request = run.RestoreRequest(
        name=backup,
        identity=Path(identity or options.environ.get("AGE_IDENTITY_FILE", "")),
        has_database=not no_database,
        has_secrets=secrets,
        overwrites=overwrite,
    )
    return run.restore(root, options, env, request, target=target)


@command("staging.sleep")
def staging_sleep(root: Path, options: "ClusterOptions") -> int:
    """Stops all pods of staging and remembers how many there were; a release wakes it by itself."""
    from todo_cluster.sleep import run

    return run.sleep(root, options, "staging")


@command("staging.wake")
def staging_wake(root: Path, options: "ClusterOptions") -> int:
    """Starts the pods of staging that `staging.sleep` stopped."""
    from todo_cluster.sleep import run

    return run.wake(root, options, "staging")
