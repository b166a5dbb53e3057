"""Makes plans: from facts and a version to steps with reasons, without reading anything else.

A plan lists every step of a release, also those that are done already, so that the same request gives the
same list before, during and after the release. A plan with refusals cannot run; it lists all of them, not
only the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from todo_release.artifacts import versions
from todo_release.environments.deviations import summarize
from todo_release.errors import PromotionError, ReleaseError, VersionError
from todo_release.pipeline import git_checks
from todo_release.pipeline.downgrade import refuse_downgrade
from todo_release.pipeline.facts import EnvironmentFacts, ImageFacts, ReleaseFacts
from todo_release.pipeline.steps import (
    Announce,
    BuildImage,
    Confirm,
    Deploy,
    Push,
    RunPreflight,
    Step,
    TagCommit,
    TagImages,
    Verify,
    WatchHealth,
    WriteVersion,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps for one version, in order.

    `findings` are sentences on what was checked and is right. `basis` are the facts that the plan was made
    from, by name; a plan that is saved is bound to them.
    """

    version: str
    findings: tuple[str, ...]
    steps: tuple[Step, ...]
    refusals: tuple[ReleaseError, ...] = ()
    basis: Mapping[str, str] = field(default_factory=dict)

    @property
    def pending(self) -> tuple[Step, ...]:
        """Returns the steps that are not done yet."""
        return tuple(step for step in self.steps if not step.is_done)

    @property
    def is_finished(self) -> bool:
        """Returns whether no step is left to do and nothing is refused."""
        return not self.pending and not self.refusals

    def as_agreed(self) -> "Plan":
        """Returns the plan as one that somebody agreed to: no environment may have changed since."""
        agreed = (replace(step, is_agreed=True) if isinstance(step, Deploy) else step for step in self.steps)
        return replace(self, steps=tuple(agreed))

    def as_json(self) -> dict[str, Any]:
        """Returns the plan as JSON for programs."""
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


def plan_release(facts: ReleaseFacts, version: str, *, allows_downgrade: bool = False) -> Plan:
    """Plans the release of a version to every environment of the facts.

    An environment that runs a higher version refuses it, unless `allows_downgrade`.

    Raises:
        VersionError: `version` is not a semantic version.
    """
    wanted = versions.parse(version)
    tag = versions.tag_of(wanted, facts.git.tag_prefix)
    refusals = list(facts.problems)
    findings: list[str] = []
    if facts.git.tag_commit is None:
        for check in (git_checks.check_version, git_checks.check_tree):
            try:
                findings.append(check(facts, version))
            except ReleaseError as refusal:
                refusals.append(refusal)
    elif facts.git.changed:
        refusals.append(git_checks.content_changed(facts.git, version, tag))
    elif not facts.git.is_pushed and facts.git.branch != facts.git.release_branch:
        refusals.append(git_checks.wrong_branch(facts.git))
    else:
        findings.append(
            f"{version} is tagged at {facts.git.tag_commit[:12]} and nothing it is made of has changed"
        )
    own_steps = [*_image_steps(facts), *_publishing_steps(facts, version, tag)]
    return _plan(facts, version, own_steps, findings, refusals, allows_downgrade=allows_downgrade)


def plan_deployment(facts: ReleaseFacts, version: str, *, allows_downgrade: bool = False) -> Plan:
    """Plans the deployment of a released version to the environments of the facts.

    An environment that requires another one accepts only a version that is verified there, or will be by this
    plan. One that runs a higher version refuses it, unless `allows_downgrade`.

    Raises:
        VersionError: `version` is not a semantic version.
    """
    tag = versions.tag_of(versions.parse(version), facts.git.tag_prefix)
    refusals = list(facts.problems)
    findings: list[str] = []
    if facts.git.tag_commit is None:
        refusals.append(
            VersionError(
                f"{version} was never released: there is no tag {tag} here.",
                remedy=f"Fetch the tags, or run `inv release --version {version}`.",
            )
        )
    elif not facts.git.is_pushed:
        refusals.append(
            VersionError(
                f"{facts.git.remote} does not have {tag} as it is here, at {facts.git.tag_commit[:12]}.",
                remedy=f"Run `inv release --version {version}`, which pushes it first.",
            )
        )
    else:
        findings.append(f"{version} is tagged at {facts.git.tag_commit[:12]}")
    refusals += _check_promotion(facts.environments, version)
    findings += [
        f"{environment.name} relies on the records of {environment.requires}: this account may not see what "
        "runs there"
        for environment in facts.environments
        if environment.is_requirement_hidden
    ]
    return _plan(facts, version, (), findings, refusals, allows_downgrade=allows_downgrade)


def _plan(
    facts: ReleaseFacts,
    version: str,
    own_steps: Sequence[Step],
    findings: Sequence[str],
    refusals: Sequence[ReleaseError],
    *,
    allows_downgrade: bool,
) -> Plan:
    """Returns a plan: preflight, the steps of this kind of plan, environments, announcement."""
    tag = versions.tag_of(versions.parse(version), facts.git.tag_prefix)
    downgrades = () if allows_downgrade else _check_downgrade(facts.environments, version)
    steps = [
        *_preflight_steps(facts.environments, version),
        *own_steps,
        *_environment_steps(facts.environments, version, allows_downgrade=allows_downgrade),
        *_announcement_steps(facts, version, tag),
    ]
    return Plan(
        version=version,
        findings=tuple(findings),
        steps=tuple(steps),
        refusals=(*refusals, *downgrades),
        basis=facts.basis,
    )


