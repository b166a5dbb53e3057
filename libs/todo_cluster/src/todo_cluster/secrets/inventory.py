"""What an environment's Secrets hold: which keys are there, are missing, invalid, or read by nobody."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from todo_cluster.application import ApplicationEnvironment
from todo_cluster.secrets import live_checks, store, text_checks
from todo_cluster.secrets.problem import ValueProblem
from todo_cluster.secrets.store import StoredSecret
from todo_cluster.secrets.wanted import DOCKER_CONFIG, OPAQUE, WantedSecret, find_wanted
from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.core.formatting import ago
from todo_release.core.tables import Table
from todo_release.core.yaml_loader import load as load_yaml

FORBIDDEN = 403
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
NOT_RELEASED = "latest"  # looked up where no image was released yet: only whether the account is accepted


@dataclass(frozen=True)
class Inventory:
    """The Secrets that the chart expects, and those of the cluster by the same names."""

    environment: ApplicationEnvironment
    wanted: Mapping[str, WantedSecret]
    stored: Mapping[str, StoredSecret | None] = field(repr=False)

    @classmethod
    def read(cls, environment: ApplicationEnvironment) -> "Inventory":
        """Renders the chart and reads the Secrets.

        Raises:
            HelmError: The chart cannot be rendered.
            ClusterError: The API server did not answer or refused.
        """
        wanted = find_wanted(environment.manifest, environment.namespace)
        return cls(environment, wanted, {name: store.read(environment, name) for name in wanted})

    @property
    def values(self) -> dict[str, str]:
        """The stored values that the chart reads, of all Secrets, by key."""
        return {
            key: value
            for name, secret in self.stored.items()
            for key, value in (secret.values if secret else {}).items()
            if key in self.readable[name]
        }

    @property
    def readable(self) -> dict[str, frozenset[str]]:
        """The keys that the chart reads of each Secret, required or not."""
        return {name: frozenset({*wanted.users, *wanted.optional}) for name, wanted in self.wanted.items()}

    @property
    def required(self) -> tuple[str, ...]:
        """The keys that there must be, of all Secrets."""
        return tuple(key for wanted in self.wanted.values() for key in wanted.keys)

    def secret_of(self, key: str) -> WantedSecret | None:
        """Returns the Secret that a key belongs to; None when the chart does not read such a key."""
        return next((self.wanted[name] for name, keys in self.readable.items() if key in keys), None)

    def find_problems(self, values: Mapping[str, str], *, is_offline: bool = False) -> list[ValueProblem]:
        """Checks values; those with a wrong text are not tried against database, broker or registry.

        With `is_offline` none is.
        """
        found = list(text_checks.check_texts(values))
        found += text_checks.check_difference(values, self._values_of_others())
        wrong = {problem.key for problem in found}
        usable = {key: value for key, value in values.items() if key not in wrong}
        if not is_offline:
            found += live_checks.check_databases(usable)
            found += live_checks.check_broker(usable)
            if DOCKER_CONFIG in usable:
                registry = self.environment.config.registry
                found += live_checks.check_pull_secret(usable[DOCKER_CONFIG], registry, self._images())
        return found

    def table(self, problems: Mapping[str, ValueProblem]) -> Table:
        """Returns the state of each key: ok, missing, invalid, or not read by the chart."""
        rows = tuple(sorted(row for name in self.wanted for row in self._rows(name, problems)))
        columns = ("secret", "key", "state", "set", "read by")
        return Table(f"Secrets of {self.environment.name}", columns, rows)

    def _rows(
        self, name: str, problems: Mapping[str, ValueProblem]
    ) -> Iterator[tuple[str, str, str, str, str]]:
        wanted, stored = self.wanted[name], self.stored[name]
        values = stored.values if stored else {}
        for key in sorted({*wanted.users, *values}):
            users = ", ".join(sorted(wanted.users_of(frozenset({key}))))
            if stored is None or key not in values:
                state, set_at = "missing", ""
            else:
                problem = problems.get(key)
                state = f"invalid: {problem.text}" if problem else "ok"
                state = state if key in self.readable[name] else "not read by the chart"
                known = stored.set_at.get(key)
                since = ago((datetime.now(UTC) - (known or stored.created_at)).total_seconds())
                set_at = since if known else f"at most {since}"
            yield name, key, state, set_at, users or ("every pod" if wanted.type != OPAQUE else "")

    def _values_of_others(self) -> dict[str, dict[str, str]]:
        """Returns the same Secrets of the other environments, where this context may read them."""
        others = {}
        own = self.environment
        for name, settings in own.config.environments.items():
            if name != own.name and settings.context == own.settings.context:
                others[name] = self._values_of(ApplicationEnvironment(own.root, own.config, name))
        return others

    def _values_of(self, other: ApplicationEnvironment) -> dict[str, str]:
        try:
            secrets = [store.read(other, secret) for secret in self.wanted]
        except ApiRefusedError as error:
            if error.status != FORBIDDEN:
                raise
            return {}
        return {key: value for secret in secrets if secret for key, value in secret.values.items()}

    def _images(self) -> dict[str, str]:
        """Returns for each image the digest in the chart's values, as the last release wrote it."""
        config, root = self.environment.config, self.environment.root
        values = load_yaml((root / config.chart.values).read_text(encoding="utf-8"))
        found = {}
        for name, image in config.images.items():
            digest = values
            for part in f"{image.values}.digest".split("."):
                digest = digest.get(part, {}) if isinstance(digest, dict) else {}
            found[name] = digest if isinstance(digest, str) and DIGEST.match(digest) else NOT_RELEASED
        return found
