"""Pushes small images to a registry, as `docker push` does."""

import hashlib
import json
from typing import Any

import httpx2

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def push_image(
    host: str, repository: str, tag: str, *, architecture: str = "amd64", build_id: str | None = None
) -> str:
    """Pushes an image of one layer of five bytes, and returns its digest."""
    environment = ["PATH=/bin", "OPTIONS=a=b", *([f"BUILD_ID={build_id}"] if build_id else [])]
    run = {"Labels": {"build": "x"}, "Env": environment}
    config = json.dumps({"os": "linux", "architecture": architecture, "config": run}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": _push_blob(host, repository, config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": _push_blob(host, repository, b"layer"), "size": 5}],
    }
    return push_manifest(host, repository, tag, manifest)


def push_index(host: str, repository: str, tag: str, children: dict[str, str]) -> str:
    """Pushes an index over images by architecture, and returns its digest."""
    entries = [
        {
            "mediaType": MANIFEST,
            "digest": digest,
            "size": 1,
            "platform": {"os": "linux", "architecture": name},
        }
        for name, digest in children.items()
    ]
    return push_manifest(
        host, repository, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    )


def push_manifest(host: str, repository: str, tag: str, manifest: dict[str, Any]) -> str:
    """Pushes a manifest as it is, and returns its digest."""
    body = json.dumps(manifest).encode()
    url = f"http://{host}/v2/{repository}/manifests/{tag}"
    httpx2.put(url, content=body, headers={"content-type": manifest["mediaType"]}).raise_for_status()
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _push_blob(host: str, repository: str, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    started = httpx2.post(f"http://{host}/v2/{repository}/blobs/uploads/").raise_for_status()
    url = started.url.join(started.headers["location"]).copy_merge_params({"digest": digest})
    httpx2.put(url, content=content).raise_for_status()
    return digest
