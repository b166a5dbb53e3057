"""`python -m todo_sse_gateway` serves the gateway."""

from todo_kit.server import serve
from todo_sse_gateway.app import create_app
from todo_sse_gateway.settings import GatewaySettings

if __name__ == "__main__":
    settings = GatewaySettings()  # type: ignore[call-arg]  # from the environment
    serve(create_app(settings), settings)
