"""Structured logs: one JSON object per line on standard output, for our own events and those of libraries.

Request id, trace id and user id come from context variables that `todo_kit.context` and `todo_kit.auth` bind.
"""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from todo_kit.masking import mask_fields
from todo_kit.settings import ServiceSettings


def configure_logging(settings: ServiceSettings) -> None:
    """Sends every log line of this process, uvicorn's included, through one formatter. Idempotent."""

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = settings.service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        structlog.processors.format_exc_info,
        _mask_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=_dump)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in ("httpx2", "httpcore2", "alembic.runtime"):  # one line per outgoing request is of no use
        logging.getLogger(name).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns a logger that takes an event name and fields, e.g. `log.info("task_created", task_id=...)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _mask_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return mask_fields(dict(event))


def _dump(event: EventDict, **_kwargs: Any) -> str:
    return orjson.dumps(event, default=str).decode()
