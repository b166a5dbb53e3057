"""A user under load: a client with a session, a token, and requests that are counted and not repeated."""

import asyncio
import secrets
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx2

from todo_synthetic_user.load.counts import Counts, Failure
from todo_synthetic_user.origin import Origin
from todo_synthetic_user.person import UnexpectedAnswerError, expect_status, shortened

SIGN_UP_ATTEMPTS = 5
DEFAULT_RETRY_SECONDS = 10  # Better Auth's window, if its answer does not say for how long to wait


class Account:
    """A user of the application, who signs up and whose account is deleted at the end."""

    def __init__(self, origin: Origin, counts: Counts) -> None:
        """Uses a client of its own; `close` it."""
        self.client = origin.async_client()
        self.counts = counts
        self.token = ""
        self._origin_header = {"Origin": "{0.scheme}://{0.netloc}".format(urlsplit(origin.url))}
        self._credentials = {
            "email": f"load-{secrets.token_hex(8)}@example.invalid",
            "password": secrets.token_urlsafe(16),
        }

    async def sign_up(self) -> None:
        """Creates the account, as soon as the limit for one address permits it, and gets a token.

        Raises:
            UnexpectedAnswerError: The application refused.
        """
        credentials = self._credentials | {"name": "Load Test"}
        for _ in range(SIGN_UP_ATTEMPTS):
            response = await self.client.post(
                "/api/auth/sign-up/email", json=credentials, headers=self._origin_header
            )
            if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(float(response.headers.get("X-Retry-After", DEFAULT_RETRY_SECONDS)))
        expect_status(response, 200)
        response = await self.client.get("/api/auth/token")
        expect_status(response, 200)
        self.token = str(response.json()["token"])

    async def sign_in(self) -> None:
        """Signs in once more, as on another device."""
        await self.request(
            "POST", "/api/auth/sign-in/email", json=self._credentials, headers=self._origin_header
        )

    async def renew_token(self) -> None:
        """Gets another token."""
        response = await self.request("GET", "/api/auth/token")
        if response is not None:
            self.token = str(response.json()["token"])

    async def request(
        self, method: str, path: str, status: int = 200, *, route: str = "", **options: Any
    ) -> httpx2.Response | None:
        """Sends a request once and counts it under `route` (default: method and path).

        Returns None when it failed, so that callers go on with what they know.
        """
        name = route or f"{method} {path.partition('?')[0]}"
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        began_at = time.monotonic()
        try:
            response = await self.client.request(method, path, headers=headers, **options)
        except httpx2.HTTPError as error:
            self.counts.count(name, began_at, f"{type(error).__name__} {error}".rstrip())
            return None
        if response.status_code != status:
            seen = f"{response.status_code} instead of {status}: {shortened(response.text)}"
            self.counts.count(name, began_at, seen)
            return None
        self.counts.count(name, began_at)
        return response

    def fail(self, route: str, text: str) -> None:
        """Counts the last request of `route`, which was answered with 200, as failed."""
        self.counts.routes[route].failed += 1
        self.counts.failures.append(Failure(time.time(), route, shortened(text)))

    async def tasks(self) -> dict[str, dict[str, Any]]:
        """Returns all tasks that the server has, by id; raises UnexpectedAnswerError."""
        found: dict[str, dict[str, Any]] = {}
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            response = await self.request("GET", "/api/todos", params=query)
            if response is None:
                raise UnexpectedAnswerError("the list of tasks was not answered")
            page = response.json()
            found |= {task["id"]: task for task in page["items"]}
            cursor = page.get("next_cursor")
            if not cursor:
                return found

    async def close(self) -> None:
        """Deletes the account, if it still exists, and closes the client."""
        await self.client.post(
            "/api/auth/delete-user",
            json={"password": self._credentials["password"]},
            headers=self._origin_header,
        )
        await self.client.aclose()
