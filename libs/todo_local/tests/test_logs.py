"""Log lines of different programs, parsed and rendered."""

import pytest

from todo_local.logs import parse

OURS = (
    '{"timestamp":"2026-11-24T05:13:18Z","level":"info","event":"request","service":"backend","status":200}'
)
DAPRD = (
    '{"app_id":"mcp","instance":"vm","level":"fatal","msg":"no port","scope":"dapr","time":"2026","ver":"1"}'
)
CADDY = '{"level":"warn","ts":1795497197.9,"msg":"exiting","signal":"SIGTERM"}'


@pytest.mark.parametrize(
    ("line", "level", "shown"),
    [
        (OURS, "info", "request  status=200"),
        (DAPRD, "error", "no port"),
        (CADDY, "warning", "exiting  signal=SIGTERM"),
        ("plain text", "info", "plain text"),
        ('{"level":"weird","event":"x"}', "info", "x"),
        ("[1, 2]", "info", "[1, 2]"),
        ('{"event":"failed","level":"error","stack":"a\\nb\\n"}', "error", "failed\na\nb"),
    ],
    ids=["ours", "daprd", "caddy", "text", "unknown level", "no object", "several lines"],
)
def test_line_is_parsed(line: str, level: str, shown: str) -> None:
    """Level, event and fields are found under each program's names; other lines stay whole."""
    parsed = parse(line)
    assert parsed.level == level
    assert parsed.render().plain == shown


def test_warnings_are_recognised() -> None:
    """Of programs that log much, only warnings and errors are shown."""
    assert [parse(line).is_warning for line in (OURS, DAPRD, CADDY)] == [False, True, True]
