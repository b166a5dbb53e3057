"""Makes plans: from facts and a request to steps with reasons, without looking at anything else.

A plan lists every step of a release, also those the facts show done, so that the same request gives the same
list before, during and after the release. A plan with refusals cannot be run; all of them are listed, not
only the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from todo_release.artifacts import versions
from todo_release.errors import PromotionError, ReleaseError, RepositoryError, VersionError
from todo_release.pipeline.facts import EnvironmentFacts, Facts, GitFacts, ImageFacts
from todo_release.pipeline.steps import (
    Announce,
    BuildImage,
    Confirm,
    Deploy,
    NameImages,
    Preflight,
    Push,
    Step,
    TagCommit,
    Verify,
    WriteVersion,
)

NAMED_FILES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done for a version: `findings` were looked at and found good, `steps` follow in order."""

    version: str
    findings: tuple[str, ...]
    steps: tuple[Step, ...]
    refusals: tuple[ReleaseError, ...] = ()

    @property
    def pending(self) -> tuple[Step, ...]:
        """The steps that are not done yet."""
        return tuple(step for step in self.steps if not step.is_done)

    @property
    def is_finished(self) -> bool:
        """True when there is nothing to do and nothing to refuse."""
        return not self.pending and not self.refusals

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "version": self.version,
            "is_finished": self.is_finished,
            "findings": list(self.findings),
            "steps": [step.as_json() for step in self.steps],
            "refusals": [
                {"problem": refusal.problem, "remedy": refusal.remedy, "exit_code": refusal.code}
                for refusal in self.refusals
            ],
        }


def plan_release(facts: Facts, version: str) -> Plan:
    """Plan the release of a version to every environment of the facts.

    Raises:
        VersionError: `version` is no semantic version.
    """
    wanted = versions.parse(version)
    tag = versions.tag_of(wanted)
    refusals = list(facts.problems)
    findings: list[str] = []
    if facts.git.tag_commit is None:
        for check in (_check_version, _check_tree):
            try:
                findings.append(check(facts, version))
            except ReleaseError as refusal:
                refusals.append(refusal)
    elif facts.git.changed:
        refusals.append(_taken(facts.git, version))
    else:
        findings.append(
            f"{version} is tagged at {facts.git.tag_commit[:12]} and nothing it is made of has changed"
        )
    steps = [*_preflight_steps(facts.environments, version), *_image_steps(facts)]
    steps += _publishing_steps(facts, version, tag)
    steps += _environment_steps(facts.environments, version)
    if facts.announcement is not None:
        address = facts.announcement.address
        steps.append(
            Announce(
                tag=tag,
                repository=facts.announcement.repository,
                is_done=address is not None,
                reason=address or "last, when every environment runs it",
            )
        )
    return Plan(version=version, findings=tuple(findings), steps=tuple(steps), refusals=tuple(refusals))


def plan_deployment(facts: Facts, version: str) -> Plan:
    """Plan to bring a version that is released already to the environments of the facts.

    An environment that requires another one takes only what is verified there, or will be by this plan.

    Raises:
        VersionError: `version` is no semantic version.
    """
    tag = versions.tag_of(versions.parse(version))
    refusals = list(facts.problems)
    findings: list[str] = []
    if facts.git.tag_commit is None:
        refusals.append(
            VersionError(
                f"{version} was never released: there is no tag {tag} here.",
                remedy=f"Fetch the tags, or run `inv release --version {version}`.",
            )
        )
    else:
        findings.append(f"{version} is tagged at {facts.git.tag_commit[:12]}")
    refusals += _check_promotion(facts.environments, version)
    steps = [
        *_preflight_steps(facts.environments, version),
        *_environment_steps(facts.environments, version),
    ]
    return Plan(version=version, findings=tuple(findings), steps=tuple(steps), refusals=tuple(refusals))


def _check_promotion(environments: Sequence[EnvironmentFacts], version: str) -> list[ReleaseError]:
    planned = {environment.name for environment in environments}
    return [
        PromotionError(
            f"{one.requires} has not verified {version}, so {one.name} does not take it.",
            remedy=f"Run `inv deploy --env {one.requires} --version {version}` first.",
        )
        for one in environments
        if one.requires not in {None, *planned} and not one.is_requirement_met
    ]


def _check_version(facts: Facts, version: str) -> str:
    git = facts.git
    if git.remote_tag_commit is not None:
        raise VersionError(
            f"{version} is tagged on {git.remote} but not here.",
            remedy=f"Run `git fetch --tags {git.remote}`.",
        )
    relation = versions.check_follows(
        versions.parse(version), [versions.parse(text) for text in git.released]
    )
    return f"{version} is {relation}"


