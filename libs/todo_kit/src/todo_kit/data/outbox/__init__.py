"""The transactional outbox: an event is stored in the transaction of its change and published afterwards.

A service adds `outbox_table` to its metadata and to a migration, calls `enqueue` inside the transaction that
makes the change, and runs a `Relay` while it serves requests (`todo_kit.data.app` does). Every event is
published at least once, and events with the same key in order. The row's id is the CloudEvent id, so
consumers recognise a repeated event.

Start reading at `table`, then `relay`.
"""

from todo_kit.data.outbox.relay import Relay
from todo_kit.data.outbox.table import enqueue, outbox_table

__all__ = ["Relay", "enqueue", "outbox_table"]
