"""Whether the pods run the released images, and which line makes them run something else."""

from typing import Any

import pytest

from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.artifacts.chart import ImageReference
from todo_release.core.yaml_positions import Place
from todo_release.preflight.checks.images import CHECK
from todo_release.preflight.checks.released_images import released_images_run
from todo_release.preflight.finding import Finding
from todo_release.preflight.released_images import ReleasedImage, ValueOverride

from ..snapshots import make_snapshot, summaries_of, workload

DIGEST = "sha256:" + "1" * 64
REFERENCE = ImageReference("registry.test/shop/web", "content-1", DIGEST)
WEB = ReleasedImage(
    reference=REFERENCE,
    repositories=("registry.test/shop/web",),
    paths=[("web", "image", key) for key in ("repository", "tag", "digest")],
)
EXPRESSION = '"{{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}"'


def running(image: str, container: str = "web", name: str = "web") -> dict[str, Any]:
    """Returns a Deployment with one container."""
    return workload(name, containers=[{"name": container, "image": image}])


def findings(*objects: Any, image: ReleasedImage = WEB, **rest: Any) -> list[Finding]:
    """Returns what the rule finds when `image` is released as web."""
    return list(released_images_run(make_snapshot(*objects, released={"web": image}, **rest)))


@pytest.mark.parametrize(
    "released",
    [
        running(str(REFERENCE)),
        running(f"registry.test/shop/web:content-1@{DIGEST}"),
        workload(
            initContainers=[{"name": "init", "image": str(REFERENCE)}],
            containers=[{"name": "redis", "image": "redis:8"}],
        ),
        workload(
            "migrate", kind="Job", hook="pre-upgrade", containers=[{"name": "m", "image": str(REFERENCE)}]
        ),
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": str(REFERENCE)}]}}},
        },
        {
            "apiVersion": "shop.test/v1",
            "kind": "Shop",
            "metadata": {"name": "web"},
            "spec": {"imageName": str(REFERENCE)},
        },
    ],
    ids=["container", "with tag", "init container", "hook", "custom workload", "field of an operator"],
)
def test_released_image_in_any_pod_is_no_finding(released: Any) -> None:
    """It counts wherever the chart names it, by repository and digest."""
    assert findings(released) == []


def test_foreign_images_beside_the_released_one_are_no_finding() -> None:
    """Redis is nobody's release."""
    assert findings(running(str(REFERENCE)), running("redis:8", "redis", "redis")) == []


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/example/shop-web:1.0.0",
        "registry.test/shop/web:content-1",
        f"registry.test/shop/web@sha256:{'2' * 64}",
    ],
    ids=["other repository", "by its tag", "other digest"],
)
def test_template_that_does_not_take_the_image_from_the_values_is_named_by_line(image: str) -> None:
    """The digest is what was verified; a tag or another digest is something else."""
    template = f"kind: Deployment\nspec:\n  containers:\n    - name: web\n      image: {image}\n"
    text = parse_manifest(
        "# Source: shop/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
        f"spec: {{template: {{spec: {{containers: [{{name: web, image: '{image}'}}]}}}}}}\n"
    )
    (finding,) = findings(manifest=text, templates={"templates/web.yaml": template})
    assert finding.severity.value == "error"
    assert finding.place == Place("chart/templates/web.yaml", 5, 1)
    assert "its template does not take the image from the values of web" in finding.cause
    assert EXPRESSION in finding.remedy


def two_containers(*images: str) -> RenderedManifest:
    """Returns two Deployments of one template."""
    documents = [
        "# Source: shop/templates/all.yaml\napiVersion: apps/v1\nkind: Deployment\n"
        f"metadata: {{name: w{number}}}\n"
        f"spec: {{template: {{spec: {{containers: [{{name: c, image: '{image}'}}]}}}}}}\n"
        for number, image in enumerate(images)
    ]
    return parse_manifest("---\n".join(documents))


def test_line_of_an_image_that_is_composed_is_counted() -> None:
    """The template does not contain the name, but its second `image:` makes the second container."""
    template = "image: {{ .a }}\nkind: x\nimage: {{ include `x` . }}\n"
    manifest = two_containers("redis:8", "registry.test/shop/web:old")
    (finding,) = findings(manifest=manifest, templates={"templates/all.yaml": template})
    assert finding.place == Place("chart/templates/all.yaml", 3, 1)


def test_value_that_the_environment_sets_is_named_by_line() -> None:
    """The values file of the environment wins over the one that the release writes."""
    places = [Place("chart/values-production.yaml", line, 5) for line in (4, 5)]
    overridden = ReleasedImage(
        reference=REFERENCE,
        repositories=WEB.repositories,
        paths=WEB.paths,
        overrides=[
            ValueOverride(("web", "image", "repository"), "ghcr.io/example/old", places[0]),
            ValueOverride(("web", "image", "digest"), "sha256:2", places[1]),
        ],
    )
    (finding,) = findings(running("ghcr.io/example/old@sha256:2", "app"), image=overridden)
    assert (finding.subject, finding.place) == ("Deployment/web", places[0])
    assert finding.cause.endswith(
        "released as web: chart/values-production.yaml sets web.image.repository and web.image.digest."
    )


def test_older_image_beside_the_released_one_is_an_error() -> None:
    """A hook that runs an old build of the image is not what was verified."""
    objects = running(str(REFERENCE)), running(f"registry.test/shop/web@sha256:{'2' * 64}", name="old")
    assert [finding.subject for finding in findings(*objects)] == ["Deployment/old"]


def test_image_that_no_pod_runs_is_an_error_with_its_line_in_release_yaml() -> None:
    """Where an environment does without it, a waiver says so."""
    files = {"release.yaml": "name: shop\nimages:\n  web: {}\n"}
    (finding,) = findings(running("redis:8", "redis", "redis"), files=files)
    assert (finding.severity.value, finding.subject) == ("error", "Image/web")
    assert finding.place == Place("release.yaml", 3, 3)
    assert "preflight.waivers" in finding.remedy


def test_real_repository_counts_in_a_rehearsal() -> None:
    """A template may fix the repository and take only the digest from the values."""
    image = ReleasedImage(
        reference=ImageReference("localhost:5000/shop/web", "", DIGEST),
        repositories=("localhost:5000/shop/web", "ghcr.io/example/web"),
    )
    assert findings(running(f"ghcr.io/example/web@{DIGEST}"), image=image) == []


def test_image_that_the_values_name_by_a_tag_only_is_a_warning() -> None:
    """Nothing keeps the tag from being moved after staging verified it."""
    image = ReleasedImage(
        reference=ImageReference("registry.test/shop/web", "v0.1.0", ""), repositories=WEB.repositories
    )
    snapshot = make_snapshot(running("registry.test/shop/web:v0.1.0"), released={"web": image})
    ((severity, subject, cause),) = summaries_of(CHECK, snapshot)
    assert (severity, subject) == ("warning", "Deployment/web")
    assert cause.startswith("The values name web by a tag only (registry.test/shop/web:v0.1.0)")


def test_expression_of_a_subchart_begins_below_its_name() -> None:
    """A subchart reads its values without its own name."""
    manifest = parse_manifest(
        "# Source: shop/charts/web/templates/web.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
        "spec: {containers: [{name: web, image: 'registry.test/shop/web:old'}]}\n"
    )
    (finding,) = findings(manifest=manifest)
    assert '"{{ .Values.image.repository }}@{{ .Values.image.digest }}"' in finding.remedy
