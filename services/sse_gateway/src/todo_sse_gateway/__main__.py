"""`python -m todo_sse_gateway` serves the gateway."""

from todo_kit.server import serve
from todo_sse_gateway.app import create_app
from todo_sse_gateway.settings import Settings

if __name__ == "__main__":
    settings = Settings()  # type: ignore[call-arg]  # from the environment
    serve(create_app(settings), settings)
