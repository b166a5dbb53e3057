"""The table of images at the end of a run."""

from todo_release.pipeline.events import RunEvent, StepEnded
from todo_release.pipeline.steps import BuildImage, Deploy, Verify
from todo_release.report.image_summary import ImageSummary

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
BUILT = BuildImage(
    image="web", repository="r/web", content_id="1", last=OLD, reason="rebuilt: changed: web/index.js"
)
REUSED = BuildImage(
    image="api",
    repository="r/api",
    content_id="2",
    digest=OLD,
    is_done=True,
    reason="reused: the same inputs",
)
DEPLOY = Deploy(environment="staging", version="0.2.0", reason="0.1.0 runs there")
VERIFY = Verify(environment="staging", version="0.2.0", reason="smoke checks")


def summarize(*events: RunEvent) -> ImageSummary:
    """Returns a summary that received these events."""
    summary = ImageSummary()
    for event in events:
        summary(event)
    return summary


def test_table_says_what_changed_and_why_and_when_it_was_ready() -> None:
    """A workload is found by the name of its image; an image without a workload has no time."""
    table = summarize(
        StepEnded(REUSED, was_done=True, seconds=0, outcome={}),
        StepEnded(BUILT, was_done=False, seconds=9, outcome={"digest": NEW}),
        StepEnded(
            DEPLOY, was_done=False, seconds=8, outcome={"ready_after": {"shop-web": 6.2, "shop-web-x": 7}}
        ),
        StepEnded(VERIFY, was_done=False, seconds=1.5, outcome={"checks": 7}),
    ).table("0.2.0")
    assert table is not None
    assert table.title == "0.2.0 (staging: 7 checks in 1.5 s)"
    assert table.columns == ("image", "before", "now", "why", "ready in staging after")
    assert table.rows == (
        ("api", "-", "a" * 12, "reused: the same inputs", "-"),
        ("web", "a" * 12, "b" * 12, "rebuilt: changed: web/index.js", "6.2 s"),
    )


def test_run_that_changed_no_environment_has_no_table() -> None:
    """A release with nothing to do has no table."""
    done = StepEnded(DEPLOY, was_done=True, seconds=0, outcome={})
    assert summarize(StepEnded(REUSED, was_done=True, seconds=0, outcome={}), done).table("0.2.0") is None


def test_run_without_images_has_no_table() -> None:
    """A rollback has no table, because its plan names the images."""
    done = StepEnded(DEPLOY, was_done=False, seconds=8, outcome={"ready_after": {"shop-web": 6.2}})
    assert summarize(done).table("0.1.0") is None
