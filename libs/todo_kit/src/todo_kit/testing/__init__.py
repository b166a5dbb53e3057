"""What the tests of every service share; imports todo_kit and depends on no test framework.

    with TokenIssuer() as issuer:
        settings = Settings(jwt_issuer=issuer.issuer, jwks_url=issuer.jwks_url, ...)
        headers = {"Authorization": f"Bearer {issuer.token('user-a')}"}

`tokens` issues tokens, `memory_bus` is the bus in memory, `waiting` holds clocks and bounded waits, `serving`
runs an application on a real port, and `dependencies` reads what a package depends on. Services with a
database find more in `todo_kit.data.testing`.
"""

from todo_kit.testing.dependencies import imported_packages, locked_packages
from todo_kit.testing.memory_bus import (
    APP_API_TOKEN,
    DAPR_API_TOKEN,
    MemoryPublisher,
    PublishedEvent,
)
from todo_kit.testing.serving import serving
from todo_kit.testing.tokens import TokenIssuer
from todo_kit.testing.waiting import ManualClock, wait_until

__all__ = [
    "APP_API_TOKEN",
    "DAPR_API_TOKEN",
    "ManualClock",
    "MemoryPublisher",
    "PublishedEvent",
    "TokenIssuer",
    "imported_packages",
    "locked_packages",
    "serving",
    "wait_until",
]
