"""The command `inv cost`: the bill, the runway of a credit, and what each alternative saves."""

from pathlib import Path

from todo_cluster.command import ClusterCommand, ClusterOptions, run_command
from todo_cluster.config.costs import CostSettings
from todo_cluster.config.provider import DigitalOceanCluster
from todo_cluster.cost import bill
from todo_cluster.cost.options import Option, Situation, options_of
from todo_cluster.digitalocean import DigitalOcean, find_token
from todo_cluster.site import Access, Site
from todo_cluster.sizing import sizes
from todo_release.adapters.kubernetes import kubeconfig
from todo_release.core.tables import Table
from todo_release.errors import ConfigError


def cost(root: Path, options: ClusterOptions, *, credit: str = "") -> int:
    """Shows the bill of the cluster; of the configured one where no context leads to a live one.

    `credit` is in dollars; empty means that of cluster.yaml.
    """
    return run_command(root, options, lambda command: _cost(command, credit))


def _cost(command: ClusterCommand, credit: str) -> int:
    costs, settings = command.cluster.costs, command.cluster.digitalocean
    if costs is None or settings is None:
        raise ConfigError(
            "cluster.yaml has no `costs`, or no `digitalocean` to price.",
            remedy="Add the prices as docs/guides/cluster.md shows.",
        )
    site = Site(command, _access(command))
    prices, origin = _prices(command, settings, costs)
    bought = bill.live(site.cluster, has_ha=settings.ha) if site.access else bill.configured(settings, costs)
    lines = bill.bill(bought, costs, prices)
    which = f"live, context {site.context}" if site.access else "as configured"
    rows = [(line.what, line.size, f"${line.monthly:.2f}") for line in lines]
    monthly = bill.total(lines)
    rows.append(("total", "", f"${monthly:.2f}"))
    command.reporter.show_table(
        Table(f"A month of the cluster, {which}", ("what", "size", "a month"), tuple(rows))
    )
    command.reporter.show_text(f"Prices: {origin}.")
    amount = _dollars(credit) if credit else costs.credit
    days = bill.runway_days(amount, monthly)
    if amount and days is not None:
        command.reporter.show_text(f"A credit of ${amount:.0f} lasts {days:.0f} days.")
    configured = Site(command, None)
    parts = [
        sizes.running_part(configured, []),
        *sizes.component_parts(configured, list(command.cluster.enabled)),
        *sizes.environment_parts(configured),
    ]
    node = sizes.nodes_of(configured)[0]
    situation = Situation(
        node=node,
        parts=parts,
        environments=tuple(command.release.environments),
        price=prices[settings.pool.size],
        settings=settings,
        costs=costs,
    )
    command.reporter.show_table(_options_table(options_of(situation)))
    return 0


def _dollars(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(
            f"--credit {text} is not a number.", remedy="Write dollars, such as 200."
        ) from error


def _access(command: ClusterCommand) -> Access | None:
    """Returns the access to a live cluster: a named context, or the kubeconfig that the bootstrap wrote."""
    config = command.cluster
    if config.provider == "existing":
        return Access(str(config.context))
    settings = config.digitalocean
    path = Site(command, None).folder / f"{settings.name}.kubeconfig" if settings else None
    if path is None or not path.is_file():
        return None
    [context] = kubeconfig.contexts({"KUBECONFIG": str(path)})
    return Access(context, path)


def _prices(
    command: ClusterCommand, settings: DigitalOceanCluster, costs: CostSettings
) -> tuple[dict[str, float], str]:
    """Returns the price of each size of node, and where all prices come from."""
    listed = f"{costs.source}, compared on {costs.checked_on}"
    if find_token(command.options.environ) is None:
        return dict(costs.nodes), listed
    api = DigitalOcean.connect(settings.api, command.options.environ)
    return api.monthly_prices(), f"of nodes from {settings.api} now, of the rest {listed}"


def _options_table(options: list[Option]) -> Table:
    rows = tuple(
        (
            option.name,
            str(option.nodes) if option.nodes else "too many",
            f"${option.saves:.2f}" if option.saves >= 0 else f"costs ${-option.saves:.2f}",
            option.note,
        )
        for option in options
    )
    return Table("What else there is", ("alternative", "nodes needed", "saves a month", "note"), rows)
