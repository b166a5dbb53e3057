"""The MCP service's settings."""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_settings import NoDecode

from todo_kit.settings import JwtSettings, ServiceSettings


class Settings(ServiceSettings, JwtSettings):
    """Read from the environment when the service starts.

    `backend_url` is the backend itself or the address at which a Dapr sidecar invokes it. `public_hosts` is a
    comma-separated list of names by which callers reach this service; localhost is always one of them.
    """

    service = "mcp"
    port: int = 8001
    jwt_audience: str = "todo-mcp"
    backend_url: str = "http://localhost:8000"
    public_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("public_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(host.strip() for host in value.split(",") if host.strip())
        return value
