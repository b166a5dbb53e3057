"""The MCP service's settings; nothing else in the service reads the environment."""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_settings import NoDecode

from todo_kit.settings import JwtSettings, ServiceSettings, SidecarTokenSettings


class Settings(ServiceSettings, JwtSettings, SidecarTokenSettings):
    """The settings of the running service.

    `backend_url` is the address of the backend, or the one at which a Dapr sidecar invokes it. `public_hosts`
    is a comma-separated list of the host names of this service; localhost always belongs to it.
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
