"""Checks of values against whom they are for: the database, the broker, the image registry."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from todo_cluster import database
from todo_cluster.broker import MECHANISMS, Broker, BrokerAccess, BrokerDeniedError
from todo_cluster.errors import BrokerError, DatabaseError
from todo_cluster.secrets.problem import ValueProblem
from todo_cluster.secrets.wanted import DOCKER_CONFIG
from todo_release.adapters.registry.client import Registry
from todo_release.adapters.registry.credentials import Credentials, from_pull_secret
from todo_release.config.model import RegistrySettings
from todo_release.errors import RegistryError

DATABASE_KEYS = ("DATABASE_URL", "FRONTEND_DATABASE_URL")
POOLED_HOST = "-pooler."  # Neon's pooled addresses keep no session state, which migrations need
BROKER_KEYS = ("REDPANDA_BROKERS", "REDPANDA_USERNAME", "REDPANDA_PASSWORD", "REDPANDA_SASL_MECHANISM")
JOB_TOKEN = "ghs_"  # noqa: S105  # how GitHub begins the tokens that end with their workflow's job

Describe = Callable[[str], database.DatabaseDescription]
ConnectRegistry = Callable[[Credentials], Registry]


def check_databases(
    values: Mapping[str, str], describe: Describe = database.describe
) -> Iterator[ValueProblem]:
    """Yields what is wrong with the URLs of databases: each is connected to, with its own role."""
    found: dict[str, database.DatabaseDescription] = {}
    for key in DATABASE_KEYS:
        if key not in values:
            continue
        try:
            found[key] = describe(values[key])
        except DatabaseError as error:
            yield ValueProblem(key, error.problem, error.remedy)
            continue
        for text, remedy in _faults(key, values[key], found[key]):
            yield ValueProblem(key, text, remedy)
    if len(found) == len(DATABASE_KEYS) and len({(each.name, each.oid) for each in found.values()}) > 1:
        names = " and ".join(f"{key} to {each.name}" for key, each in found.items())
        yield ValueProblem(
            DATABASE_KEYS[1], f"The two URLs lead to two databases: {names}.", "Name one database."
        )


def _faults(key: str, url: str, found: database.DatabaseDescription) -> Iterator[tuple[str, str]]:
    if found.server_version < database.OLDEST_VERSION:
        oldest = database.OLDEST_VERSION // 10000
        yield f"The server is PostgreSQL {found.server_major}.", f"Use version {oldest} or later."
    if found.is_replica:
        yield "The server is a read-only replica.", "Name the primary."
    if not found.may_create:
        yield (
            f"The role {found.role} may not create tables in {found.name}, so migrations would fail.",
            f"Grant it: GRANT CREATE ON SCHEMA public TO {found.role}.",
        )
    if key == "FRONTEND_DATABASE_URL" and POOLED_HOST in database.place_of(url):
        yield "It is a pooled address, which its migrations cannot use.", "Use the direct address."


def check_broker(values: Mapping[str, str]) -> Iterator[ValueProblem]:
    """Yields what is wrong with the broker's account: it signs in with the mechanism that Dapr would use."""
    if not all(key in values for key in BROKER_KEYS):
        return
    servers, username, password, mechanism = (values[key] for key in BROKER_KEYS)
    access = BrokerAccess(servers, username, password, MECHANISMS[mechanism], values.get("REDPANDA_CA_CERT"))
    try:
        Broker(access).read_metadata()
    except BrokerDeniedError as error:
        yield ValueProblem("REDPANDA_PASSWORD", error.problem, error.remedy)
    except BrokerError as error:
        yield ValueProblem("REDPANDA_BROKERS", error.problem, error.remedy)


def check_pull_secret(
    docker_config: str,
    settings: RegistrySettings,
    images: Mapping[str, str],
    connect: ConnectRegistry | None = None,
) -> Iterator[ValueProblem]:
    """Yields what is wrong with a pull secret: with its credentials every image is looked up.

    Args:
        docker_config: The value of `.dockerconfigjson`.
        settings: Where the images are.
        images: A digest or tag to look up for each image; one that does not exist yet is no problem.
        connect: Makes the client of the registry.
    """
    problem = partial(ValueProblem, DOCKER_CONFIG)
    try:
        credentials = from_pull_secret(docker_config, settings.host)
    except (RegistryError, ValueError, AttributeError, TypeError):
        yield problem(
            "It is not the JSON of a Docker configuration.", "Give REGISTRY_USERNAME and REGISTRY_TOKEN."
        )
        return
    if credentials is None:
        yield problem(
            f"It has no credentials for {settings.host}.", "Give those of the registry of release.yaml."
        )
        return
    if credentials.password.startswith(JOB_TOKEN):
        yield problem(
            "It is the token of a workflow's job, which expires with it.", "Use a token of an account."
        )
        return
    make = connect or (lambda made: Registry(settings.host, insecure=settings.insecure, credentials=made))
    with make(credentials) as registry:
        for name, reference in images.items():
            try:
                registry.digest(settings.path(name), reference)
            except RegistryError as error:
                yield problem(
                    error.problem, "Give an account that may read the images (scope read:packages)."
                )
                return
