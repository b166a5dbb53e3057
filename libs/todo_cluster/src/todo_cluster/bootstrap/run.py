"""The command `inv bootstrap`: looks, shows what fits, then does and records what is missing."""

from dataclasses import dataclass
from pathlib import Path

from todo_cluster.bootstrap import issuers, preparation
from todo_cluster.bootstrap.components import ChartStep
from todo_cluster.bootstrap.plan import steps_of
from todo_cluster.bootstrap.provider import ManagedCluster
from todo_cluster.bootstrap.record import Record
from todo_cluster.bootstrap.step import State, Step
from todo_cluster.command import ClusterCommand, ClusterOptions, run_command
from todo_cluster.digitalocean import DigitalOcean, find_token
from todo_cluster.errors import BootstrapError, CapacityError
from todo_cluster.site import Access, Site
from todo_cluster.sizing import capacity, sizes
from todo_release.core.clock import SystemClock
from todo_release.errors import ClusterError, ReleaseError


@dataclass(frozen=True, slots=True)
class Checked:
    """A step with what its check found."""

    step: Step
    state: State


def bootstrap(root: Path, options: ClusterOptions, *, is_plan: bool) -> int:
    """Builds or completes the cluster; with `is_plan` it only shows what that would be.

    Returns: The exit code; 42 of a plan that does not fit the nodes.
    """
    return run_command(root, options, lambda command: _plan(command) if is_plan else _run(command))


def _plan(command: ClusterCommand) -> int:
    site = Site(command, _find_access(command))
    checked = _check_all(site, Record(site.cluster) if site.access else None)
    for item in checked:
        _show(site, item)
    code = 0
    for problem in preparation.problems(site, _charts_to_do(checked), is_plan=True):
        command.reporter.show_text(f"✗ {problem}")
        code = BootstrapError.exit_code
    fit = _examine(site, checked)
    command.reporter.show_table(fit.table)
    for problem in fit.problems:
        command.reporter.show_text(f"✗ {problem}")
        code = CapacityError.exit_code
    to_do = [item for item in checked if not item.state.is_done]
    command.reporter.show_text(
        f"{len(to_do)} of {len(checked)} steps to do." if to_do else "Nothing to do, nothing was written."
    )
    return code


def _run(command: ClusterCommand) -> int:
    site = Site(command, _ensure_access(command))
    record = Record(site.cluster)
    checked = _check_all(site, record)
    to_do = [item for item in checked if not item.state.is_done]
    problems = preparation.problems(site, _charts_to_do(checked), is_plan=False)
    if problems:
        raise BootstrapError(
            f"{len(problems)} rules are broken; nothing was changed."
            + "".join(f"\n    {problem}" for problem in problems),
            remedy="Correct the values or manifests that are named.",
        )
    fit = _examine(site, checked)
    command.reporter.show_table(fit.table)
    fit.require()
    if to_do:
        _show_to_do(site, to_do)
        command.confirm(
            f"Do these {len(to_do)} steps in the context {site.access.context if site.access else ''}?"
        )
    writes = 0
    for item in checked:
        writes += _do(site, record, item, is_current=not writes)
    address = issuers.ingress_address(site)
    if address:
        hosts = " and ".join(site.hosts.values())
        command.reporter.show_text(f"{hosts} must point to {address} (DNS).")
    command.reporter.show_text(
        f"✓ All {len(checked)} steps are done, {len(to_do)} of them now."
        if writes
        else f"✓ All {len(checked)} steps were done; nothing was written."
    )
    return 0


def _do(site: Site, record: Record, item: Checked, *, is_current: bool) -> bool:
    """Does a step if need be, checks it again and records it; returns whether anything was written.

    What was found before is asked again unless it `is_current`: an earlier step may have changed it.
    """
    step, say = item.step, site.command.reporter.show_text
    state = item.state if is_current else step.check(site, record.fingerprint(step.name))
    is_written = False
    if not state.is_done:
        say(f"• {step.title}: {state.reason}")
        step.do(site)
        is_written = True
        state = step.check(site, step.fingerprint(site))
        if not state.is_done:
            raise BootstrapError(
                f"{step.title}: still not so after it was done: {state.reason}.",
                remedy="Somebody or something changes it back: look for another controller or pipeline.",
            )
    is_written |= record.write(step.name, step.fingerprint(site))
    say(f"✓ {step.title}: {state.reason}")
    return is_written


def _check_all(site: Site, record: Record | None) -> list[Checked]:
    return [Checked(step, _state(site, record, step)) for step in steps_of(site)]


def _state(site: Site, record: Record | None, step: Step) -> State:
    if record is None:
        return State(False, "once there is a cluster")
    try:
        return step.check(site, record.fingerprint(step.name))
    except ClusterError:
        raise
    except ReleaseError as error:  # a chart that cannot be fetched: told with the other problems
        return State(False, error.problem.splitlines()[0])


def _charts_to_do(checked: list[Checked]) -> list[ChartStep]:
    return [item.step for item in checked if isinstance(item.step, ChartStep) and not item.state.is_done]


def _examine(site: Site, checked: list[Checked]) -> capacity.Fit:
    waiting = [step.key for step in _charts_to_do(checked)]
    parts = [
        sizes.running_part(site, waiting),
        *sizes.component_parts(site, waiting),
        *sizes.environment_parts(site),
    ]
    return capacity.examine(sizes.nodes_of(site), parts)


def _show_to_do(site: Site, to_do: list[Checked]) -> None:
    for item in to_do:
        _show(site, item)


def _show(site: Site, item: Checked) -> None:
    mark = "✓" if item.state.is_done else "•"
    origin = ""
    if isinstance(item.step, ChartStep) and item.step.component.chart:
        origin = f" (from {site.charts.origin(item.step.component.chart)})"
    site.command.reporter.show_text(f"{mark} {item.step.title}{origin}: {item.state.reason}")


def _find_access(command: ClusterCommand) -> Access | None:
    """Returns the access to a cluster that exists; None when there is none, or nobody can be asked."""
    config = command.cluster
    if config.provider == "existing":
        return Access(str(config.context))
    if find_token(command.options.environ) is None:
        command.reporter.show_text(
            "No token of DigitalOcean is set, so nobody is asked whether the cluster exists."
        )
        return None
    return _managed(command).find()


def _ensure_access(command: ClusterCommand) -> Access:
    config = command.cluster
    return Access(str(config.context)) if config.provider == "existing" else _managed(command).ensure()


def _managed(command: ClusterCommand) -> ManagedCluster:
    settings = command.cluster.digitalocean
    if settings is None:
        raise BootstrapError("cluster.yaml has no `digitalocean`.", remedy="Add it.")
    api = DigitalOcean.connect(settings.api, command.options.environ)
    folder = command.root / ".release" / "cluster"
    return ManagedCluster(settings, api, folder, say=command.reporter.show_text, clock=SystemClock())
