"""The part of DigitalOcean's API that makes and describes a cluster, over plain HTTP.

The token is sent in a header and appears nowhere else. Paths and fields are those of the API's OpenAPI
document; the official client would bring a framework of another cloud for these eight requests.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from urllib3.exceptions import HTTPError

from todo_cluster.errors import ProviderError
from todo_release.adapters import http

TOKEN_VARIABLES = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
CLUSTERS = "/v2/kubernetes/clusters"
READ_SECONDS = 30.0
PER_PAGE = 100


class DigitalOcean:
    """The API with one account's token; errors name what was asked for, never the token."""

    def __init__(self, api: str, token: str) -> None:
        """Nothing is sent yet."""
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._pool = http.pool(api, read_seconds=READ_SECONDS)

    @classmethod
    def connect(cls, api: str, environ: Mapping[str, str]) -> "DigitalOcean":
        """Takes the token from the environment.

        Raises:
            ProviderError: There is none.
        """
        token = find_token(environ)
        if token is None:
            raise ProviderError(
                "There is no token of DigitalOcean in the environment.",
                remedy=f"Set {TOKEN_VARIABLES[0]}; a token with the scopes kubernetes and sizes is enough.",
            )
        return cls(api, token)

    def find_cluster(self, name: str, region: str) -> Any:
        """Returns the cluster of a name in a region; None when there is none.

        Raises:
            ProviderError: There are two, or the API refused.
        """
        found = [
            cluster
            for cluster in self._pages(CLUSTERS, "kubernetes_clusters")
            if (cluster["name"], cluster["region"]) == (name, region)
        ]
        if len(found) > 1:
            raise ProviderError(
                f"There are {len(found)} clusters {name!r} in {region}.",
                remedy="Rename one of them, or name the right one in cluster.yaml.",
            )
        return found[0] if found else None

    def cluster(self, identifier: str) -> Any:
        """Returns a cluster with its pools and its state."""
        return self._send("GET", f"{CLUSTERS}/{identifier}")["kubernetes_cluster"]

    def create_cluster(self, body: Mapping[str, Any]) -> Any:
        """Creates a cluster and returns it as it is then: provisioning."""
        return self._send("POST", CLUSTERS, body)["kubernetes_cluster"]

    def update_pool(self, cluster: str, pool: str, body: Mapping[str, Any]) -> None:
        """Replaces the settings of a pool: what the body leaves out, such as tags, is removed."""
        self._send("PUT", f"{CLUSTERS}/{cluster}/node_pools/{pool}", body)

    def kubeconfig(self, cluster: str, *, seconds: int) -> str:
        """Returns a kubeconfig whose token expires."""
        path = f"{CLUSTERS}/{cluster}/kubeconfig?{urlencode({'expiry_seconds': seconds})}"
        return self._text("GET", path, None)

    def versions(self) -> list[str]:
        """Returns the versions on offer, as the API orders them: the newest first."""
        return [
            str(item["slug"]) for item in self._send("GET", "/v2/kubernetes/options")["options"]["versions"]
        ]

    def monthly_prices(self) -> dict[str, float]:
        """Returns the price of each size in dollars a month."""
        return {str(size["slug"]): float(size["price_monthly"]) for size in self._pages("/v2/sizes", "sizes")}

    def _pages(self, path: str, key: str) -> list[Any]:
        found: list[Any] = []
        page = 1
        while True:
            answer = self._send("GET", f"{path}?{urlencode({'page': page, 'per_page': PER_PAGE})}")
            found += answer.get(key) or []
            if not ((answer.get("links") or {}).get("pages") or {}).get("next"):
                return found
            page += 1

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        text = self._text(method, path, body)
        return json.loads(text) if text else {}

    def _text(self, method: str, path: str, body: Mapping[str, Any] | None) -> str:
        content = json.dumps(body) if body is not None else None
        try:
            response = self._pool.request(method, f"{self._api}{path}", body=content, headers=self._headers)
        except HTTPError as error:
            raise ProviderError(
                f"DigitalOcean's API did not answer: {http.reason_of(error)}.",
                remedy=f"Check the network and the address {self._api}, then run the command again.",
            ) from error
        text = response.data.decode(errors="replace")
        if response.status >= 300:
            raise _refusal(method, path, response.status, text)
        return text


def find_token(environ: Mapping[str, str]) -> str | None:
    """Returns the token in the environment; None when there is none."""
    return next((environ[name] for name in TOKEN_VARIABLES if environ.get(name)), None)


def _refusal(method: str, path: str, status: int, text: str) -> ProviderError:
    try:
        message = str(json.loads(text).get("message", "")) or text
    except (ValueError, AttributeError):
        message = text
    remedy = {
        401: f"Renew the token in {TOKEN_VARIABLES[0]}.",
        403: "Give the token the scopes kubernetes (read, create, update, access_cluster) and sizes (read).",
        422: "Correct what the message names in cluster.yaml.",
        429: "Too many requests: wait some minutes, then run the command again.",
    }.get(status, "Run the command again; if it fails again, look at status.digitalocean.com.")
    shown = path.partition("?")[0]
    return ProviderError(
        f"DigitalOcean refused {method} {shown} ({status}): {' '.join(message.split())[:300]}", remedy=remedy
    )
