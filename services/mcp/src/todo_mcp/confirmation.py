"""Confirmation codes: they prove in a second call what the first call has shown.

A code holds no state in this service, so every replica accepts the codes of every other. It is valid for one
user, one tool, one task in one version, and a few minutes.
"""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import SecretStr

from todo_mcp.errors import ConfirmationRefusedError
from todo_mcp.schemas import Task

LIFETIME = timedelta(minutes=5)

Clock = Callable[[], datetime]


def derived_key(secret: SecretStr, purpose: str) -> bytes:
    """Returns a key of 32 bytes for one purpose; it does not disclose `secret` or the keys of others."""
    return hmac.digest(secret.get_secret_value().encode(), f"todo-mcp {purpose}".encode(), "sha256")


class Confirmations:
    """Issues and checks the codes of one tool."""

    def __init__(self, key: bytes, tool: str, clock: Clock) -> None:
        """Signs with `key`, which all replicas have, what `tool` would do."""
        self._key = key
        self._tool = tool
        self._clock = clock

    def issue(self, user_id: str, task: Task) -> str:
        """Returns the code with which the user confirms the call for this task."""
        expires_at = int((self._clock() + LIFETIME).timestamp())
        return f"{expires_at}.{self._signature(user_id, task, expires_at)}"

    def check(self, code: str, user_id: str, task: Task) -> None:
        """Raises `ConfirmationRefusedError` unless `code` confirms the call for this task as it is now."""
        stated, _, signature = code.partition(".")
        expires_at = int(stated) if stated.isascii() and stated.isdigit() else 0
        expected = self._signature(user_id, task, expires_at)
        is_genuine = hmac.compare_digest(signature.encode(), expected.encode())
        if not is_genuine or expires_at < self._clock().timestamp():
            raise ConfirmationRefusedError(
                "Nothing was done, because the confirmation code is not valid: it has expired, belongs to"
                " another call, or the task was changed since. Call this tool again without a code, and ask"
                " the user again."
            )

    def _signature(self, user_id: str, task: Task, expires_at: int) -> str:
        signed = json.dumps([self._tool, user_id, str(task.id), task.version, expires_at]).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, signed, "sha256")).decode().rstrip("=")
