"""What registries said of the images of a chart."""

import pytest

from todo_release.environments.preview import UNBUILT_DIGEST
from todo_release.preflight.checks.images import CHECK, images_of
from todo_release.preflight.snapshot import ImageLookup

from ..snapshots import findings_of, make_manifest, make_snapshot, severities_of, summaries_of, workload

OWN = "registry.test/shop/web@sha256:1"


def runs(image: str, name: str = "web") -> dict[str, object]:
    """A workload with one image."""
    return workload(name, containers=[{"name": name, "image": image}])


@pytest.mark.parametrize(
    ("image", "look", "expected"),
    [
        (OWN, {}, []),
        (OWN, {"missing": "It is not there."}, [("error", "It is not there.")]),
        (OWN, {"denied": "It refused."}, [("error", "It refused.")]),
        (OWN, {"unknown": "It is down."}, [("warning", f"{OWN} could not be looked up: It is down.")]),
        (
            "redis@sha256:1",
            {"unknown": "It is down."},
            [("note", "redis@sha256:1 could not be looked up: It is down.")],
        ),
    ],
)
def test_image_counts_by_what_its_registry_said(
    image: str, look: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """Somebody else's registry that does not answer now is worth a note."""
    snapshot = make_snapshot(
        runs(image), runs(image, "twin"), images={image: ImageLookup(reference=image, **look)}
    )
    assert [(finding.severity.value, finding.cause) for finding in findings_of(CHECK, snapshot)] == expected


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("redis:7-alpine", "redis is named by the tag 7-alpine and not by its digest."),
        ("localhost:5000/web", "web is named by no tag, so latest, and not by its digest."),
    ],
)
def test_image_without_a_digest_is_a_warning(image: str, said: str) -> None:
    """A tag can be moved."""
    assert summaries_of(CHECK, make_snapshot(runs(image), runs(image, "twin"))) == [
        ("warning", "Deployment/web", said)
    ]


def test_image_that_is_still_to_be_built_is_not_looked_for() -> None:
    """The release builds it; containers without an image are the API server's to refuse."""
    built = make_manifest(runs(f"registry.test/shop/web@{UNBUILT_DIGEST}"), runs(OWN), runs(""))
    assert [reference for _, _, reference in images_of(built)] == [OWN]


def test_pull_secrets_and_registries_that_cannot_be_asked_are_told() -> None:
    """As a note and as a warning."""
    assert severities_of(CHECK, make_snapshot(runs(OWN), images=None)) == ["note"]
    assert summaries_of(CHECK, make_snapshot(registry_problem="It is down.")) == [
        ("warning", "registry.test", "It is not known which images must still be built: It is down.")
    ]