def _check_promotion(environments: Sequence[EnvironmentFacts], version: str) -> list[ReleaseError]:
    planned = {environment.name for environment in environments}
    unlike: list[ReleaseError] = [
        PromotionError(
            f"{environment.requires} does not run what was verified, so {environment.name} does not accept "
            f"{version}: {summarize(environment.requirement_deviations)}.",
            remedy=environment.requirement_deviations[0].remedy,
        )
        for environment in environments
        if environment.requires not in planned and environment.requirement_deviations
    ]
    return unlike + [
        PromotionError(
            f"{environment.requires} has not verified {version}, so {environment.name} does not accept it.",
            remedy=f"Run `inv deploy --env {environment.requires} --version {version}` first.",
        )
        for environment in environments
        if environment.requires not in {None, *planned} and not environment.is_requirement_met
    ]


def _check_downgrade(environments: Sequence[EnvironmentFacts], version: str) -> list[ReleaseError]:
    refusals = (refuse_downgrade(facts.name, version, facts.running) for facts in environments)
    return [refusal for refusal in refusals if refusal is not None]


def _preflight_steps(environments: Sequence[EnvironmentFacts], version: str) -> list[Step]:
    """Returns the first steps of a plan: a failure in production is found before staging is changed."""
    return [
        RunPreflight(
            environment=environment.name,
            version=version,
            is_done=environment.is_current,
            reason="nothing will change"
            if environment.is_current
            else "finds what would fail before anything is changed",
        )
        for environment in environments
    ]


def _image_steps(facts: ReleaseFacts) -> list[Step]:
    steps: list[Step] = []
    started_contexts: set[str] = set()
    for image in facts.images:
        is_done = image.digest is not None
        steps.append(
            BuildImage(
                image=image.name,
                repository=image.repository,
                content_id=image.content_id,
                digest=image.digest,
                last=image.last.digest if image.last else None,
                is_first_of_context=is_done or image.context not in started_contexts,
                is_done=is_done,
                reason=_why_image(image),
            )
        )
        if not is_done:
            started_contexts.add(image.context)
    return sorted(steps, key=lambda step: step.wave or 0)


def _why_image(image: ImageFacts) -> str:
    if image.digest is not None:
        if image.last is not None and image.last.digest == image.digest:
            return "reused: the same inputs as in the last release"
        return f"reused: the registry has content-{image.content_id}"
    if image.changed is None:
        return "rebuilt: never released before"
    if image.changed:
        return f"rebuilt: changed since the last release: {git_checks.summarize(image.changed)}"
    return f"rebuilt: inputs are those of the last release but the registry has no content-{image.content_id}"


def _publishing_steps(facts: ReleaseFacts, version: str, tag: str) -> list[Step]:
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
    ]
    if git.remote is not None:
        is_pushed = is_tagged and git.is_pushed
        steps.append(
            Push(
                remote=git.remote,
                branch=git.release_branch,
                tag=tag,
                is_done=is_pushed,
                reason="the remote has both" if is_pushed else "only now, when every image exists",
            )
        )
    # After the push: until the remote has accepted a version, nothing outside of this clone names it.
    steps.append(
        TagImages(
            tag=tag,
            images=tuple(image.name for image in facts.images),
            is_done=is_tagged and all(image.is_tagged for image in facts.images),
            reason="version and commit as tags beside the content tag; no image is pulled or pushed",
        )
    )
    return steps


def _environment_steps(
    environments: Sequence[EnvironmentFacts], version: str, *, allows_downgrade: bool
) -> list[Step]:
    steps: list[Step] = []
    for environment in environments:
        is_current, running = environment.is_current, environment.running
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
                running_version=running.version if running else None,
                running_revision=running.revision if running else 0,
                is_agreed=environment.needs_confirmation,
                allows_downgrade=allows_downgrade,
                is_done=is_current,
                reason=_why_deploy(environment, version),
            )
        )
        is_verified = is_current and environment.is_verified
        steps.append(
            Verify(
                environment=environment.name,
                version=version,
                is_watched_next=environment.watch_minutes is not None,
                is_done=is_verified,
                reason="these digests passed here" if is_verified else "smoke checks through the ingress",
            )
        )
        if environment.watch_minutes is not None:
            steps.append(_watch_step(environment, version, environment.watch_minutes))
    return steps


def _watch_step(environment: EnvironmentFacts, version: str, minutes: float) -> WatchHealth:
    is_watched = environment.is_current and environment.is_verified and environment.is_watched
    return WatchHealth(
        environment=environment.name,
        version=version,
        minutes=minutes,
        is_done=is_watched,
        reason="this deployment was watched"
        if is_watched
        else f"its pods' answers, for up to {minutes:g} min; takes it back if they fail",
    )


def _announcement_steps(facts: ReleaseFacts, version: str, tag: str) -> list[Step]:
    if facts.announcement is None:
        return []
    url = facts.announcement.url
    wanted, released = versions.parse(version), [versions.parse(text) for text in facts.git.released]
    return [
        Announce(
            tag=tag,
            repository=facts.announcement.repository,
            is_latest=wanted.prerelease is None and all(wanted > other for other in released),
            is_done=url is not None,
            reason=url or "last, when every environment runs it",
        )
    ]


def _why_deploy(environment: EnvironmentFacts, version: str) -> str:
    running = environment.running
    if running is None:
        return "first deployment"
    if environment.is_current:
        return f"revision {running.revision} runs these digests with these values and is ready"
    if running.status != "deployed":
        return f"the last revision ({running.revision}, {running.version}) is {running.status}"
    if running.deployment_id != environment.target_id or environment.target_id is None:
        more = ", with other images or values" if running.version == version else ""
        if versions.is_lower(version, running.version):
            more = ": a downgrade without hooks; migrations are not undone"
        return f"{running.version} runs there{more}"
    if environment.deviations:
        return f"not what was released: {summarize(environment.deviations)}"
    return f"revision {running.revision} has these values but is not ready"
