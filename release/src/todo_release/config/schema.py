"""The JSON schema of release.yaml, for editors.

`python -m todo_release.config.schema docs/release.schema.json` writes it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from todo_release.config.model import Config


def schema() -> dict[str, Any]:
    """Returns the JSON schema (draft 2020-12) of release.yaml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(by_alias=True),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
