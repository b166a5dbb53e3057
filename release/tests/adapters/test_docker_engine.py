"""The container engine: its messages, the arguments of `docker buildx`, and its errors."""

import gc
import io
import warnings
from pathlib import Path

import pytest

from todo_release.adapters.docker_engine import DockerEngine, follow_build, follow_push
from todo_release.errors import BuildError, RegistryError

DIGEST = f"sha256:{'a' * 64}"
# Records its arguments and its input, and prints the output of a build.
BUILDX = """#!/bin/sh
printf '%s\\n' "$@" > "$RECORD.arguments"
cat > "$RECORD.stdin"
echo "#1 [build 1/2] FROM python"
echo "#2 ERROR: no space" >&2
exit "$CODE"
"""


@pytest.fixture
def buildx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script as buildx on PATH; returns the prefix of the files that it records into."""
    program, record = tmp_path / "bin" / "docker", tmp_path / "record"
    program.parent.mkdir()
    program.write_text(BUILDX)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("RECORD", str(record))
    monkeypatch.setenv("CODE", "0")
    return record


def build(lines: list[str], cache: str | None = None) -> None:
    """Builds one image through buildx."""
    DockerEngine(None, has_buildx=True).build(  # type: ignore[arg-type]  # buildx does not use the client
        io.BytesIO(b"tar"),
        dockerfile="web/Dockerfile",
        tags=["r/web:content-1"],
        build_args={"BUILD_ID": "1"},
        on_line=lines.append,
        cache=cache,
    )


def test_buildx_gets_the_context_on_its_input(buildx: Path) -> None:
    """The build sees no other files, and its output is passed on line by line."""
    lines: list[str] = []
    build(lines)
    arguments = buildx.with_suffix(".arguments").read_text().split("\n")[:-1]
    assert arguments == [
        "buildx", "build", "--load", "--progress", "plain", "--provenance", "false",
        "--platform", "linux/amd64", "--file", "web/Dockerfile", "--tag", "r/web:content-1",
        "--build-arg", "BUILD_ID=1", "-",
    ]  # fmt: skip
    assert buildx.with_suffix(".stdin").read_bytes() == b"tar"
    assert sorted(lines) == ["#1 [build 1/2] FROM python", "#2 ERROR: no space"]


def test_buildx_reads_and_writes_the_cache(buildx: Path) -> None:
    """All layers are cached, also those of build steps that are not part of the image."""
    build([], cache="type=registry,ref=r/cache:web")
    arguments = buildx.with_suffix(".arguments").read_text().split("\n")
    start = arguments.index("--cache-from")
    assert arguments[start : start + 4] == [
        "--cache-from", "type=registry,ref=r/cache:web",
        "--cache-to", "type=registry,ref=r/cache:web,mode=max",
    ]  # fmt: skip


def test_failed_build_reports_its_last_lines(buildx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem ends with the last lines of output."""
    monkeypatch.setenv("CODE", "1")
    with pytest.raises(BuildError, match=r"r/web:content-1 did not build:\n(.*\n)*#2 ERROR: no space"):
        build([])


def test_build_messages_become_lines_and_the_error_has_the_failing_step() -> None:
    """Lines of successful steps are not part of the problem."""
    messages = [
        {"stream": "STEP 1/2: FROM python\n"},
        {"stream": "fine\n\n"},
        {"stream": "STEP 2/2: RUN false\nbroken\n"},
        {"error": "exit status 1"},
    ]
    lines: list[str] = []
    with pytest.raises(BuildError) as failed:
        follow_build(messages, "web", lines.append)
    assert lines == ["STEP 1/2: FROM python", "fine", "STEP 2/2: RUN false", "broken"]
    assert failed.value.problem == "web did not build:\nSTEP 2/2: RUN false\nbroken\nexit status 1"


@pytest.mark.parametrize(
    "message",
    [{"aux": {"Digest": DIGEST}}, {"status": f"v1: digest: {DIGEST} size: 900"}],
    ids=["docker", "podman"],
)
def test_push_messages_give_the_digest(message: dict[str, object]) -> None:
    """Docker sends it in a field, Podman in a sentence; progress bars are not passed on."""
    lines: list[str] = []
    bar = {"status": "Pushing", "progressDetail": {"current": 1}}
    assert follow_push([{"status": "Preparing"}, bar, message], "r/web:1", lines.append) == DIGEST
    assert lines[0] == "Preparing"
    assert "Pushing" not in lines


@pytest.mark.parametrize(
    ("messages", "problem"),
    [([{"error": "denied"}], "r/web:1 was not pushed: denied"), ([{"status": "done"}], "without naming")],
)
def test_push_that_fails_or_names_no_digest_is_an_error(messages: list[dict[str, str]], problem: str) -> None:
    """A release never continues without the digest of an image."""
    with pytest.raises(RegistryError, match=problem):
        follow_push(messages, "r/web:1", lambda _line: None)


def test_engine_that_does_not_answer_is_an_error_with_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the address, and the remedy what to start."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the SDK forgets the socket it could not connect
        with pytest.raises(BuildError, match=r"none\.sock") as refused:
            DockerEngine.connect()
        gc.collect()
    assert "podman system service" in refused.value.remedy
