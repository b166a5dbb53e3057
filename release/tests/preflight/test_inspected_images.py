"""What an inspection finds about images: in the registry, and in the pods that the chart renders."""

from dataclasses import dataclass

import pytest

from todo_release.adapters.registry.auth import RegistryDeniedError
from todo_release.adapters.registry.client import ImageNotFoundError
from todo_release.config.model import RegistrySettings
from todo_release.errors import RegistryError
from todo_release.preflight.inspection import LookupSources, inspect

from .inspected_shop import (
    RELEASED,
    STAGING,
    TEMPLATE,
    VALUES,
    InspectedShop,
    NodesRegistryDouble,
    summaries_of,
)


def test_new_version_is_inspected_without_looking_up_unbuilt_images(shop: InspectedShop) -> None:
    """Images that are not built yet are not looked up."""
    shop.nodes_registry.problem = ImageNotFoundError("It is not there.", remedy="Push it.")
    assert shop.inspect("0.2.0").errors == ()


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (ImageNotFoundError("It is not there.", remedy=""), ("error", "images", "It is not there.")),
        (
            RegistryDeniedError("It refused.", remedy=""),
            (
                "error",
                "images",
                "The cluster cannot pull registry.test/shop/web@sha256:1: with pull: It refused.",
            ),
        ),
        (
            RegistryError("It is down.", remedy=""),
            (
                "warning",
                "images",
                (
                    "registry.test/shop/api@sha256:2 and registry.test/shop/web@sha256:1 could not be looked "
                    "up: It is down."
                ),
            ),
        ),
    ],
    ids=["missing", "denied", "down"],
)
def test_images_are_looked_up_with_the_pull_secrets_of_the_namespace(
    shop: InspectedShop, problem: RegistryError, expected: tuple[str, str, str]
) -> None:
    """The registry is asked as the kubelet will ask it."""
    shop.tree.write({"chart/values.yaml": RELEASED})
    shop.tree.commit("release")
    shop.tree.git("tag", "v0.1.0")
    shop.nodes_registry.asked = []
    shop.nodes_registry.problem = problem
    assert expected in summaries_of(shop.inspect("0.1.0"))
    assert sorted(shop.nodes_registry.asked) == [
        ("registry.test", "robot", "shop/api"),
        ("registry.test", "robot", "shop/web"),
    ]


def test_unreachable_registry_is_a_warning(shop: InspectedShop) -> None:
    """It is then not known which images exist."""
    shop.registry.is_down = True
    assert (
        "warning",
        "images",
        "It is not known which images must still be built: The registry is down.",
    ) in summaries_of(shop.inspect())


def test_image_that_the_environments_values_name_is_refused_with_its_line(shop: InspectedShop) -> None:
    """Today's edit of the release is without effect there; the work tree and a new version say the same."""
    values = f"web:\n  image:\n    digest: sha256:{'1' * 64}\n"
    config = (shop.tree.path / "release.yaml").read_text(encoding="utf-8")
    text = config.replace("values: [chart/values.yaml]", "values: [chart/values.yaml, chart/staging.yaml]")
    shop.tree.commit("staging", {"chart/staging.yaml": values, "release.yaml": text})
    for version in (None, "0.2.0"):
        (finding,) = shop.inspect(version).errors
        assert finding.place is not None
        assert (finding.place.file, finding.place.line) == ("chart/staging.yaml", 3)
        assert finding.cause == (
            "It runs registry.test/shop/web@sha256:111111111111… and not registry.test/shop/web@(to be "
            "built), which is released as web: chart/staging.yaml sets web.image.digest."
        )


def test_image_that_release_yaml_sets_is_refused_with_its_line(shop: InspectedShop) -> None:
    """`set` of an environment wins over every file."""
    config = (shop.tree.path / "release.yaml").read_text(encoding="utf-8")
    text = config.replace(
        'set: {host: "staging', 'set: {web.image.repository: ghcr.io/old/web, host: "staging'
    )
    shop.tree.commit("set", {"release.yaml": text})
    (finding,) = shop.inspect().errors
    assert finding.place is not None
    assert finding.place.file == "release.yaml"
    assert "web.image.repository" in text.splitlines()[finding.place.line - 1]


def test_template_with_a_fixed_image_is_refused_with_its_line(shop: InspectedShop) -> None:
    """The template is found by the comment of Helm, the line by its text."""
    line = 'image: "{{ .Values.web.image.repository }}@{{ .Values.web.image.digest }}"'
    shop.tree.write({"chart/templates/web.yaml": TEMPLATE.replace(line, "image: ghcr.io/shop/web:1.0.0")})
    (finding,) = shop.inspect().errors
    assert finding.place is not None
    number = TEMPLATE.splitlines().index(f"          {line}") + 1
    assert (finding.place.file, finding.place.line) == ("chart/templates/web.yaml", number)


def test_values_that_name_images_by_one_shared_tag_are_inspected(shop: InspectedShop) -> None:
    """The version's tag does not exist before the release, so nobody is asked for it."""
    files = {
        "chart/values.yaml": f'global: {{tag: ""}}\n{VALUES}',
        "chart/templates/web.yaml": TEMPLATE.replace(
            "}}@{{ .Values.web.image.digest", "}}:{{ .Values.global.tag"
        ).replace("}}@{{ .Values.api.image.digest", "}}:{{ .Values.global.tag"),
        "release.yaml": (shop.tree.path / "release.yaml")
        .read_text(encoding="utf-8")
        .replace("values: web.image", "values: [web.image.repository, global.tag]")
        .replace("values: api.image", "values: [api.image.repository, global.tag]"),
    }
    shop.tree.commit("tag", files)
    shop.nodes_registry.problem = ImageNotFoundError("It is not there.", remedy="Push it.")
    inspection = shop.inspect("0.2.0")
    assert inspection.errors == ()
    tagged = [cause for severity, _, cause in summaries_of(inspection) if severity == "warning"]
    assert [cause.partition(": ")[0] for cause in tagged] == [
        "The values name api by a tag only (registry.test/shop/api:v0.2.0)",
        "The values name web by a tag only (registry.test/shop/web:v0.2.0)",
    ]


@dataclass
class AnonymousRegistryDouble(NodesRegistryDouble):
    """A registry that tells anonymous users what `refusal` says, or lets them pull."""

    refusal: RegistryError | None = None

    def digest(self, repository: str, reference: str) -> str | None:
        """Finds nothing, or refuses."""
        assert (*self._as, repository, reference) == ("ghcr.io", None, "example/shop/web", "latest")
        if self.refusal:
            raise self.refusal
        return None


@pytest.mark.parametrize(
    ("refusal", "severity"),
    [(RegistryDeniedError("ghcr.io refuses anonymous users.", remedy=""), "error"), (None, "warning")],
    ids=["private", "public"],
)
def test_missing_pull_secret_is_an_error_where_the_real_registry_is_private(
    shop: InspectedShop, refusal: RegistryError | None, severity: str
) -> None:
    """In a rehearsal everybody may pull from the registry that stands in for it."""
    shop.api.objects.pop(f"{STAGING}/secrets/pull")
    registry = AnonymousRegistryDouble(refusal=refusal)
    real = RegistrySettings(repository="ghcr.io/example/shop")
    sources = LookupSources(registry, real_registry=real)  # type: ignore[arg-type]  # a double
    inspection = inspect(shop.context, shop.renderer("0.2.0"), "staging", {}, sources)
    (finding,) = [finding for finding in inspection.findings if finding.check == "references"]
    assert finding.severity.value == severity
    assert finding.cause.startswith("There is no pull secret pull")
