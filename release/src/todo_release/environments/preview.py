"""What a deployment would change, before it is made: the chart as it will be, against the live objects.

The API server says it by a dry run, so edits that somebody made by hand are among what changes. A chart that
cannot be rendered, values that its schema refuses and an object that the server refuses are found here too,
before anything is built.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from todo_release.adapters.kubernetes import object_diff
from todo_release.adapters.kubernetes.client import RefusedError
from todo_release.adapters.kubernetes.manifest import Manifest, Rendered, parse
from todo_release.artifacts import release_commit
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import prepare
from todo_release.artifacts.images import Inputs
from todo_release.environments.environment import Access, ReleaseContext

TO_BE_BUILT = "sha256:" + "0" * 64
MANAGER = "helm"  # whose fields they are, so that those it no longer sets go
PARALLEL_LOOKS = 8
NOT_FOUND = 404
NOTED = {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"}
NOTED_ANNOTATIONS = ("deployment.kubernetes.io/", "meta.helm.sh/", "autoscaling.alpha.kubernetes.io/")
SHORT = len("sha256:") + 12  # as `kubernetes.object_diff` shows digests


def preview(
    context: ReleaseContext,
    environment: str,
    *,
    version: str,
    commit: str | None,
    inputs: Mapping[str, Inputs],
    digests: Mapping[str, str | None],
) -> tuple[str, ...]:
    """Lines on what will differ in an environment from what is there now, by the API server's own dry run.

    `commit` is that of the version's tag; without it, the commit checked out with the edits of the release.
    Images that are not built yet have no digest and are shown as such.

    Raises:
        HelmError: the chart cannot be rendered.
        ConfigError: a file lacks what is to be edited.
        ClusterError: the server refuses an object, or does not answer.
    """
    config, repository, access = context.config, context.repository, context.reach(environment)
    references = {
        name: ImageReference(config.registry.reference(name), one.tag, digests[name] or TO_BE_BUILT)
        for name, one in inputs.items()
    }
    changes = {} if commit else release_commit.edits(repository, config, version, references)
    with prepare(
        repository, config, environment, version, commit or repository.head(), changes=changes
    ) as deployment:
        new = access.helm.template(
            deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
        )
    release = access.settings.release
    old = access.helm.manifest(release) if access.helm.history(release) else ""
    lines = _changes(access, _without_hooks(parse(old)), _without_hooks(parse(new)))
    return tuple(line.replace(TO_BE_BUILT[:SHORT], "(to be built)") for line in lines)


def _changes(access: Access, old: Manifest, new: Manifest) -> Iterator[str]:
    """What the API server says would differ, as `+ Kind/name`, `- Kind/name` and `~ Kind/name: change`."""
    yield from (f"- {one.subject}" for one in old.objects if new.find(one.kind, one.name) is None)
    with ThreadPoolExecutor(PARALLEL_LOOKS) as pool:
        for lines in pool.map(lambda one: _changes_of(access, old, one), new.objects):
            yield from lines


def _changes_of(access: Access, old: Manifest, one: Rendered) -> list[str]:
    live = access.cluster.live(one.body, access.settings.namespace)
    try:
        applied = access.cluster.applied(one.body, access.settings.namespace, manager=MANAGER)
    except RefusedError as refusal:
        if live is not None or refusal.status != NOT_FOUND:  # its namespace may not be there yet
            raise
        applied = None
    if live is None or applied is None:
        return [f"+ {one.subject}"]
    lines = dict.fromkeys(object_diff.between(_own(live), _own(applied)))
    # Helm 3 takes fields back that the chart no longer has, but not in a way that the server would tell.
    before = old.find(one.kind, one.name)
    dropped = (
        line
        for line in object_diff.between(before.body if before else {}, one.body)
        if object_diff.is_removal(line)
    )
    return [f"~ {one.subject}: {line}" for line in lines | dict.fromkeys(dropped)]


def _own(found: Mapping[str, Any]) -> dict[str, Any]:
    """What people write of an object, without what servers, controllers and Helm note in it."""
    meta = found["metadata"]
    annotations = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if not key.startswith(NOTED_ANNOTATIONS)
    }
    kept = {key: value for key, value in meta.items() if key not in NOTED} | {"annotations": annotations}
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": kept}


def _without_hooks(manifest: Manifest) -> Manifest:
    """Helm keeps hooks apart, so they are no part of what it says it deployed."""
    return Manifest(tuple(one for one in manifest.objects if not one.hooks))
