"""Reads git, the registry and the environments, all at the same time, and returns the facts for a plan.

Nothing is changed. What cannot be read becomes a problem among the facts, so that one unreachable cluster
does not hide what is wrong with the work tree.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from todo_release.adapters import pathspec
from todo_release.adapters.git import RemoteRefs
from todo_release.artifacts import chart, image_values, images, release_commit, version_line, versions
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.images import ImageInputs
from todo_release.artifacts.release_commit import FileEdits
from todo_release.environments.deviations import FindDeviations
from todo_release.environments.environment import ReleaseContext
from todo_release.environments.preview import RefusedObjectsError, preview_changes
from todo_release.errors import ReleaseError, RepositoryError
from todo_release.pipeline.environment_survey import survey_environment
from todo_release.pipeline.facts import (
    AnnouncementFacts,
    ChartFacts,
    EnvironmentFacts,
    GitFacts,
    ImageFacts,
    ReleaseFacts,
)

if TYPE_CHECKING:
    from todo_release.adapters.github import GitHub
    from todo_release.adapters.registry.client import Registry
    from todo_release.preflight.inspection import Inspect

PARALLEL_READS = 8


def survey(
    context: ReleaseContext,
    registry: "Registry",
    version: str,
    environments: Sequence[str],
    github: "GitHub | None" = None,
    *,
    find_deviations: FindDeviations,
    inspect: "Inspect",
) -> ReleaseFacts:
    """Returns the facts for releasing a version to some environments.

    Args:
        github: Where the version is announced; None if this release is not to be announced.
        find_deviations: Compares what runs with what was released; asked only where nothing else is to do.
        inspect: Finds what would fail in an environment; asked where the API server refuses the chart.

    Raises:
        ConfigError: release.yaml names inputs, files or values that do not exist.
        RepositoryError: there is no work tree, or its remote does not answer.
        VersionError: `version` is not a semantic version.
    """
    config, repository = context.config, context.repository
    tag = versions.tag_of(versions.parse(version), context.config.tag_prefix)
    state = _read_state(context, registry, version, environments, github, find_deviations=find_deviations)
    commit = state.tags.get(tag)
    edits = _edits(context, state, version) if commit is None else None
    previews = _preview_environments(context, state, version, commit, inspect)
    problems = _distinct(
        [
            _author_problem(context) if commit is None else None,
            *(lookup.problem for lookup in state.images.values()),
            *(problem for _, problem in state.environments),
            *(problem for _, problem in previews.values()),
        ]
    )
    return ReleaseFacts(
        git=replace(
            _git_facts(context, tag, state),
            # What an interrupted run of this very release wrote is expected.
            unexpected=tuple(
                path
                for path in state.dirty_paths
                if not release_commit.is_applied(repository.root, edits or {}, path)
            ),
            changed=state.previous.all_changed if commit else (),
        ),
        images=_image_facts(context, state),
        chart=_chart_facts(context, version, edits),
        environments=tuple(
            replace(environment, changes=previews.get(environment.name, ((), None))[0])
            for environment, _ in state.environments
        ),
        announcement=AnnouncementFacts(repository=config.github, url=state.announcement_url)
        if github and config.github
        else None,
        problems=problems,
    )


@dataclass(frozen=True, slots=True)
class _RegistryLookup:
    """The digests that the registry has of an image under its content tag and under the version's tag."""

    content_digest: str | None
    version_digest: str | None
    problem: ReleaseError | None


