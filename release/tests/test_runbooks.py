"""The pages that errors link to exist, quote the engine's messages, and have no is_broken links."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from todo_release import errors
from todo_release.adapters.kubernetes.objects import NamespaceSnapshot, WorkloadRef
from todo_release.environments.rollout import causes
from todo_release.environments.rollout.causes import CAUSES, Cause, RolloutFailure
from todo_release.environments.rollout.failure_detection import deadline_failure, possible_failures
from todo_release.errors import ReleaseError, RolloutError
from todo_release.preflight.errors import PreflightError
from todo_release.report.text import error_lines

from .doubles.kubernetes_objects import NOTHING, condition, container, deployment, event, job, pod, snapshot

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOKS = DOCS / "runbooks"
SOURCES = DOCS.parent / "release/src"
PAGES = sorted(DOCS.rglob("*.md"))
# Pages of other errors and of procedures. Pages of preflight checks have tests of their own.
OTHER_PAGES = {
    "alerts", "on-call", "backup-and-restore", "ingress-controller", "rotate-secrets",
    "deploy", "rollback", "monitoring", "locked", "pending", "promotion", "registry", "failing-after-release",
}  # fmt: skip
CHECK_PREFIX = "preflight-"

NAME = "todo-app-staging-backend"
POD = f"{NAME}-5d8f7c6b9-x7k2p"
IMAGE = "ghcr.io/example/hackathon-todo/backend@sha256:1f0c9a"
MIGRATION = "todo-app-staging-migrate"
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


def backend_snapshot(
    *pods: dict[str, Any], events: list[dict[str, Any]] | None = None, **fields: Any
) -> NamespaceSnapshot:
    """Returns a snapshot of staging during a rollout of the backend."""
    return snapshot(
        deployment(name=NAME, containers=("backend",), progress_seconds=240, **fields),
        pods=list(pods),
        events=events,
        refs=(WorkloadRef("Deployment", NAME),),
    )


def container_snapshot(events: list[dict[str, Any]] | None = None, **fields: Any) -> NamespaceSnapshot:
    """Returns the same with a new pod of one container."""
    status = container("backend", image=IMAGE, **fields)
    return backend_snapshot(pod(status, name=POD, owner=f"uid-{NAME}-2"), events=events)


def migration_snapshot() -> NamespaceSnapshot:
    """Returns a snapshot in which the migration of the backend has failed."""
    migration = job(
        condition(
            "Failed", reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit"
        )
    )
    migration["metadata"]["name"] = MIGRATION
    return snapshot(migration, refs=(WorkloadRef("Job", MIGRATION, is_hook=True),))


EXAMPLES: dict[Cause, NamespaceSnapshot] = {
    causes.IMAGE_MISSING: container_snapshot(waiting="ErrImagePull", message=f"{IMAGE}: not found"),
    causes.IMAGE_DENIED: container_snapshot(
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
    causes.IMAGE_UNREACHABLE: container_snapshot(
        waiting="ErrImagePull", message="dial tcp: lookup ghcr.io: i/o timeout"
    ),
    causes.CONFIG_MISSING: container_snapshot(
        waiting="CreateContainerConfigError",
        message="couldn't find key DATABASE_URL in Secret staging/app-secrets",
    ),
    causes.CANNOT_START: container_snapshot(
        waiting="RunContainerError", message='exec: "pythn": executable file not found in $PATH'
    ),
    causes.CRASH_LOOP: container_snapshot(
        waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 1, "reason": "Error"}
    ),
    causes.OUT_OF_MEMORY: container_snapshot(
        waiting="CrashLoopBackOff", restarts=1, last={"exitCode": 137, "reason": "OOMKilled"}
    ),
    causes.PROBE_FAILING: container_snapshot(
        [event(f"uid-{POD}", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")],
        running=True,
        spec=PROBES,
    ),
    causes.SIDECAR_FAILING: backend_snapshot(
        pod(
            container("backend", running=True, ready=True),
            name=POD,
            owner=f"uid-{NAME}-2",
            annotations={"dapr.io/enabled": "true"},
        )
    ),
    causes.QUOTA_EXCEEDED: backend_snapshot(conditions=[condition("ReplicaFailure", message=QUOTA)]),
    causes.POD_REFUSED: backend_snapshot(conditions=[condition("ReplicaFailure", message=POLICY)]),
    causes.UNSCHEDULABLE: backend_snapshot(
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
    causes.JOB_FAILED: migration_snapshot(),
    causes.STALLED: backend_snapshot(
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


def failure_of(cause: Cause) -> RolloutFailure:
    """Returns the failure that the engine detects in the example of a cause."""
    if cause is causes.DEADLINE:
        return deadline_failure(backend_snapshot(updated=1, available=0))
    (failure,) = possible_failures(EXAMPLES[cause], NOTHING, is_applied=True)
    return failure


def tokens(path: Path) -> Iterator[Token]:
    """Yields all tokens of a page, nested ones too."""
    for token in MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def targets(path: Path) -> list[str]:
    """Returns the targets of the links and images of a page."""
    links = [token.attrs.get("href") or token.attrs.get("src") for token in tokens(path)]
    return [str(link) for link in links if link]


def first_block(path: Path) -> list[str]:
    """Returns the first code block of a page: the error as a person sees it."""
    return next(token.content for token in tokens(path) if token.type == "fence").splitlines()


@pytest.mark.parametrize("cause", CAUSES, ids=[cause.id for cause in CAUSES])
def test_every_cause_has_its_page(cause: Cause) -> None:
    """The page of a cause has its id as the title and the four standard headings."""
    text = (DOCS.parent / cause.runbook).read_text(encoding="utf-8")
    assert text.startswith(f"# {cause.id}: ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["What it means", "Look", "Fix", "Prevent"]
    assert 20 <= len(text.splitlines()) <= 45


@pytest.mark.parametrize("cause", CAUSES, ids=[cause.id for cause in CAUSES])
def test_page_quotes_the_message_of_the_engine(cause: Cause) -> None:
    """The first block is the whole error as it is printed."""
    page = first_block(DOCS.parent / cause.runbook)
    failure = failure_of(cause)
    assert failure.cause is cause
    last_words = re.search(r"; its last line: '.+'(?= \[)", page[0])
    error = RolloutFailure(
        cause, failure.workload, failure.message + (last_words[0] if last_words else "")
    ).to_error(Path(".release/1.3.0/evidence/staging"))
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
    """The first block ends with the exit code of the error."""
    assert first_block(RUNBOOKS / f"{name}.md")[-1] == f"  (exit code {kind.exit_code})"


@pytest.mark.parametrize("name", ["registry", "rollback"])
def test_messages_in_a_table_are_those_of_the_engine(name: str) -> None:
    """Messages are quoted word for word, with an ellipsis for each value."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py")))
    rows = re.findall(r"^\| (`.+?) \|", (RUNBOOKS / f"{name}.md").read_text(), re.MULTILINE)
    quoted = [part for row in rows for part in re.findall(r"`([^`]+)`", row)]
    assert quoted
    assert [text for text in quoted for part in text.split("…") if part not in source] == []