def _check_tree(facts: Facts, version: str) -> str:
    git = facts.git
    if git.is_shallow:
        raise RepositoryError(
            "This clone has no full history, so earlier versions are unknown.",
            remedy="Run `git fetch --unshallow --tags`; in GitHub Actions set fetch-depth: 0.",
        )
    if git.branch != git.release_branch:
        raise RepositoryError(
            f"Releases are made from {git.release_branch}, but {git.branch or 'no branch'} is checked out.",
            remedy=f"Run `git switch {git.release_branch}`.",
        )
    if git.unexpected:
        raise RepositoryError(
            f"The work tree has changes that are not committed: {_some(git.unexpected)}.",
            remedy="Commit or remove them; a release is made from a commit.",
        )
    if git.is_behind_remote:
        raise RepositoryError(
            f"{git.branch} lacks commits that {git.remote} has.",
            remedy=f"Run `git pull {git.remote} {git.branch}`.",
        )
    return f"the work tree is clean, on {git.branch} at {git.head[:12]}"


def _taken(git: GitFacts, version: str) -> VersionError:
    following = versions.bump(max(map(versions.parse, (version, *git.released))), "patch")
    return VersionError(
        f"{version} is released already, and what it is made of has changed since: {_some(git.changed)}.",
        remedy=f"Release the change as {following}, or check out v{version} to repeat {version}.",
    )


def _preflight_steps(environments: Sequence[EnvironmentFacts], version: str) -> list[Step]:
    """First of all, so that what fails in production is known before staging is touched."""
    return [
        Preflight(
            environment=environment.name,
            version=version,
            is_done=environment.is_current,
            reason="nothing will change"
            if environment.is_current
            else "finds what would fail before anything is changed",
        )
        for environment in environments
    ]


def _image_steps(facts: Facts) -> list[Step]:
    steps: list[Step] = []
    begun: set[str] = set()
    for image in facts.images:
        is_done = image.digest is not None
        steps.append(
            BuildImage(
                image=image.name,
                repository=image.repository,
                content_id=image.content_id,
                digest=image.digest,
                last=image.last.digest if image.last else None,
                is_first_of_context=is_done or image.context not in begun,
                is_done=is_done,
                reason=_why_image(image),
            )
        )
        if not is_done:
            begun.add(image.context)
    return sorted(steps, key=lambda step: step.wave or 0)


def _why_image(image: ImageFacts) -> str:
    if image.digest is not None:
        if image.last is not None and image.last.digest == image.digest:
            return "reused: the same inputs as in the last release"
        return f"reused: the registry has content-{image.content_id}"
    if image.changed is None:
        return "rebuilt: never released before"
    if image.changed:
        return f"rebuilt: changed since the last release: {_some(image.changed)}"
    return f"rebuilt: inputs are those of the last release but the registry has no content-{image.content_id}"


def _publishing_steps(facts: Facts, version: str, tag: str) -> list[Step]:
    git, chart = facts.git, facts.chart
    is_tagged = git.tag_commit is not None
    is_committed = is_tagged or chart.is_committed
    steps: list[Step] = [
        WriteVersion(
            version=version,
            files=chart.files,
            is_done=is_committed,
            reason="the chart has this version and these digests"
            if is_committed
            else f"{chart.version} -> {version} in {' and '.join(chart.files)}",
        ),
        TagCommit(
            tag=tag,
            is_done=is_tagged,
            reason=f"at {git.tag_commit[:12]}" if git.tag_commit else "annotated, on the release commit",
        ),
        NameImages(
            tag=tag,
            images=tuple(image.name for image in facts.images),
            is_done=is_tagged and all(image.is_named for image in facts.images),
            reason="version and commit as tags beside the content tag; no image is pulled or pushed",
        ),
    ]
    if git.remote is not None:
        is_pushed = is_tagged and git.remote_tag_commit == git.tag_commit
        steps.append(
            Push(
                remote=git.remote,
                branch=git.release_branch,
                tag=tag,
                is_done=is_pushed,
                reason="the remote has both" if is_pushed else "only now, when every image exists",
            )
        )
    return steps


def _environment_steps(environments: Sequence[EnvironmentFacts], version: str) -> list[Step]:
    steps: list[Step] = []
    for environment in environments:
        is_current = environment.is_current
        if environment.needs_confirmation:
            steps.append(
                Confirm(
                    environment=environment.name,
                    version=version,
                    is_done=is_current,
                    reason="nothing will change" if is_current else "release.yaml asks for it",
                )
            )
        steps.append(
            Deploy(
                environment=environment.name,
                version=version,
                changes=environment.changes,
                is_done=is_current,
                reason=_why_deploy(environment, version),
            )
        )
        is_verified = is_current and environment.is_verified
        steps.append(
            Verify(
                environment=environment.name,
                version=version,
                is_done=is_verified,
                reason="these digests passed here" if is_verified else "smoke checks through the ingress",
            )
        )
    return steps


def _why_deploy(environment: EnvironmentFacts, version: str) -> str:
    running = environment.running
    if running is None:
        return "first deployment"
    if environment.is_current:
        return f"revision {running.revision} runs these digests with these values and is ready"
    if running.status != "deployed":
        return f"the last revision ({running.revision}, {running.version}) is {running.status}"
    if running.deployment_id != environment.target_id or environment.target_id is None:
        is_same = running.version == version
        return f"{running.version} runs there{', with other images or values' if is_same else ''}"
    return f"revision {running.revision} has these values but is not ready"


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED_FILES} more" if len(paths) > NAMED_FILES else ""
    return ", ".join(paths[:NAMED_FILES]) + more
