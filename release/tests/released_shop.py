"""The steps of a release of the shop, and what runs afterwards."""

from .doubles.harness import Harness

PREFLIGHTS = ["preflight:staging", "preflight:production"]


ALL = [
    *PREFLIGHTS, "build:web", "build:api", "commit", "tag", "tag-images",
    "deploy:staging", "verify:staging", "confirm:production", "deploy:production", "verify:production",
]  # fmt: skip


def versions_in(harness: Harness, environment: str) -> list[tuple[str, str]]:
    """Returns version and Helm status of every revision."""
    return [(revision.app_version, revision.status) for revision in harness.helm[environment].revisions]
