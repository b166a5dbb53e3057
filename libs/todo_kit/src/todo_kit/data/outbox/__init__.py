"""The transactional outbox: an event is stored in the transaction of its change and published afterwards.

A service calls `declare_outbox` for its metadata and creates the tables in a migration, calls `enqueue` in
the transaction that makes the change, and runs a `Relay` while it serves requests (`todo_kit.data.app` does).
Every event is published at least once, and events with the same key on one topic in order. The row's id is
the CloudEvent id, so consumers recognise a repeated event; the payload's `sequence` counts the events of a
key on a topic, so they recognise a missing one.

Start reading at `table`, then `relay`.
"""

from todo_kit.data.outbox.relay import Relay
from todo_kit.data.outbox.table import (
    NewEvent,
    Outbox,
    declare_outbox,
    enqueue,
    enqueue_from,
    event_parameters,
)

__all__ = ["NewEvent", "Outbox", "Relay", "declare_outbox", "enqueue", "enqueue_from", "event_parameters"]