def test_every_page_belongs_to_a_cause_or_to_an_error() -> None:
    """No page is left that nothing links to."""
    pages = {path.stem for path in RUNBOOKS.glob("*.md") if not path.stem.startswith(CHECK_PREFIX)}
    assert pages == {cause.id for cause in CAUSES} | OTHER_PAGES


def test_exit_codes_are_those_of_errors_and_causes() -> None:
    """docs/exit-codes.md has one row for each code, with the name of the error and the page of the cause."""
    of_engine, _, _ = (DOCS / "exit-codes.md").read_text().partition("## The commands for the cluster")
    table = dict(re.findall(r"^\| (\d+) \| `([\w-]+)`", of_engine, re.MULTILINE))
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ReleaseError)
    ]
    kinds.append(PreflightError)
    names = {kind.exit_code: kind.__name__ for kind in kinds if kind not in {ReleaseError, RolloutError}} | {
        cause.code: cause.id for cause in CAUSES
    }
    assert table == {str(code): name for code, name in names.items()}
    assert {f"runbooks/{cause.id}.md" for cause in CAUSES} <= set(targets(DOCS / "exit-codes.md"))


@pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(DOCS)) for path in PAGES])
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    """Relative links lead to a file, and to a heading if they name one."""
    assert [link for link in targets(path) if is_broken(path, link)] == []


def test_broken_link_is_found(tmp_path: Path) -> None:
    """A link to a missing file or heading is broken; links to the web are not checked."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One page\n\n[a](other.md) [b](#one-page) [c](#two) [d](https://example.com) [e](page.md#two)\n"
    )
    assert [link for link in targets(page) if is_broken(page, link)] == ["other.md", "#two", "page.md#two"]


def is_broken(path: Path, link: str) -> bool:
    """Returns whether a link of a page leads nowhere."""
    if re.match(r"[a-z]+:", link):
        return False
    name, _, heading = link.partition("#")
    target = path.parent / name if name else path
    return not target.exists() or (bool(heading) and heading not in anchors(target))


def anchors(path: Path) -> set[str]:
    """Returns the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
