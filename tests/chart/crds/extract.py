"""Writes a CustomResourceDefinition's schema to <Kind>.json beside this file, without descriptions."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml


def without_descriptions(schema: Any) -> Any:
    """Returns a schema without its `description` texts; a property of that name is a mapping and stays."""
    if isinstance(schema, dict):
        return {
            key: without_descriptions(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [without_descriptions(item) for item in schema] if isinstance(schema, list) else schema


for source in sys.argv[1:]:
    definition = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    version = next(version for version in definition["spec"]["versions"] if version["storage"])
    target = Path(__file__).with_name(f"{definition['spec']['names']['kind']}.json")
    schema = without_descriptions(version["schema"]["openAPIV3Schema"])
    target.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
