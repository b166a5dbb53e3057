"""What registries say about the images of a chart."""

import pytest

from todo_release.environments.preview import UNBUILT_DIGEST
from todo_release.preflight.checks.images import CHECK, images_of
from todo_release.preflight.snapshot import ImageLookup

from ..snapshots import findings_of, make_manifest, make_snapshot, severities_of, summaries_of, workload

OWN = "registry.test/shop/web@sha256:1"


def workload_of(image: str, name: str = "web") -> dict[str, object]:
    """Returns a workload with one image."""
    return workload(name, containers=[{"name": name, "image": image}])


@pytest.mark.parametrize(
    ("image", "lookup", "expected"),
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
def test_image_lookup_decides_the_severity(
    image: str, lookup: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """An unknown image is a warning in the own registry and a note in a foreign one."""
    snapshot = make_snapshot(
        workload_of(image),
        workload_of(image, "other"),
        images={image: ImageLookup(reference=image, **lookup)},
    )
    assert [(finding.severity.value, finding.cause) for finding in findings_of(CHECK, snapshot)] == expected


def test_images_of_a_registry_that_does_not_answer_cost_one_note() -> None:
    """One note names all of its images."""
    images = [f"{name}@sha256:1" for name in ("redis", "postgres")]
    snapshot = make_snapshot(
        *(workload_of(image, name) for image, name in zip(images, ("cache", "database"), strict=True)),
        images={image: ImageLookup(reference=image, unknown="It is down.") for image in images},
    )
    assert summaries_of(CHECK, snapshot) == [
        (
            "note",
            "Deployment/cache",
            "redis@sha256:1 and postgres@sha256:1 could not be looked up: It is down.",
        )
    ]


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ("redis:7-alpine", "redis is named by the tag 7-alpine and not by its digest."),
        ("localhost:5000/web", "web is named by no tag, so latest, and not by its digest."),
    ],
)
def test_image_without_a_digest_is_a_warning(image: str, cause: str) -> None:
    """A tag can be moved, so an image needs a digest."""
    assert summaries_of(CHECK, make_snapshot(workload_of(image), workload_of(image, "other"))) == [
        ("warning", "Deployment/web", cause)
    ]


def test_unbuilt_images_are_not_looked_up() -> None:
    """Images that the release builds, and containers without an image, are left out."""
    built = make_manifest(
        workload_of(f"registry.test/shop/web@{UNBUILT_DIGEST}"), workload_of(OWN), workload_of("")
    )
    assert [reference for _, _, reference in images_of(built)] == [OWN]


def test_unread_pull_secrets_are_a_note_and_an_unreachable_registry_a_warning() -> None:
    """What could not be looked up is reported."""
    assert severities_of(CHECK, make_snapshot(workload_of(OWN), images=None)) == ["note"]
    assert summaries_of(CHECK, make_snapshot(registry_problem="It is down.")) == [
        ("warning", "registry.test", "It is not known which images must still be built: It is down.")
    ]
