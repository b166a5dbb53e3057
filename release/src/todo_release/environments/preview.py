"""Previews what a deployment would change: the rendered chart against the live objects, before any change.

The API server answers by a dry run, so edits that somebody made by hand are among the changes. A chart that
cannot be rendered, values that its schema refuses and an object that the server refuses are found here too,
before anything is built.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from todo_release.adapters.helm.definitions import Definition, read_definitions
from todo_release.adapters.kubernetes import object_diff
from todo_release.adapters.kubernetes.client import ApiRefusedError
from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject, parse_manifest
from todo_release.artifacts import release_commit
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import prepare_deployment
from todo_release.artifacts.images import ImageInputs
from todo_release.environments.environment import EnvironmentAccess, ReleaseContext
from todo_release.errors import ClusterError

UNBUILT_DIGEST = "sha256:" + "0" * 64
FIELD_MANAGER = "helm"  # the owner of the fields, so that the dry run drops those it no longer sets
PARALLEL_READS = 8
RESOURCE_POLICY = "helm.sh/resource-policy"
NOT_FOUND = 404
OBJECT_IS_WRONG = (400, 422)
# What servers, controllers and Helm write into an object by themselves.
SERVER_FIELDS = {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"}
TOOL_ANNOTATIONS = ("deployment.kubernetes.io/", "meta.helm.sh/", "autoscaling.alpha.kubernetes.io/")
SHOWN_DIGEST_LENGTH = len("sha256:") + 12  # as `kubernetes.object_diff` shows digests


class RefusedObjectsError(ClusterError):
    """The API server refuses objects of a chart; `refusals` are its answers, by `Kind/name`."""

    def __init__(self, refusals: Sequence[tuple[str, ApiRefusedError]]) -> None:
        """Takes at least one refusal."""
        answers = "".join(f"\n  {subject}: {refusal.problem}" for subject, refusal in refusals)
        super().__init__(f"Kubernetes would refuse the chart:{answers}", remedy=refusals[0][1].remedy)
        self.refusals = tuple(refusals)


def preview_changes(
    context: ReleaseContext,
    environment: str,
    *,
    version: str,
    commit: str | None,
    inputs: Mapping[str, ImageInputs],
    digests: Mapping[str, str | None],
) -> tuple[str, ...]:
    """Returns lines that say what a deployment would change in an environment.

    Args:
        commit: The commit of the version's tag; None for HEAD with the edits of the release.
        inputs: The inputs of every image.
        digests: The digest of every image; None for an image that is not built yet and is shown as such.

    Raises:
        HelmError: The chart cannot be rendered.
        ConfigError: A file lacks a key that the release edits.
        RefusedObjectsError: The server refuses objects.
        ClusterError: The server does not answer, or a right is missing.
    """
    config, repository, access = context.config, context.repository, context.connect(environment)
    references = {
        name: ImageReference(config.registry.reference(name), image.tag, digests[name] or UNBUILT_DIGEST)
        for name, image in inputs.items()
    }
    edits = {} if commit else release_commit.compute_edits(repository, config, version, references)
    with prepare_deployment(
        repository, config, environment, version, commit or repository.head(), edits=edits
    ) as deployment:
        new = access.helm.template(
            deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
        )
        definitions = read_definitions(deployment.chart)
    release = access.settings.release
    is_installed = bool(access.helm.statuses(release))
    old = access.helm.manifest(release) if is_installed else ""
    lines = [
        *_changes_of_definitions(access, definitions, is_installed=is_installed),
        *_changes(access, _without_hooks(parse_manifest(old)), _without_hooks(parse_manifest(new))),
    ]
    return tuple(line.replace(UNBUILT_DIGEST[:SHOWN_DIGEST_LENGTH], "(to be built)") for line in lines)


def _changes(access: EnvironmentAccess, old: RenderedManifest, new: RenderedManifest) -> Iterator[str]:
    """Yields `- Kind/name` for removed objects, `+ Kind/name` for new ones, else `~ Kind/name: change`.

    `= Kind/name` is an object that the chart lacks or has in another form, and that Helm leaves alone.
    """
    for rendered in old.objects:
        if new.find(rendered.kind, rendered.name) is None:
            yield _removal_of(access, rendered)
    refusals: list[tuple[str, ApiRefusedError]] = []

    def describe(rendered: RenderedObject) -> list[str]:
        try:
            return _changes_of(access, old, rendered)
        except ApiRefusedError as refusal:
            if refusal.status not in OBJECT_IS_WRONG and "webhook" not in refusal.problem:
                raise
            refusals.append((rendered.subject, refusal))
            return []

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        for lines in pool.map(describe, new.objects):
            yield from lines
    if refusals:
        raise RefusedObjectsError(sorted(refusals, key=lambda item: item[0]))


def _removal_of(access: EnvironmentAccess, rendered: RenderedObject) -> str:
    live = access.cluster.live(rendered.body, access.settings.namespace)
    annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
    if annotations.get(RESOURCE_POLICY) == "keep":
        return f"= {rendered.subject}: no longer in the chart; it stays, as its {RESOURCE_POLICY} says"
    return f"- {rendered.subject}"


def _changes_of_definitions(
    access: EnvironmentAccess, definitions: Sequence[Definition], *, is_installed: bool
) -> Iterator[str]:
    """Yields the definitions in `crds` folders that Helm creates, and those that it leaves as they are."""
    for definition in definitions:
        subject = f"{definition.body['kind']}/{definition.name}"
        try:
            live = access.cluster.live(definition.body, access.settings.namespace)
            applied = live and access.cluster.applied(
                definition.body, access.settings.namespace, manager=FIELD_MANAGER
            )
        except ApiRefusedError:
            continue  # only who may change definitions can compare them
        remedy = f"`kubectl apply --server-side -f` its {definition.source}"
        if live is None:
            late = f": missing, and Helm creates what is in crds/ only at the first install; {remedy}"
            yield f"= {subject}{late}" if is_installed else f"+ {subject}"
        elif applied and any(object_diff.describe_changes(_authored(live), _authored(applied))):
            yield f"= {subject}: differs from the chart's; CRDs in crds/ are never upgraded by Helm: {remedy}"


def _changes_of(access: EnvironmentAccess, old: RenderedManifest, new: RenderedObject) -> list[str]:
    live = access.cluster.live(new.body, access.settings.namespace)
    try:
        applied = access.cluster.applied(new.body, access.settings.namespace, manager=FIELD_MANAGER)
    except ApiRefusedError as refusal:
        if live is not None or refusal.status != NOT_FOUND:  # its namespace may not exist yet
            raise
        applied = None
    if applied is None and not access.cluster.serves(new.body):
        return [f"+ {new.subject} (cannot be checked before its definition exists)"]
    if live is None or applied is None:
        return [f"+ {new.subject}"]
    lines = dict.fromkeys(object_diff.describe_changes(_authored(live), _authored(applied)))
    # Helm 3 removes fields that the chart no longer has, but in a way that a dry run does not show.
    before = old.find(new.kind, new.name)
    dropped = (
        line
        for line in object_diff.describe_changes(before.body if before else {}, new.body)
        if object_diff.is_removal(line)
    )
    return [f"~ {new.subject}: {line}" for line in lines | dict.fromkeys(dropped)]


def _authored(live: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what people write of an object, without what servers, controllers and Helm add to it."""
    metadata = live["metadata"]
    annotations = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if not key.startswith(TOOL_ANNOTATIONS)
    }
    kept = {key: value for key, value in metadata.items() if key not in SERVER_FIELDS}
    return {key: value for key, value in live.items() if key != "status"} | {
        "metadata": kept | {"annotations": annotations}
    }


def _without_hooks(manifest: RenderedManifest) -> RenderedManifest:
    """Returns the manifest without hooks, because Helm does not list them in what it deployed."""
    return RenderedManifest(tuple(rendered for rendered in manifest.objects if not rendered.hooks))
