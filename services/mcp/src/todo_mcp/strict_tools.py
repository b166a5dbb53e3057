"""Tools that take exactly the arguments that they declare, and say in plain words what they refuse.

The SDK's own tools ignore unknown arguments, read numbers and JSON out of strings, and show pydantic's
report.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import ToolAnnotations
from pydantic import ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails

from todo_mcp.errors import InvalidArgumentsError

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _StrictArguments(ArgModelBase):
    model_config = ConfigDict(extra="forbid")


class _StrictMetadata(FuncMetadata):
    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        return data  # a description that happens to be JSON stays a text


class StrictTools:
    """Collects the tools of a server: `@tools.add(title=…, annotations=…)` on the function of each."""

    def __init__(self) -> None:
        """Starts without tools."""
        self.all: list[Tool] = []

    def add(self, *, title: str, annotations: ToolAnnotations) -> Callable[[_Function], _Function]:
        """Adds a tool: its name, docstring and parameters are what a model reads.

        The types of the parameters must be strict themselves: pydantic's strict mode would also refuse the
        strings in which JSON carries ids and dates.
        """

        def added(fn: _Function) -> _Function:
            tool = _StrictTool.from_function(
                fn, title=title, description=inspect.getdoc(fn), annotations=annotations
            )
            declared = tool.fn_metadata
            name = declared.arg_model.__name__
            arguments = create_model(name, __base__=(_StrictArguments, declared.arg_model))
            tool.fn_metadata = _StrictMetadata(arg_model=arguments, output_model=declared.output_model)
            tool.parameters = arguments.model_json_schema(by_alias=True)
            self.all.append(tool)
            return fn

        return added


class _StrictTool(Tool):
    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        """Runs the tool; raises `InvalidArgumentsError` if the arguments are not what it declares."""
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise InvalidArgumentsError([_reason(item) for item in error.errors()]) from error
        return await super().run(arguments, context, convert_result)


def _reason(error: ErrorDetails) -> str:
    """Returns what is wrong with one argument, never its value."""
    name = ".".join(str(part) for part in error["loc"][:1])
    match error["type"]:
        case "extra_forbidden":
            return f"{name}: this tool has no such argument."
        case "missing":
            return f"{name}: this argument is required."
        case _:
            return f"{name}: {error['msg'].removeprefix('Value error, ')}."
