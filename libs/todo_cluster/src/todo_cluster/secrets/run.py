"""The commands `secrets.check`, `secrets.set` and `secrets.rotate`."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.command import ClusterCommand, ClusterOptions, run_command
from todo_cluster.errors import RestartError, SecretsError
from todo_cluster.secrets import store, value_sources
from todo_cluster.secrets.inventory import Inventory
from todo_cluster.secrets.problem import ValueProblem, error_of
from todo_cluster.secrets.restart import PodRestart
from todo_cluster.secrets.rotation import GENERATED, AfterRotation, after_rotation, new_versions
from todo_cluster.secrets.wanted import DOCKER_CONFIG

RANDOM_BYTES = 36


@dataclass(frozen=True, slots=True)
class ValueInputs:
    """Where a command takes values from: a file, the environment variables, and a person for the rest."""

    file: Path | None = None
    is_from_environment: bool = False


def check(root: Path, options: ClusterOptions, environment: str, *, is_offline: bool) -> int:
    """Shows which keys are missing, invalid, or read by nobody, and since when each is set.

    Returns 43 when one is missing or invalid.
    """

    def answer(command: ClusterCommand) -> int:
        inventory = _inventory(command, environment)
        problems = {
            problem.key: problem
            for problem in inventory.find_problems(inventory.values, is_offline=is_offline)
        }
        command.reporter.show_table(inventory.table(problems))
        for problem in problems.values():
            command.reporter.show_text(f"{problem.key}: {problem.remedy}")
        missing = set(inventory.required) - set(inventory.values)
        return SecretsError.exit_code if missing or problems else 0

    return run_command(root, options, answer)


def set_values(
    root: Path, options: ClusterOptions, environment: str, inputs: ValueInputs, *, is_offline: bool
) -> int:
    """Writes values that are missing or new, after all of them were tried."""

    def answer(command: ClusterCommand) -> int:
        inventory = _inventory(command, environment)
        given = _collect(command, inventory, inputs, inventory.required)
        missing = [key for key in inventory.required if key not in inventory.values and key not in given]
        generated = {key: secrets.token_urlsafe(RANDOM_BYTES) for key in missing if key in GENERATED}
        if not inputs.file and not inputs.is_from_environment:
            asked = [key for key in missing if key not in GENERATED and key != DOCKER_CONFIG]
            asked += value_sources.PULL_INPUTS if DOCKER_CONFIG in missing else ()
            given |= _with_pull_secret(command, value_sources.ask(asked))
        changed = {
            key: value for key, value in {**given, **generated}.items() if inventory.values.get(key) != value
        }
        merged = {**inventory.values, **changed}
        problems = inventory.find_problems(merged, is_offline=is_offline)
        problems += [_missing(key) for key in inventory.required if key not in merged]
        if problems:
            raise error_of(environment, problems)
        _write(inventory, merged, changed)
        for key in sorted(changed):
            how = "generated" if key in generated else "set"
            command.reporter.show_text(
                f"{key}: {how}, was {'another' if key in inventory.values else 'missing'}"
            )
        replaced = sorted(set(changed) & set(inventory.values))
        if replaced:
            command.reporter.show_text(
                f"Running pods keep the earlier value of {', '.join(replaced)} until they restart."
            )
        if not changed:
            command.reporter.show_text("Nothing was changed: every value is there and valid.")
        return 0

    return run_command(root, options, answer)


def rotate(
    root: Path, options: ClusterOptions, environment: str, inputs: ValueInputs, keys: tuple[str, ...]
) -> int:
    """Replaces values that are in use and restarts what reads them, without an outage."""

    def answer(command: ClusterCommand) -> int:
        inventory = _inventory(command, environment)
        changed = _new_values(command, inventory, inputs, keys)
        merged = {**inventory.values, **changed}
        problems = inventory.find_problems(merged)
        if problems:
            raise error_of(environment, problems)
        users = frozenset(
            name
            for wanted in inventory.wanted.values()
            for name in wanted.users_of(frozenset(changed) & inventory.readable[wanted.name])
        )
        after = after_rotation(keys, inventory.values)
        for line in after.costs:
            command.reporter.show_text(line)
        command.confirm(
            f"Replace {', '.join(keys)} in {environment} and restart {', '.join(sorted(users)) or 'nothing'}?"
        )
        _replace(command, inventory, merged, changed, users)
        _show_rest(command, after)
        return 0

    return run_command(root, options, answer)


def _inventory(command: ClusterCommand, environment: str) -> Inventory:
    return Inventory.read(ApplicationEnvironment(command.root, command.release, environment))


def _collect(
    command: ClusterCommand, inventory: Inventory, inputs: ValueInputs, keys: Iterable[str]
) -> dict[str, str]:
    """Returns the values of the file, and of the environment variables that are keys; the file wins.

    Raises:
        SecretsError: The file cannot be used, or has a key that the chart does not read.
    """
    found: dict[str, str] = {}
    if inputs.is_from_environment:
        found |= value_sources.read_variables(tuple(keys), command.options.environ)
    if inputs.file:
        found |= value_sources.read_file(inputs.file)
    given = _with_pull_secret(command, found)
    unknown = [key for key in given if inventory.secret_of(key) is None]
    if unknown:
        raise error_of(
            inventory.environment.name,
            [
                ValueProblem(key, "The chart does not read such a key.", "Correct its name, or leave it out.")
                for key in unknown
            ],
        )
    return given


def _with_pull_secret(command: ClusterCommand, values: Mapping[str, str]) -> dict[str, str]:
    return value_sources.with_pull_secret(values, command.release.registry.host)


def _missing(key: str) -> ValueProblem:
    remedy = (
        f"Give {' and '.join(value_sources.PULL_INPUTS)}." if key == DOCKER_CONFIG else "Give it a value."
    )
    return ValueProblem(key, "It is missing.", remedy)


def _new_values(
    command: ClusterCommand, inventory: Inventory, inputs: ValueInputs, keys: tuple[str, ...]
) -> dict[str, str]:
    unknown = [key for key in keys if inventory.secret_of(key) is None]
    absent = [key for key in keys if key not in inventory.values and key not in unknown]
    if unknown or absent or not keys:
        raise SecretsError(
            f"Not to rotate: {', '.join(unknown + absent) or 'no key was named'}.",
            remedy=f"Choose among those that are set: {', '.join(sorted(inventory.values))}.",
        )
    given = _collect(command, inventory, inputs, keys)
    generated = {
        key: secrets.token_urlsafe(RANDOM_BYTES) for key in keys if key in GENERATED and key not in given
    }
    rest = [key for key in keys if key not in {**given, **generated}]
    asked = [name for key in rest for name in (value_sources.PULL_INPUTS if key == DOCKER_CONFIG else (key,))]
    given |= _with_pull_secret(command, value_sources.ask(asked))
    changed = {key: value for key, value in {**generated, **given}.items() if key in keys}
    without = [key for key in keys if key not in changed]
    if without:
        raise error_of(
            inventory.environment.name,
            [ValueProblem(key, "There is no new value for it.", "Give one that differs.") for key in without],
        )
    for key in keys:
        if changed[key] == inventory.values[key]:
            command.reporter.show_text(f"{key} has this value already: only its users are restarted.")
    return new_versions(changed, inventory.values)


def _replace(
    command: ClusterCommand,
    inventory: Inventory,
    merged: Mapping[str, str],
    changed: Mapping[str, str],
    users: frozenset[str],
) -> None:
    """Writes and restarts; when new pods do not become ready, writes the old values back."""
    restart = PodRestart(inventory.environment, command.reporter.show_text)
    _write(inventory, merged, changed)
    try:
        restart.run(users)
    except RestartError:
        _write(inventory, inventory.values, changed)
        restart.undo()
        raise


def _write(inventory: Inventory, merged: Mapping[str, str], changed: Mapping[str, str]) -> None:
    for name, wanted in inventory.wanted.items():
        own = inventory.readable[name]
        if own & set(changed):
            values = {key: value for key, value in merged.items() if key in own}
            store.write(inventory.environment, wanted, values, own & set(changed))


def _show_rest(command: ClusterCommand, after: AfterRotation) -> None:
    for line in after.to_do:
        command.reporter.show_text(f"To do: {line}")
