"""Where a finding can be corrected."""

import pytest

from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject
from todo_release.core.yaml_positions import Place
from todo_release.preflight.finding import error
from todo_release.preflight.value_positions import ReleaseFileValues, ValuePositions

VALUES = """\
domain: shop.test
web:
  image:
    repository: registry.test/shop/web
    digest: sha256:abc
  replicas: 2
  resources:
    requests: {cpu: 100m}
api:
  replicas: 2
  resources:
    requests: {cpu: 100m}
"""
STAGING = "web:\n  resources:\n    requests: {cpu: 50m}\n"
RELEASE = """\
environments:
  staging:
    set:
      ingress.host: staging.shop.test
"""
POSITIONS = ValuePositions(
    "chart",
    [("chart/values.yaml", VALUES), ("chart/values-staging.yaml", STAGING)],
    {"ingress": {"host": "staging.shop.test"}, "pinned": {"tag": "0.1.0"}},
    ReleaseFileValues(RELEASE, "staging", ("ingress.host", "not.written")),
)
BODY = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop-web"},
    "spec": {
        "replicas": 2,
        "paused": True,
        "template": {
            "spec": {
                "containers": [
                    {
                        "image": "registry.test/shop/web@sha256:abc",
                        "cpu": "100m",
                        "resources": {"requests": {"cpu": "50m"}},
                        "env": [{"name": "HOST", "value": "https://staging.shop.test"}],
                        "livenessProbe": {"failureThreshold": 2},
                    }
                ]
            }
        },
    },
}
MANIFEST = RenderedManifest(
    (RenderedObject(BODY, "templates/web.yaml"), RenderedObject({**BODY, "metadata": {"name": "bare"}}))
)
CONTAINER = ("spec", "template", "spec", "containers", 0)
TEMPLATE = Place("chart/templates/web.yaml", 1, 1)


@pytest.mark.parametrize(
    ("field", "file", "line"),
    [
        (("spec", "replicas"), "chart/values.yaml", 6),
        ((*CONTAINER, "image"), "chart/values.yaml", 4),
        ((*CONTAINER, "resources", "requests", "cpu"), "chart/values-staging.yaml", 3),
        ((*CONTAINER, "resources"), "chart/values-staging.yaml", 3),
        ((*CONTAINER, "env", 0), "release.yaml", 4),
    ],
    ids=["number", "image", "overridden", "mapping", "set in release.yaml"],
)
def test_field_is_traced_to_the_line_that_sets_it(field: tuple[str | int, ...], file: str, line: int) -> None:
    """The line is in the file that wins, in the part of the values that belongs to the object."""
    located = POSITIONS.locate(error("Deployment/shop-web", "x", "y", field), MANIFEST)
    assert located.place is not None
    assert (located.place.file, located.place.line) == (file, line)


@pytest.mark.parametrize(
    "field",
    [
        (),
        ("spec", "paused"),
        ("spec", "nothing"),
        ("spec", "replicas", "deeper"),
        (*CONTAINER, "livenessProbe"),
    ],
    ids=["no field", "a switch", "not there", "too deep", "a number that merely is the same"],
)
def test_field_that_cannot_be_traced_leads_to_the_template(field: tuple[str | int, ...]) -> None:
    """The template is named instead of a wrong line."""
    assert POSITIONS.locate(error("Deployment/shop-web", "x", "y", field), MANIFEST).place == TEMPLATE


def test_finding_without_a_rendered_object_keeps_its_place() -> None:
    """A finding keeps its own place, or has none."""
    own = Place("m.py", 3, 1)
    assert POSITIONS.locate(error("m.py", "x", "y", place=own), MANIFEST).place == own
    assert POSITIONS.locate(error("Namespace/staging", "x", "y"), MANIFEST).place is None
    assert POSITIONS.locate(error("Deployment/bare", "x", "y"), MANIFEST).place is None


def test_two_lines_that_fit_equally_well_lead_to_the_template() -> None:
    """Neither line belongs to the object."""
    other = RenderedManifest((RenderedObject({**BODY, "metadata": {"name": "cron"}}, "templates/web.yaml"),))
    assert POSITIONS.locate(error("Deployment/cron", "x", "y", ("spec", "replicas")), other).place == TEMPLATE
