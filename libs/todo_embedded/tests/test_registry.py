"""The image registry, started and stopped."""

import hashlib

import httpx2
import pytest

from todo_embedded.registry import image_registry


def test_registry_keeps_what_is_pushed_until_the_block_ends() -> None:
    """Pushed blobs and manifests can be read until the block ends, and then nothing answers."""
    blob = b"{}"
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest,
            "size": len(blob),
        },
        "layers": [],
    }
    with image_registry() as host:
        client = httpx2.Client(base_url=f"http://{host}/v2/shop/web")
        assert client.post("/blobs/uploads/", params={"digest": digest}, content=blob).status_code == 201
        put = client.put("/manifests/v1", json=manifest, headers={"content-type": kind})
        assert put.status_code == 201
        assert client.get(f"/blobs/{digest}").content == blob
        head = client.head("/manifests/v1")
        assert head.headers["docker-content-digest"] == put.headers["docker-content-digest"]
        assert client.head("/manifests/v2").status_code == 404
    with pytest.raises(httpx2.ConnectError):
        client.get("/manifests/v1")
    client.close()
