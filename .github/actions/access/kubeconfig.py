"""Writes the kubeconfig of a DigitalOcean cluster, which it finds by the context in release.yaml.

    CONTEXT=do-REGION-NAME DIGITALOCEAN_ACCESS_TOKEN=... python kubeconfig.py FILE

It calls DigitalOcean's API with the standard library only, so a runner needs no doctl and trusts no other
program. The credentials expire soon after the job.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

API = "https://api.digitalocean.com"
VALID_SECONDS = 2 * 60 * 60  # longer than any job may take
ANSWER_SECONDS = 30


def ask(path: str) -> bytes:
    """Returns the answer of the API to a GET request.

    Raises:
        SystemExit: The API is not reachable or refuses the request.
    """
    url = f"{os.environ.get('DIGITALOCEAN_API_URL', API)}/v2/kubernetes/clusters{path}"
    request = urllib.request.Request(  # noqa: S310  # the URL is a constant or set by the caller
        url, headers={"Authorization": f"Bearer {os.environ['DIGITALOCEAN_ACCESS_TOKEN']}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310  # as above
            content: bytes = response.read()
            return content
    except urllib.error.HTTPError as error:
        raise SystemExit(
            f"DigitalOcean refused ({error.code} {error.reason}). Renew the secret DIGITALOCEAN_ACCESS_TOKEN."
        ) from error
    except OSError as error:
        raise SystemExit(f"DigitalOcean did not answer: {error}. Run the job again.") from error


def cluster_id(context: str) -> str:
    """Returns the id of the cluster with a context.

    Raises:
        SystemExit: The token can read no such cluster.
    """
    clusters = json.loads(ask("?per_page=200"))["kubernetes_clusters"]
    known = {f"do-{cluster['region']}-{cluster['name']}": str(cluster["id"]) for cluster in clusters}
    if context not in known:
        raise SystemExit(
            f"There is no cluster {context}; the token sees: {', '.join(sorted(known)) or 'none'}. "
            "Correct the context in release.yaml, or give the token access."
        )
    return known[context]


def write(target: Path, content: bytes) -> None:
    """Writes a file that only its owner may read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_bytes(content)


if __name__ == "__main__":
    write(
        Path(sys.argv[1]),
        ask(f"/{cluster_id(os.environ['CONTEXT'])}/kubeconfig?expiry_seconds={VALID_SECONDS}"),
    )
