"""The command `kafka.topics`."""

from collections.abc import Mapping
from pathlib import Path

from todo_cluster.application import ApplicationEnvironment, decoded
from todo_cluster.broker import MECHANISMS, Broker, BrokerAccess
from todo_cluster.command import ClusterCommand, ClusterOptions, run_command
from todo_cluster.errors import BrokerError, SecretsError
from todo_cluster.kafka.plan import AddPartitions, make_plan
from todo_cluster.kafka.topics import TopicAdmin
from todo_cluster.kafka.wanted import find_wanted
from todo_release.adapters.kubernetes.manifest import RenderedManifest
from todo_release.core.tables import Table

ADMIN_VARIABLES = ("KAFKA_ADMIN_USERNAME", "KAFKA_ADMIN_PASSWORD")
# The metadata of the component that say how the environment itself reaches the broker.
FIELDS = ("brokers", "saslUsername", "saslPassword", "saslMechanism")
CA_FIELD = "caCert"


def topics(root: Path, options: ClusterOptions, environment: str, *, is_plan: bool) -> int:
    """Shows what the broker lacks for an environment and, unless `is_plan`, changes it.

    Returns 45 when something differs that cannot be changed; then nothing is.
    """

    def answer(command: ClusterCommand) -> int:
        target = ApplicationEnvironment(command.root, command.release, environment)
        wanted = find_wanted(command.cluster.kafka, target.manifest)
        own = _own_access(target)
        admin = TopicAdmin(Broker(_admin_access(own, options.environ)), own.username)
        plan = make_plan(wanted, admin.read(wanted.topics, with_rules=wanted.rules is not None))
        rows = [("change", str(change)) for change in plan.changes]
        rows += [("refused", text) for text in plan.refusals] + [("note", text) for text in plan.notes]
        command.reporter.show_table(Table(f"Topics of {environment}", ("what", "detail"), tuple(rows)))
        if plan.refusals:
            raise BrokerError(
                f"{len(plan.refusals)} differences cannot be changed, so nothing was: "
                f"{' '.join(plan.refusals)}",
                remedy="Correct cluster.yaml, or the broker by hand.",
            )
        if is_plan:
            return 0
        if any(isinstance(change, AddPartitions) for change in plan.changes):
            command.confirm(
                f"Add partitions in {environment}, although the order of some events may change once?"
            )
        for change in plan.changes:
            admin.apply(change)
            command.reporter.show_text(f"done: {change}")
        return 0

    return run_command(root, options, answer)


def _own_access(target: ApplicationEnvironment) -> BrokerAccess:
    """Returns how the environment's sidecars reach the broker, by the component and its Secret."""
    references = _references(target.manifest)
    values = {
        field: decoded(target.read_secret(name)).get(key, "") for field, (name, key) in references.items()
    }
    missing = [field for field in FIELDS if not values.get(field)]
    if missing or values["saslMechanism"] not in MECHANISMS:
        raise SecretsError(
            f"{target.name} has no valid {', '.join(missing) or 'saslMechanism'} for its broker.",
            remedy=f"See `inv secrets.check --env {target.name}`.",
        )
    servers, username, password, mechanism = (values[field] for field in FIELDS)
    return BrokerAccess(servers, username, password, MECHANISMS[mechanism], values.get(CA_FIELD))


def _references(manifest: RenderedManifest) -> dict[str, tuple[str, str]]:
    """Returns for each metadata field the Secret and key that it is read from."""
    return {
        item["name"]: (item["secretKeyRef"]["name"], item["secretKeyRef"]["key"])
        for component in manifest.of_kind("Component")
        for item in component.spec.get("metadata") or ()
        if item["name"] in (*FIELDS, CA_FIELD) and "secretKeyRef" in item
    }


def _admin_access(own: BrokerAccess, environ: Mapping[str, str]) -> BrokerAccess:
    """Returns the account that changes the broker: one of its own where the variables name it."""
    name, password = (environ.get(variable, "") for variable in ADMIN_VARIABLES)
    if not name or not password:
        return own
    return BrokerAccess(own.servers, name, password, own.mechanism, own.ca_pem)
