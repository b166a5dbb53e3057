"""What a deployment would change, before it is made: the chart as it will be, rendered and compared.

Rendering here also finds a chart that cannot be rendered, or values that its schema refuses, before anything
is built.
"""

from collections.abc import Mapping

from todo_release import diff, edits
from todo_release.chart import ImageReference
from todo_release.deployment import prepare
from todo_release.environments import Operator
from todo_release.images import Inputs

TO_BE_BUILT = "sha256:" + "0" * 64
SHORT = len("sha256:") + 12  # as `todo_release.diff` shows digests


def preview(
    operator: Operator,
    environment: str,
    *,
    version: str,
    commit: str | None,
    inputs: Mapping[str, Inputs],
    digests: Mapping[str, str | None],
) -> tuple[str, ...]:
    """Lines on what will differ from what Helm last deployed to an environment; all of it the first time.

    `commit` is that of the version's tag; without it, the commit checked out with the edits of the release.
    Images that are not built yet have no digest and are shown as such.

    Raises:
        HelmError: the chart cannot be rendered.
        ConfigError: a file lacks what is to be edited.
    """
    config, repository, access = operator.config, operator.repository, operator.reach(environment)
    references = {
        name: ImageReference(config.registry.reference(name), one.tag, digests[name] or TO_BE_BUILT)
        for name, one in inputs.items()
    }
    changes = {} if commit else edits.edits(repository, config, version, references)
    with prepare(
        repository, config, environment, version, commit or repository.head(), changes=changes
    ) as deployment:
        new = access.helm.template(
            deployment.release, deployment.chart, values=deployment.values, overlay=deployment.overlay
        )
    release = access.settings.release
    old = access.helm.manifest(release) if access.helm.history(release) else ""
    lines = diff.changes(_without_hooks(old), _without_hooks(new))
    return tuple(line.replace(TO_BE_BUILT[:SHORT], "(to be built)") for line in lines)


def _without_hooks(manifest: str) -> str:
    """Helm keeps hooks apart, so they are no part of what it says it deployed."""
    documents = manifest.split("\n---\n")
    return "\n---\n".join(document for document in documents if "helm.sh/hook" not in document)
