"""Calls of tools, as tests make them."""

from typing import Any

from mcp import Client
from mcp_types import CallToolResult, TextContent


async def called(agent: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool that succeeds and returns its structured result."""
    result = await agent.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def refusal(agent: Client, tool: str, **arguments: Any) -> str:
    """Calls a tool that fails and returns what the model reads."""
    result = await agent.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    """Returns the text that the model reads."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
