"""The pages that errors send people to: they exist, they quote what the engine says, and their links lead
somewhere.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from todo_release import errors
from todo_release.adapters.kubernetes.objects import Snapshot, WorkloadRef
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import CAUSES, Cause, RolloutFailure
from todo_release.environments.rollout.failure_detection import overdue, possible_failures
from todo_release.errors import ReleaseError, RolloutError
from todo_release.preflight.errors import PreflightError
from todo_release.report.text import error_lines

from .doubles.kubernetes_objects import NOTHING, condition, container, deployment, event, job, pod, snapshot

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOKS = DOCS / "runbooks"
SOURCES = DOCS.parent / "release/src"
PAGES = sorted(DOCS.rglob("*.md"))
# Pages of errors that have no table of causes, of procedures, and those of checks before a release.
OTHER_PAGES = {"deploy", "rollback", "monitoring", "locked", "pending", "promotion", "registry"}
OF_CHECKS = "preflight-"

NAME = "todo-app-staging-backend"
POD = f"{NAME}-5d8f7c6b9-x7k2p"
IMAGE = "ghcr.io/example/hackathon-todo/backend@sha256:1f0c9a"
MIGRATION = "todo-app-staging-migrate-backend"
DENIED = "failed to authorize: failed to fetch oauth token: unexpected status: 403 Forbidden"
QUOTA = (
    f'pods "{POD}" is forbidden: exceeded quota: environment, requested: requests.cpu=150m, '
    "used: requests.cpu=3950m, limited: requests.cpu=4"
)
POLICY = (
    f'pods "{POD}" is forbidden: violates PodSecurity "restricted:latest": '
    'allowPrivilegeEscalation != false (container "backend" must set '
    "securityContext.allowPrivilegeEscalation=false)"
)
PROBES = {
    "startupProbe": {"periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 60},
    "readinessProbe": {"periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 2},
}


def of_backend(*pods: dict[str, Any], events: list[dict[str, Any]] | None = None, **of: Any) -> Snapshot:
    """Staging in the middle of a rollout of the backend."""
    return snapshot(
        deployment(name=NAME, containers=("backend",), **of),
        pods=list(pods),
        events=events,
        refs=(WorkloadRef("Deployment", NAME),),
    )


def of_container(events: list[dict[str, Any]] | None = None, **of: Any) -> Snapshot:
    """The same, its new pod with one container."""
    made = container("backend", image=IMAGE, **of)
    return of_backend(pod(made, name=POD, owner=f"uid-{NAME}-2"), events=events)


def of_migration() -> Snapshot:
    """The migration of the backend has failed."""
    made = job(
        condition(
            "Failed", reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit"
        )
    )
    made["metadata"]["name"] = MIGRATION
    return snapshot(made, refs=(WorkloadRef("Job", MIGRATION, is_hook=True),))


SCENES: dict[Cause, Snapshot] = {
    causes.IMAGE_MISSING: of_container(waiting="ErrImagePull", message=f"{IMAGE}: not found"),
    causes.IMAGE_DENIED: of_container(
        [
            event(
                f"uid-{POD}",
                "FailedToRetrieveImagePullSecret",
                "Unable to retrieve some image pull secrets (ghcr-pull-secret)",
            )
        ],
        waiting="ErrImagePull",
        message=DENIED,
    ),
    causes.IMAGE_UNREACHABLE: of_container(
        waiting="ErrImagePull", message="dial tcp: lookup ghcr.io: i/o timeout"
    ),
    causes.CONFIG_MISSING: of_container(
        waiting="CreateContainerConfigError",
        message="couldn't find key DATABASE_URL in Secret staging/app-secrets",
    ),
    causes.CANNOT_START: of_container(
        waiting="RunContainerError", message='exec: "pythn": executable file not found in $PATH'
    ),
    causes.CRASH_LOOP: of_container(
        waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 1, "reason": "Error"}
    ),
    causes.OUT_OF_MEMORY: of_container(
        waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 137, "reason": "OOMKilled"}
    ),
    causes.PROBE_FAILING: of_container(
        [event(f"uid-{POD}", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")],
        running=True,
        spec=PROBES,
    ),
    causes.SIDECAR_FAILING: of_backend(
        pod(
            container("backend", running=True, ready=True),
            name=POD,
            owner=f"uid-{NAME}-2",
            annotations={"dapr.io/enabled": "true"},
        )
    ),
    causes.QUOTA_EXCEEDED: of_backend(conditions=[condition("ReplicaFailure", message=QUOTA)]),
    causes.POD_REFUSED: of_backend(conditions=[condition("ReplicaFailure", message=POLICY)]),
    causes.UNSCHEDULABLE: of_backend(
        pod(
            container("backend"),
            name=POD,
            owner=f"uid-{NAME}-2",
            node="",
            scheduled=condition(
                "PodScheduled",
                "False",
                reason="Unschedulable",
                message="0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: "
                "3 No preemption victims found for incoming pod.",
            ),
        )
    ),
    causes.JOB_FAILED: of_migration(),
    causes.STALLED: of_backend(
        conditions=[
            condition(
                "Progressing",
                "False",
                reason="ProgressDeadlineExceeded",
                message=f'ReplicaSet "{NAME}-5d8f7c6b9" has timed out progressing.',
            )
        ]
    ),
}


def symptom_of(cause: Cause) -> RolloutFailure:
    """What the engine makes of the scene of a cause."""
    if cause is causes.DEADLINE:
        return overdue(of_backend(updated=1, available=0))
    (found,) = possible_failures(SCENES[cause], NOTHING, is_applied=True)
    return found


def tokens(path: Path) -> Iterator[Token]:
    """Everything in a page, inner tokens too."""
    for token in MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def targets(path: Path) -> list[str]:
    """Where the links and pictures of a page lead."""
    found = [token.attrs.get("href") or token.attrs.get("src") for token in tokens(path)]
    return [str(one) for one in found if one]


def shown(path: Path) -> list[str]:
    """The first block of a page: what a person sees who comes to it."""
    return next(token.content for token in tokens(path) if token.type == "fence").splitlines()


@pytest.mark.parametrize("cause", CAUSES, ids=[cause.id for cause in CAUSES])
def test_every_cause_has_its_page(cause: Cause) -> None:
    """Named as the error names it; with a title, what to look at, what to do."""
    text = (DOCS.parent / cause.runbook).read_text(encoding="utf-8")
    assert text.startswith(f"# {cause.id}: ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["What it means", "Look", "Fix", "Prevent"]
    assert 20 <= len(text.splitlines()) <= 45


@pytest.mark.parametrize("cause", CAUSES, ids=[cause.id for cause in CAUSES])
def test_page_quotes_what_the_engine_says(cause: Cause) -> None:
    """The whole error as it is printed: sentence, what was undone, evidence, remedy, exit code."""
    page = shown(DOCS.parent / cause.runbook)
    failure = symptom_of(cause)
    assert failure.cause is cause
    last_words = re.search(r"; its last line: '.+'(?= \[)", page[0])
    error = RolloutFailure(
        cause, failure.object, failure.message + (last_words[0] if last_words else "")
    ).error(Path(".release/1.3.0/evidence/staging"))
    error.add_note("rolled back to 1.2.0 (revision 7)")
    assert page == list(error_lines(error))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("locked", errors.LockedError),
        ("promotion", errors.PromotionError),
        ("registry", errors.RegistryError),
    ],
)
def test_page_of_another_error_names_its_exit_code(name: str, kind: type[ReleaseError]) -> None:
    """In the error as it is printed, on top."""
    assert shown(RUNBOOKS / f"{name}.md")[-1] == f"  (exit code {kind.exit_code})"


@pytest.mark.parametrize("name", ["registry", "rollback"])
def test_messages_in_a_table_are_those_of_the_engine(name: str) -> None:
    """Word for word, with an ellipsis for each value."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py")))
    rows = re.findall(r"^\| (`.+?) \|", (RUNBOOKS / f"{name}.md").read_text(), re.MULTILINE)
    quoted = [part for row in rows for part in re.findall(r"`([^`]+)`", row)]
    assert quoted
    assert [one for one in quoted for part in one.split("…") if part not in source] == []


