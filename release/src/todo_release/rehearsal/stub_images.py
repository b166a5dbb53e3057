"""Stand-ins of images: as small as can be, in a real registry, with all that a release asks of an image.

Building the real ones would take minutes and a container engine. What a rehearsal is about is the way of an
image (its tags, its digest, whether a node can have it), not what is in it.
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


class StandInEngine:
    """Builds and pushes like a container engine; what it builds holds nothing but its build arguments."""

    def __init__(self, settings: RegistrySettings) -> None:
        """`settings` name a registry that lets everybody push over plain HTTP; `pushed` are digests."""
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
        """Make the configuration of an image; the context is only measured."""
        size = len(context.read())
        on_line(f"stand-in of {dockerfile}, whose context has {size} bytes")
        system, _, architecture = platform.partition("/")
        config = {
            "os": system,
            "architecture": architecture,
            "config": {"Env": [f"{name}={value}" for name, value in build_args.items()]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(b"")]},
        }
        with self._writing:
            self._built.update({tag: json.dumps(config, sort_keys=True).encode() for tag in tags})

    def push(self, reference: str, *, on_line: Callable[[str], None]) -> str:
        """Push the image of a tag.

        Raises:
            RegistryError: the registry did not answer as one should.
        """
        repository, _, tag = reference.removeprefix(f"{self._settings.host}/").rpartition(":")
        with httpx2.Client(
            base_url=f"http://{self._settings.host}/v2/{repository}", timeout=ANSWER_SECONDS
        ) as client:
            try:
                config, layer = _push_blob(client, self._built[reference]), _push_blob(client, b"")
                body = json.dumps(_manifest(config, layer)).encode()
                answer = client.put(f"/manifests/{tag}", content=body, headers={"content-type": MANIFEST})
                answer.raise_for_status()
            except httpx2.HTTPError as error:
                raise RegistryError(
                    f"The scratch registry did not take {reference}: {error}.", remedy="Rehearse again."
                ) from error
        on_line(f"{reference} pushed")
        digest = digest_of(body)
        self.pushed.add(digest)
        return digest


def digest_of(content: bytes) -> str:
    """The digest content is addressed by."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _push_blob(client: httpx2.Client, content: bytes) -> dict[str, Any]:
    digest = digest_of(content)
    client.post("/blobs/uploads/", params={"digest": digest}, content=content).raise_for_status()
    return {"digest": digest, "size": len(content)}


def _manifest(config: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, **config},
        "layers": [{"mediaType": LAYER, **layer}],
    }
