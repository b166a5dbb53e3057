"""A user in one place: an HTTP client with a session, and what its answers must look like."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

SHOWN_CHARACTERS = 200


class UnexpectedAnswerError(Exception):
    """The application answered something else than it should; the text says what."""


@dataclass
class Person:
    """A user in one place: a client with a session cookie and, after signing in, a token."""

    client: httpx2.Client
    token: str = field(default="", repr=False)

    def request(self, method: str, path: str, status: int, **options: Any) -> httpx2.Response:
        """Sends a request, with the token if there is one, and insists on a status.

        Raises:
            UnexpectedAnswerError: the answer has another status.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        response = self.client.request(method, path, headers=headers, **options)
        expect_status(response, status)
        return response


def expect_status(response: httpx2.Response, status: int) -> None:
    """Raises UnexpectedAnswerError unless a response, whose body has been read, has this status."""
    if response.status_code != status:
        raise UnexpectedAnswerError(
            f"{response.request.method} {response.request.url.path} answered {response.status_code} "
            f"instead of {status}: {shortened(response.text)}"
        )


def expect_item(page: dict[str, Any], key: str, value: str) -> None:
    """Raises UnexpectedAnswerError unless an item of a list has this value."""
    if not any(item[key] == value for item in page["items"]):
        raise UnexpectedAnswerError(f"no item with {key} {value} among {len(page['items'])}")


def shortened(text: str) -> str:
    """Returns the beginning of a text on one line, quoted."""
    return repr(" ".join(text.split())[:SHOWN_CHARACTERS])
