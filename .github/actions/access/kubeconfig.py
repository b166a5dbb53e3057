"""Writes a kubeconfig for a DigitalOcean cluster, which it finds by the context in release.yaml.

    CONTEXT=do-REGION-NAME DIGITALOCEAN_ACCESS_TOKEN=... SERVICE_ACCOUNT=NAMESPACE/NAME \
        python kubeconfig.py FILE

The file holds a token of the service account, so the steps after it may change one environment only. It calls
the APIs with the standard library only, so a runner needs no doctl and trusts no other program. The token
expires soon after the job.
"""

import base64
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

API = "https://api.digitalocean.com"
VALID_SECONDS = 2 * 60 * 60  # longer than any job may take
ANSWER_SECONDS = 30


def ask(url: str, token: str, who: str, remedy: str, *, body: Any = None, authority: str = "") -> Any:
    """Returns the JSON that an API answers to a GET request or, with a body, to a POST request.

    Raises:
        SystemExit: The API is not reachable or refuses the request.
    """
    request = urllib.request.Request(  # noqa: S310  # the URL is a constant, or from the provider's API
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    trusted = ssl.create_default_context(cadata=authority or None)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS, context=trusted) as response:  # noqa: S310  # as above
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{who} refused ({error.code} {error.reason}). {remedy}") from error
    except OSError as error:
        raise SystemExit(f"{who} did not answer: {error}. Run the job again.") from error


def ask_provider(path: str) -> Any:
    """Returns the answer of DigitalOcean's API about clusters."""
    url = f"{os.environ.get('DIGITALOCEAN_API_URL', API)}/v2/kubernetes/clusters{path}"
    token = os.environ["DIGITALOCEAN_ACCESS_TOKEN"]
    return ask(url, token, "DigitalOcean", "Renew the secret DIGITALOCEAN_ACCESS_TOKEN.")


def cluster_id(context: str) -> str:
    """Returns the id of the cluster with a context.

    Raises:
        SystemExit: The token can read no such cluster.
    """
    clusters = ask_provider("?per_page=200")["kubernetes_clusters"]
    known = {f"do-{cluster['region']}-{cluster['name']}": str(cluster["id"]) for cluster in clusters}
    if context not in known:
        raise SystemExit(
            f"There is no cluster {context}; the token sees: {', '.join(sorted(known)) or 'none'}. "
            "Correct the context in release.yaml, or give the token access."
        )
    return known[context]


def account_token(credentials: Any, account: str) -> str:
    """Returns a token of a service account (NAMESPACE/NAME), which the administrator asks the cluster for.

    Raises:
        SystemExit: There is no such account.
    """
    namespace, _, name = account.partition("/")
    answer = ask(
        f"{credentials['server']}/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
        credentials["token"],
        "The cluster",
        f"It must have the account {account}: apply k8s/cluster-bootstrap/rbac.yaml.",
        body={
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": VALID_SECONDS},
        },
        authority=base64.b64decode(credentials["certificate_authority_data"]).decode(),
    )
    return str(answer["status"]["token"])


def kubeconfig(context: str, credentials: Any, token: str) -> str:
    """Returns a kubeconfig with one context, as JSON, which is YAML."""
    cluster = {
        "server": credentials["server"],
        "certificate-authority-data": credentials["certificate_authority_data"],
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    return f"{json.dumps(config, indent=2)}\n"


def write(target: Path, content: str) -> None:
    """Writes a file that only its owner may read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_text(content, encoding="utf-8")


def main() -> None:
    """Writes the kubeconfig that the environment variables describe."""
    context = os.environ["CONTEXT"]
    credentials = ask_provider(f"/{cluster_id(context)}/credentials?expiry_seconds={VALID_SECONDS}")
    token = account_token(credentials, os.environ["SERVICE_ACCOUNT"])
    write(Path(sys.argv[1]), kubeconfig(context, credentials, token))


if __name__ == "__main__":
    main()
