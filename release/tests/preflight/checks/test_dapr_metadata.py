"""The tables of the Dapr check agree with the Dapr modules that the local daprd is built from."""

import re
from typing import Any

import pytest
import yaml

from todo_release.preflight.checks.dapr_schema import (
    ANNOTATIONS,
    CODE_FACTS,
    COMPONENT_SPEC,
    CONFIGURATION_SPEC,
    amended,
    declared_components,
    declared_values,
)

from .generate_dapr_metadata import TARGET, TYPES, generate, pinned_module

DAPR = "github.com/dapr/dapr"


def test_generated_metadata_is_that_of_the_pinned_module() -> None:
    """dapr_metadata.json is what its generator writes; run the generator when Dapr's version changes."""
    assert TARGET.read_text(encoding="utf-8") == generate()


@pytest.mark.parametrize("kind", TYPES)
def test_facts_from_code_say_more_than_the_declared_metadata(kind: str) -> None:
    """A hand-written fact that the module declares by now is removed from CODE_FACTS."""
    declared, code = declared_components()[kind], CODE_FACTS[kind]
    values = declared_values(declared)
    needless = [
        name
        for name, value in code.values.items()
        if name in values and amended(values[name], value) == values[name]
    ]
    assert needless == []
    assert code.unused <= values.keys()
    profiles = {(profile["item"], profile["value"]): profile["required"] for profile in declared["profiles"]}
    assert [item for item, names in code.optional.items() if not names <= set(profiles[item])] == []
    assert code.needs.keys().isdisjoint(profiles)


def test_annotations_are_those_of_the_pinned_injector() -> None:
    """The injector's source lists every annotation that it reads."""
    _, folder = pinned_module(DAPR)
    source = (folder / "pkg/injector/annotations/annotations.go").read_text(encoding="utf-8")
    assert set(re.findall(r'"dapr\.io/([a-z0-9-]+)"', source)) - ANNOTATIONS.keys() == set()


@pytest.mark.parametrize(
    ("definition", "known"), [("components", COMPONENT_SPEC), ("configuration", CONFIGURATION_SPEC)]
)
def test_spec_keys_are_those_of_the_pinned_definition(definition: str, known: frozenset[str]) -> None:
    """The custom resource definition lists the keys of `spec`."""
    _, folder = pinned_module(DAPR)
    body: dict[str, Any] = yaml.safe_load(
        (folder / f"charts/dapr/crds/{definition}.yaml").read_text(encoding="utf-8")
    )
    (version,) = body["spec"]["versions"]
    keys = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].keys()
    assert keys - known == set()
