"""Writes the backend's OpenAPI document: `python -m todo_backend.openapi PATH`.

The document is committed as contracts/openapi.json; the frontend's types are generated from it.
"""

import json
import sys
from pathlib import Path

from pydantic import SecretStr

from todo_backend.app import create_app
from todo_backend.settings import Settings
from todo_kit.app import openapi_document

NO_TOKEN = SecretStr("no sidecar reads the document")


def render_openapi() -> str:
    """Returns the document as text; the same routes give the same text."""
    settings = Settings(  # the application connects to nothing before it runs, so it needs no addresses
        jwt_issuer="",
        jwks_url="",
        database_url=SecretStr(""),
        app_api_token=NO_TOKEN,
        dapr_api_token=NO_TOKEN,
    )
    return json.dumps(openapi_document(create_app(settings)), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m todo_backend.openapi PATH")
    Path(sys.argv[1]).write_text(render_openapi())
