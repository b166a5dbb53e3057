"""What replacing a value costs, and what has to be done afterwards, for each kind of value.

Database roles, broker accounts and pull tokens are replaced in two phases: a second credential is made at the
provider, both are valid while pods restart, then the first one is revoked. Better Auth knows versions of its
secret (`BETTER_AUTH_SECRETS`, "2:NEW,1:OLD"): the first one signs, all of them decrypt what the database has.
"""

from collections.abc import Mapping
from dataclasses import dataclass

GENERATED = ("BETTER_AUTH_SECRET", "token")
SIGNING, VERSIONS = "BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS"
REVOKE = {
    "DATABASE_URL": "revoke the earlier role or password of the database",
    "FRONTEND_DATABASE_URL": "revoke the earlier role or password of the database",
    "REDPANDA_USERNAME": "delete the earlier account of the broker",
    "REDPANDA_PASSWORD": "delete the earlier credential of the broker's account",
    ".dockerconfigjson": "revoke the earlier token of the registry",
}


@dataclass(frozen=True, slots=True)
class AfterRotation:
    """What a rotation costs people, and what an operator does after it."""

    costs: tuple[str, ...]
    to_do: tuple[str, ...]


def new_versions(changed: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """Returns what to write: a new signing secret becomes the first of the versions, the old ones stay.

    `BETTER_AUTH_SECRET` itself stays as it is: Better Auth decrypts with it what was encrypted before there
    were versions.
    """
    if SIGNING not in changed:
        return dict(changed)
    versions = [part.strip() for part in stored.get(VERSIONS, "").split(",") if part.strip()]
    number = 1 + max((int(part.partition(":")[0]) for part in versions), default=0)
    rest = {key: value for key, value in changed.items() if key != SIGNING}
    return {**rest, VERSIONS: ",".join([f"{number}:{changed[SIGNING]}", *versions])}


def after_rotation(keys: tuple[str, ...], stored: Mapping[str, str]) -> AfterRotation:
    """Returns the costs and the tasks of replacing these keys."""
    costs, to_do = [], []
    if SIGNING in keys:
        costs.append(
            "Everybody has to sign in again, because the cookies of sessions are signed with the old secret."
        )
        to_do.append(
            "the database's signing keys are still encrypted with the old secret; "
            "docs/runbooks/rotate-secrets.md says how to replace them when it leaked"
        )
    to_do += dict.fromkeys(REVOKE[key] for key in keys if key in REVOKE and key in stored)
    return AfterRotation(tuple(costs), tuple(to_do))
