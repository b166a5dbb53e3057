"""Finds how an environment differs from what was released to it: in its pods' images and its live objects.

Helm's record and the engine's own say what was released. The images of release.yaml are compared with what
the nodes report for each container; images of others are not, because their registries may need other
credentials.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from todo_release.adapters.kubernetes.manifest import PodTemplate, parse_manifest
from todo_release.adapters.registry.client import ImageNotFoundError
from todo_release.config.model import Config
from todo_release.environments.drift import FindDrift
from todo_release.environments.environment import EnvironmentAccess
from todo_release.environments.status import RunningVersion
from todo_release.errors import SmokeError

if TYPE_CHECKING:
    from todo_release.adapters.registry.client import Registry

NAMED = 3
DIGEST_CHARACTERS = 19  # sha256: and twelve digits


@dataclass(frozen=True, slots=True)
class Deviation:
    """One difference: a sentence without its full stop, and what to do about it."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        """Returns the problem."""
        return self.problem


@dataclass(frozen=True, slots=True)
class _RunningImage:
    """A container of release.yaml's image, with the digest that was released and the one a node reports."""

    pod: str
    container: str
    image: str
    released: str
    reported: str


FindDeviations = Callable[[EnvironmentAccess, RunningVersion], tuple[Deviation, ...]]


@dataclass(frozen=True, slots=True)
class DeviationFinder:
    """Compares an environment with the revision that Helm deployed last: images first, then live objects."""

    config: Config
    registry: "Registry"
    find_drift: FindDrift
    now: Callable[[], datetime]

    def __call__(self, access: EnvironmentAccess, running: RunningVersion) -> tuple[Deviation, ...]:
        """Returns every deviation.

        Raises:
            HelmError: Helm's record cannot be read.
            ClusterError: The environment cannot be reached.
            RegistryError: The registry cannot be asked about a digest that differs from the released one.
        """
        wrong = [
            _wrong_image(self.config, access, image)
            for image in _running_images(self.config, access, running)
            if image.reported != image.released and not _is_same_image(self.config, self.registry, image)
        ]
        deploy = f"inv deploy --env {access.name} --version {running.version}"
        edits = [
            Deviation(
                edit.message(self.now()),
                f"List them with `inv drift --env {access.name}`, move what must stay into the chart, and "
                f"run `{deploy}` to undo the others.",
            )
            for edit in self.find_drift(access)
        ]
        return (*wrong, *edits)


def deviation_error(access: EnvironmentAccess, deviations: tuple[Deviation, ...]) -> SmokeError:
    """Returns the error of an environment that does not run what was released."""
    return SmokeError(
        f"{access.name} does not run what was released: {summarize(deviations)}.",
        remedy=deviations[0].remedy,
    )


def summarize(deviations: tuple[Deviation, ...]) -> str:
    """Returns the first deviations in one line, with the number of the others."""
    more = f"; and {len(deviations) - NAMED} more" if len(deviations) > NAMED else ""
    return "; ".join(deviation.problem for deviation in deviations[:NAMED]) + more


def reported_digest(image_id: str) -> str:
    """Returns the digest in a container's `imageID`; empty when it has none.

    containerd and CRI-O report `repository@sha256:…`, dockershim and cri-dockerd the same after
    `docker-pullable://`, and all of them `sha256:…` of the configuration when they know no repository.
    """
    digest = image_id.rpartition("://")[2].rpartition("@")[2]
    return digest if digest.startswith("sha256:") else ""


def _running_images(
    config: Config, access: EnvironmentAccess, running: RunningVersion
) -> Iterator[_RunningImage]:
    names = {config.registry.reference(name): name for name in config.images}
    templates = {
        (template.owner.kind, template.owner.name): template
        for template in parse_manifest(running.manifest).pods()
    }
    recorded: Mapping[str, str] | None = None
    for workload in running.snapshot.workloads.values():
        template = templates.get((workload.ref.kind, workload.ref.name))
        released = _released_images(template) if template and workload.ref.kind != "Job" else {}
        for pod in running.snapshot.pods_of(workload):
            for container in pod.containers:
                reference = released.get(container.name, "")
                name = names.get(_repository(reference))
                reported = reported_digest(container.image_id)
                if name is None or not reported:
                    continue  # not an image of release.yaml, or not started yet
                digest = reference.partition("@")[2]
                if not digest:  # a tag, which may name another image by now
                    recorded = _recorded_digests(access, running) if recorded is None else recorded
                    digest = recorded.get(name, "")
                if digest:
                    yield _RunningImage(pod.name, container.name, name, digest, reported)


def _wrong_image(config: Config, access: EnvironmentAccess, found: _RunningImage) -> Deviation:
    settings = access.settings
    kubectl = f"kubectl --context {settings.context} --namespace {settings.namespace}"
    return Deviation(
        f"Pod/{found.pod} runs {found.reported[:DIGEST_CHARACTERS]} in container {found.container} and not "
        f"{config.registry.reference(found.image)}@{found.released[:DIGEST_CHARACTERS]}",
        f"See with `inv drift --env {access.name}` whether its controller was edited; if it was not, "
        f"`{kubectl} delete pod {found.pod}` lets the controller start the released image.",
    )


def _is_same_image(config: Config, registry: "Registry", found: _RunningImage) -> bool:
    """Checks whether two digests lead to one image.

    A node may report the manifest of its platform or the configuration, and one image may stand in several
    indexes.
    """
    path, platform = config.registry.path(found.image), config.registry.platform
    try:
        released = registry.resolve(path, found.released, platform)
        if found.reported in {released.platform_digest, released.config_digest}:
            return True
        return registry.resolve(path, found.reported, platform).config_digest == released.config_digest
    except ImageNotFoundError:
        return False


def _released_images(template: PodTemplate) -> dict[str, str]:
    return {
        str(container.get("name")): str(container.get("image", "")) for _, container in template.containers()
    }


def _repository(reference: str) -> str:
    """Returns an image's name without its digest and its tag, which is after the last slash."""
    host, slash, name = reference.partition("@")[0].rpartition("/")
    return f"{host}{slash}{name.partition(':')[0]}"


def _recorded_digests(access: EnvironmentAccess, running: RunningVersion) -> Mapping[str, str]:
    records = (record for record in access.records.read() if record.revision == running.revision)
    return next((record.digests for record in records), {})
