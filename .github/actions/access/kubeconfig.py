"""Writes the kubeconfig of a DigitalOcean cluster, found by the name that its context has in release.yaml.

    CONTEXT=do-REGION-NAME DIGITALOCEAN_ACCESS_TOKEN=... python kubeconfig.py FILE

It asks the API itself, with nothing but the standard library: a runner then needs no doctl, and there is no
binary whose origin would have to be trusted. The credentials expire by themselves, soon after the job.
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
    """GET a path of the API.

    Raises:
        SystemExit: it was not reachable or refused.
    """
    url = f"{os.environ.get('DIGITALOCEAN_API_URL', API)}/v2/kubernetes/clusters{path}"
    request = urllib.request.Request(  # noqa: S310  # the address is this file's, or of whoever runs it
        url, headers={"Authorization": f"Bearer {os.environ['DIGITALOCEAN_ACCESS_TOKEN']}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:  # noqa: S310  # as above
            content: bytes = response.read()
            return content
    except urllib.error.HTTPError as error:
        raise SystemExit(
            f"DigitalOcean refused ({error.code} {error.reason}): does DIGITALOCEAN_ACCESS_TOKEN still hold?"
        ) from error
    except OSError as error:
        raise SystemExit(f"DigitalOcean did not answer: {error}. Run the job again.") from error


def cluster_id(context: str) -> str:
    """Id of the cluster whose kubeconfig has this context.

    Raises:
        SystemExit: the token sees no such cluster.
    """
    clusters = json.loads(ask("?per_page=200"))["kubernetes_clusters"]
    known = {f"do-{one['region']}-{one['name']}": str(one["id"]) for one in clusters}
    if context not in known:
        raise SystemExit(
            f"There is no cluster {context}; the token sees: {', '.join(sorted(known)) or 'none'}. "
            "Correct the context in release.yaml, or give the token access."
        )
    return known[context]


def write(target: Path, content: bytes) -> None:
    """Write a file that only its owner may read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600)
    target.write_bytes(content)


if __name__ == "__main__":
    write(
        Path(sys.argv[1]),
        ask(f"/{cluster_id(os.environ['CONTEXT'])}/kubeconfig?expiry_seconds={VALID_SECONDS}"),
    )
