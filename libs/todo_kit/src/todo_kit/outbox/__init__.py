"""The transactional outbox: an event is stored with the change it tells of, and published afterwards.

A service adds `outbox_table` to its metadata (and to a migration), calls `enqueue` inside the transaction
that makes the change, and runs a `Relay` beside its requests. Every event is published at least once, events
of one key in order; the row's id is the CloudEvent id, so consumers recognise a repeat.
"""

from todo_kit.outbox.relay import Relay
from todo_kit.outbox.table import enqueue, outbox_table

__all__ = ["Relay", "enqueue", "outbox_table"]
