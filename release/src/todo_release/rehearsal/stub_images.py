"""Stub images: almost empty, but in a real registry and with everything a release reads of an image.

Building the real ones would take minutes and a container engine. A rehearsal tests how images are tagged,
pushed and pulled, and not their content.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import httpx2

from todo_release.config.model import RegistrySettings
from todo_release.errors import RegistryError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ANSWER_SECONDS = 10.0


class StubImageEngine:
    """Builds and pushes like a container engine, but images hold only their build arguments."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Uses the registry in `settings`, over plain HTTP without login; `pushed` collects digests."""
        self._settings = settings
        self.pushed: set[str] = set()
        self._built: dict[str, bytes] = {}
        self._writing = threading.Lock()

    def build(
        self,
        context: BinaryIO,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        on_line: Callable[[str], None],
        platform: str,
        cache: str | None = None,
    ) -> None:
        """Creates the configuration of an image; of the context only the size is read."""
        size = len(context.read())
        on_line(f"stub image for {dockerfile}, with a build context of {size} bytes")
        system, _, architecture = platform.partition("/")
        config = {
            "os": system,
            "architecture": architecture,
            "config": {"Env": [f"{name}={value}" for name, value in build_args.items()]},
            "rootfs": {"type": "layers", "diff_ids": [content_digest(b"")]},
        }
        with self._writing:
            self._built.update({tag: json.dumps(config, sort_keys=True).encode() for tag in tags})

    def push(self, reference: str, *, on_line: Callable[[str], None]) -> str:
        """Pushes the image of a tag and returns its digest.

        Raises:
            RegistryError: the registry refused, or did not answer.
        """
        repository, _, tag = reference.removeprefix(f"{self._settings.host}/").rpartition(":")
        with httpx2.Client(
            base_url=f"http://{self._settings.host}/v2/{repository}", timeout=ANSWER_SECONDS, trust_env=False
        ) as client:
            try:
                config, layer = _push_blob(client, self._built[reference]), _push_blob(client, b"")
                body = json.dumps(_manifest(config, layer)).encode()
                response = client.put(f"/manifests/{tag}", content=body, headers={"content-type": MANIFEST})
                response.raise_for_status()
            except httpx2.HTTPError as error:
                raise RegistryError(
                    f"The sandbox's registry refused {reference}: {error}.",
                    remedy="Run the rehearsal again.",
                ) from error
        on_line(f"{reference} pushed")
        digest = content_digest(body)
        self.pushed.add(digest)
        return digest


def content_digest(content: bytes) -> str:
    """Returns the digest by which a registry addresses content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _push_blob(client: httpx2.Client, content: bytes) -> dict[str, Any]:
    digest = content_digest(content)
    client.post("/blobs/uploads/", params={"digest": digest}, content=content).raise_for_status()
    return {"digest": digest, "size": len(content)}


def _manifest(config: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, **config},
        "layers": [{"mediaType": LAYER, **layer}],
    }
