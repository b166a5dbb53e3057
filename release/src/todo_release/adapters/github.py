"""Reads and creates releases on GitHub, over its REST API."""

from typing import Any

import httpx2

from todo_release.errors import RepositoryError

API = "https://api.github.com"
VERSION = "2022-11-28"  # the API's own, pinned as GitHub asks


class GitHub:
    """The releases of one repository (`owner/name`)."""

    def __init__(self, repository: str, token: str, *, transport: httpx2.BaseTransport | None = None) -> None:
        """Takes a `token` with the permission `contents: write`; it is sent to GitHub only."""
        self._repository = repository
        self._client = httpx2.Client(
            base_url=f"{API}/repos/{repository}/",
            headers={
                "accept": "application/vnd.github+json",
                "authorization": f"Bearer {token}",
                "x-github-api-version": VERSION,
            },
            timeout=20,
            transport=transport,
        )

    def release(self, tag: str) -> str | None:
        """Returns the address of the release of a tag; None when there is none.

        Raises:
            RepositoryError: GitHub was not reachable or refused.
        """
        response = self._send("GET", f"releases/tags/{tag}")
        return None if response.status_code == 404 else str(self._accepted(response)["html_url"])

    def create(self, tag: str, title: str, notes: str, *, is_prerelease: bool, is_latest: bool) -> str:
        """Creates the release of a tag that GitHub has, and returns its address.

        Raises:
            RepositoryError: GitHub was not reachable or refused.
        """
        body = {
            "tag_name": tag,
            "name": title,
            "body": notes,
            "prerelease": is_prerelease,
            "make_latest": "true" if is_latest else "false",
        }
        return str(self._accepted(self._send("POST", "releases", body))["html_url"])

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        try:
            return self._client.request(method, path, json=body)
        except httpx2.TransportError as error:
            raise RepositoryError(
                f"GitHub does not answer: {error}.",
                remedy="Run the same command again; only this step is left to do.",
            ) from error

    def _accepted(self, response: httpx2.Response) -> dict[str, Any]:
        if response.is_success:
            answer: dict[str, Any] = response.json()
            return answer
        reason = response.text[:200]
        raise RepositoryError(
            f"GitHub refused for {self._repository}: {response.status_code} {reason}.",
            remedy="The token needs `contents: write`, and the tag must be pushed.",
        )
