"""What an API server is and serves: its version, and every kind in every version."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.objects import JsonObject

ROOTS = ("api", "apis")
# Since Kubernetes 1.27 discovery takes two requests instead of one for each group and version.
ACCEPT = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedResource:
    """One kind in one version that the API server serves."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool


def served_resources(answer: JsonObject) -> Iterator[ServedResource]:
    """Yields the kinds in an answer to a request for one of `ROOTS`; none if the server is too old."""
    if answer.get("kind") != "APIGroupDiscoveryList":
        return
    for group in answer["items"]:
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            for resource in version.get("resources") or ():
                yield ServedResource(
                    api_version=f"{name}/{version['version']}" if name else version["version"],
                    kind=resource["responseKind"]["kind"],
                    plural=resource["resource"],
                    is_namespaced=resource["scope"] == "Namespaced",
                )


def read_version(cluster: Cluster) -> str:
    """Returns the version of the API server: `v1.34.4`.

    Raises:
        ClusterError: It refused or was not reachable.
    """
    return str(cluster.read("version")["gitVersion"])


def read_api_versions(cluster: Cluster) -> Iterable[str]:
    """Returns what Helm knows as `.Capabilities.APIVersions`: `apps/v1` and `apps/v1/Deployment`.

    Raises:
        ClusterError: It refused or was not reachable.
    """
    answers = [cluster.read(root, accept=ACCEPT) for root in ROOTS]
    served = [resource for answer in answers if answer for resource in served_resources(answer)]
    return sorted(
        {resource.api_version for resource in served}
        | {f"{resource.api_version}/{resource.kind}" for resource in served}
    )
