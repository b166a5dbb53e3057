"""Where an API server keeps an object: the path of the object and of the collection it belongs to."""

from collections.abc import Mapping
from typing import Any

KubeObject = Mapping[str, Any]  # one object of any kind, as the API reads and writes it


def plural_of(kind: str) -> str:
    """Returns the plural of a kind: `networkpolicies` of `NetworkPolicy`, `gateways` of `Gateway`.

    It follows the rule that Kubernetes itself guesses by (`meta.UnsafeGuessKindToResource`), except after a
    vowel, where Kubernetes guesses `gatewaies`.
    """
    singular = kind.lower()
    if singular.endswith("s"):
        return f"{singular}es"
    if singular.endswith("y") and singular[-2:-1] not in tuple("aeiou"):
        return f"{singular[:-1]}ies"
    return f"{singular}s"


def collection(manifest: KubeObject) -> str:
    """Returns the path of an object's collection: `apis/apps/v1/namespaces/staging/deployments`.

    An object without a namespace counts as cluster-scoped.
    """
    version, plural = manifest["apiVersion"], plural_of(manifest["kind"])
    root = f"apis/{version}" if "/" in version else f"api/{version}"
    namespace = manifest["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def location(manifest: KubeObject) -> str:
    """Returns the path of an object: `apis/apps/v1/namespaces/staging/deployments/web`."""
    return f"{collection(manifest)}/{manifest['metadata']['name']}"