def test_every_page_is_of_a_cause_or_of_an_error_that_people_meet() -> None:
    """A page that nothing names is a page that nobody keeps right."""
    found = {path.stem for path in RUNBOOKS.glob("*.md") if not path.stem.startswith(OF_CHECKS)}
    assert found == {cause.id for cause in CAUSES} | OTHER_PAGES


def test_exit_codes_are_those_of_errors_and_causes() -> None:
    """One row a code, named as in the code, with the page of the cause."""
    table = dict(re.findall(r"^\| (\d+) \| `([\w-]+)`", (DOCS / "exit-codes.md").read_text(), re.MULTILINE))
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ReleaseError)]
    kinds.append(PreflightError)
    wanted = {one.exit_code: one.__name__ for one in kinds if one not in {ReleaseError, RolloutError}} | {
        cause.code: cause.id for cause in CAUSES
    }
    assert table == {str(code): name for code, name in wanted.items()}
    assert {f"runbooks/{cause.id}.md" for cause in CAUSES} <= set(targets(DOCS / "exit-codes.md"))


@pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(DOCS)) for path in PAGES])
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    """Also those to a place in a page."""
    assert [one for one in targets(path) if broken(path, one)] == []


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    """To no file, to no heading; what is on the web is not asked."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One page\n\n[a](other.md) [b](#one-page) [c](#two) [d](https://example.com) [e](page.md#two)\n"
    )
    assert [one for one in targets(page) if broken(page, one)] == ["other.md", "#two", "page.md#two"]


def broken(path: Path, link: str) -> bool:
    """Whether a link of a page leads nowhere."""
    if re.match(r"[a-z]+:", link):
        return False
    name, _, heading = link.partition("#")
    target = path.parent / name if name else path
    return not target.exists() or (bool(heading) and heading not in anchors(target))


def anchors(path: Path) -> set[str]:
    """The headings of a page as GitHub makes addresses of them."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in found}