@dataclass(frozen=True, slots=True)
class _PreviousRelease:
    """The images of an earlier release and the paths that changed since; empty if there was none."""

    images: dict[str, ImageReference]
    changed_inputs: dict[str, tuple[str, ...]]
    changed_chart: tuple[str, ...]

    @property
    def all_changed(self) -> tuple[str, ...]:
        """Returns every path that changed."""
        inputs = (path for paths in self.changed_inputs.values() for path in paths)
        return tuple(sorted({*self.changed_chart, *inputs}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Everything that was read before the edits and previews can be computed; images are by name."""

    tags: dict[str, str]
    remote: RemoteRefs | None
    dirty_paths: Sequence[str]
    previous: _PreviousRelease
    inputs: dict[str, ImageInputs]
    images: dict[str, _RegistryLookup]
    environments: Sequence[tuple[EnvironmentFacts, ReleaseError | None]]
    announcement_url: str | None


def _read_state(
    context: ReleaseContext,
    registry: "Registry",
    version: str,
    environments: Sequence[str],
    github: "GitHub | None",
    *,
    find_deviations: FindDeviations,
) -> _State:
    tag = versions.tag_of(versions.parse(version), context.config.tag_prefix)
    config, repository = context.config, context.repository
    # The registry is asked for every image at once, while git and the environments are read.
    with ThreadPoolExecutor(PARALLEL_READS + len(config.images)) as pool:
        remote = pool.submit(repository.remote_refs, config.remote) if config.remote else None
        tags = repository.tags()
        commit = tags.get(tag)
        announcement_url = pool.submit(github.release, tag) if github else None
        surveys = [
            pool.submit(
                survey_environment,
                context,
                name,
                version,
                commit,
                find_deviations,
                is_requirement_planned=config.environment(name).requires in environments,
            )
            for name in environments
        ]
        pending_inputs = pool.submit(images.read_all_inputs, repository, config)
        previous = pool.submit(_read_previous_release, context, commit)
        dirty_paths = pool.submit(repository.dirty)
        inputs = pending_inputs.result()
        lookups = {
            name: pool.submit(_look_up, registry, config.registry.path(name), inputs[name].tag, tag)
            for name in config.images
        }
        return _State(
            tags=tags,
            previous=previous.result(),
            dirty_paths=dirty_paths.result(),
            remote=remote.result() if remote else None,
            inputs=inputs,
            images={name: lookup.result() for name, lookup in lookups.items()},
            environments=[environment.result() for environment in surveys],
            announcement_url=announcement_url.result() if announcement_url else None,
        )


def _edits(context: ReleaseContext, state: _State, version: str) -> FileEdits | None:
    """Returns the edits of the release commit, None while an image is missing in the registry."""
    config = context.config
    references = {
        name: ImageReference(config.registry.reference(name), state.inputs[name].tag, lookup.content_digest)
        for name, lookup in state.images.items()
        if lookup.content_digest is not None
    }
    if len(references) < len(config.images):
        return None
    return release_commit.compute_edits(context.repository, config, version, references)


def _author_problem(context: ReleaseContext) -> RepositoryError | None:
    """Returns the error when git does not know the author of a commit."""
    try:
        context.repository.author()
    except RepositoryError as problem:
        return problem
    return None


def _git_facts(context: ReleaseContext, tag: str, state: _State) -> GitFacts:
    repository, config, remote = context.repository, context.config, state.remote
    head, branch = repository.head(), repository.branch()
    release_branch = config.release_branch(branch)
    remote_head = remote.branches.get(release_branch) if remote else None
    other_tags = {*state.tags, *(remote.tags if remote else ())} - {tag}
    in_line = None
    if release_branch != config.branch:
        in_line = _texts(other_tags & repository.tags(within=head).keys(), config.tag_prefix)
    return GitFacts(
        head=head,
        branch=branch,
        release_branch=release_branch,
        remote=config.remote,
        tag_prefix=config.tag_prefix,
        released=_texts(other_tags, config.tag_prefix),
        in_line=in_line,
        tag_commit=state.tags.get(tag),
        remote_tag_commit=remote.tags.get(tag) if remote else None,
        is_behind_remote=remote_head is not None and not repository.is_ancestor(remote_head, head),
        is_shallow=repository.is_shallow(),
    )


def _texts(tags: Iterable[str], prefix: str) -> tuple[str, ...]:
    return tuple(str(version) for version in versions.parse_tags(tags, prefix))


def _read_previous_release(context: ReleaseContext, commit: str | None) -> _PreviousRelease:
    """Returns what differs from a version's commit, or from the last version of the line if it has none."""
    config, repository = context.config, context.repository
    commit = commit or _last_commit(version_line.tags_of_line(repository, config), config.tag_prefix)
    if commit is None:
        return _PreviousRelease({}, {}, ())
    changed = repository.changed_paths(commit)
    return _PreviousRelease(
        _images_at(context, commit),
        {name: images.select_changed(changed, image) for name, image in config.images.items()},
        pathspec.select(changed, [config.chart.path, config.chart.values]),
    )


def _images_at(context: ReleaseContext, commit: str) -> dict[str, ImageReference]:
    """Returns the images of an earlier release, without those it did not have yet."""
    config = context.config
    try:
        text = context.repository.text_at(commit, config.chart.values)
    except ReleaseError:
        return {}
    return image_values.read_known_images(text, config.chart.values, config)


def _image_facts(context: ReleaseContext, state: _State) -> tuple[ImageFacts, ...]:
    config = context.config
    return tuple(
        ImageFacts(
            name=name,
            context=image.context,
            repository=config.registry.reference(name),
            content_id=state.inputs[name].content_id,
            digest=state.images[name].content_digest,
            changed=state.previous.changed_inputs.get(name),
            last=state.previous.images.get(name),
            is_tagged=state.images[name].content_digest is not None
            and state.images[name].version_digest == state.images[name].content_digest,
        )
        for name, image in config.images.items()
    )


def _chart_facts(context: ReleaseContext, version: str, edits: FileEdits | None) -> ChartFacts:
    repository, file = context.repository, context.config.chart.file
    return ChartFacts(
        version=chart.read_version(repository.text_at(repository.head(), file), file),
        files=release_commit.edited_files(context.config, version),
        is_committed=edits == {},
    )


def _look_up(registry: "Registry", path: str, content_tag: str, version_tag: str) -> _RegistryLookup:
    try:
        return _RegistryLookup(registry.digest(path, content_tag), registry.digest(path, version_tag), None)
    except ReleaseError as problem:
        return _RegistryLookup(None, None, problem)


def _preview_environments(
    context: ReleaseContext, state: _State, version: str, commit: str | None, inspect: "Inspect"
) -> dict[str, tuple[tuple[str, ...], ReleaseError | None]]:
    """Returns what would change in each environment that is not current, or the error of the preview."""
    digests = {name: lookup.content_digest for name, lookup in state.images.items()}

    def preview(environment: EnvironmentFacts) -> tuple[tuple[str, ...], ReleaseError | None]:
        try:
            lines = preview_changes(
                context,
                environment.name,
                version=version,
                commit=commit,
                inputs=state.inputs,
                digests=digests,
            )
        except RefusedObjectsError as refused:
            from todo_release.preflight.refusals import explain_refusal  # slow: the checks cost 100 ms

            return (), explain_refusal(environment.name, version, refused, inspect)
        except ReleaseError as problem:
            return (), problem
        return lines, None

    changing = [
        environment
        for environment, problem in state.environments
        if problem is None and not environment.is_current
    ]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        previews = pool.map(preview, changing)
        return {environment.name: result for environment, result in zip(changing, previews, strict=True)}


def _last_commit(tags: dict[str, str], prefix: str) -> str | None:
    released = versions.parse_tags(tags, prefix)
    return tags[versions.tag_of(released[-1], prefix)] if released else None


def _distinct(problems: Sequence[ReleaseError | None]) -> tuple[ReleaseError, ...]:
    """Returns each problem once, however many reads met it."""
    return tuple({problem.problem: problem for problem in problems if problem is not None}.values())
