"""Calls of a tool of the MCP server, without a session (MCP 2026-07-28)."""

from typing import Any

VERSION = "2026-07-28"
META = "io.modelcontextprotocol"


def tool_call(name: str, **arguments: object) -> dict[str, Any]:
    """Returns what a POST to `/mcp` sends: `json` and `headers`."""
    meta = {f"{META}/protocolVersion": VERSION, f"{META}/clientCapabilities": {}}
    return {
        "json": {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": name, "arguments": arguments, "_meta": meta},
        },
        "headers": {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": "tools/call",
            "Mcp-Name": name,
        },
    }


def is_error(answer: str) -> bool:
    """Returns whether the tool failed, which the server answers with status 200."""
    return '"isError":true' in answer.replace(" ", "")
