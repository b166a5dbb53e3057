"""Where the values name an image, in every layout that charts have."""

import re
from collections.abc import Mapping

import pytest
import yaml

from todo_release.artifacts import chart_edits, image_values
from todo_release.artifacts.chart import ImageReference
from todo_release.errors import ConfigError

from .test_chart import config_of, set_images

WEB = ImageReference("registry.test/shop/web", "content-12", "sha256:ab")


@pytest.mark.parametrize(
    ("layout", "values", "written", "read"),
    [
        (
            "web: {image: {registry: docker.io, repository: a/b, tag: 1.0.0}}",
            "web.image",
            "web: {image: {registry: registry.test, repository: shop/web, tag: content-12}}",
            ImageReference("registry.test/shop/web", "content-12", ""),
        ),
        (
            'image: {registry: "", repository: "", tag: "", digest: ""}',
            "image",
            (
                'image: {registry: "registry.test", repository: "shop/web", tag: "content-12", '
                'digest: "sha256:ab"}'
            ),
            WEB,
        ),
        (
            'image: {repository: a, tag: "1"}  # ours',
            "image",
            'image: {repository: registry.test/shop/web, tag: "content-12"}  # ours',
            ImageReference("registry.test/shop/web", "content-12", ""),
        ),
        (
            'image: {digest: ""}',
            "image",
            'image: {digest: "sha256:ab"}',
            ImageReference("registry.test/shop/web", "", "sha256:ab"),
        ),
        (
            'webDigest: ""',
            "webDigest",
            'webDigest: "sha256:ab"',
            ImageReference("registry.test/shop/web", "", "sha256:ab"),
        ),
        (
            "imageTag: latest",
            "imageTag",
            "imageTag: content-12",
            ImageReference("registry.test/shop/web", "content-12", ""),
        ),
        (
            "image: ghcr.io:443/a/b:1.0@sha256:cd",
            "image",
            "image: registry.test/shop/web:content-12@sha256:ab",
            WEB,
        ),
        (
            'image: ""',
            "image",
            'image: "registry.test/shop/web@sha256:ab"',
            ImageReference("registry.test/shop/web", "", "sha256:ab"),
        ),
    ],
    ids=["bitnami", "bitnami-digest", "tag", "digest", "digest-text", "tag-text", "text", "text-empty"],
)
def test_each_layout_is_written_and_read_back(
    layout: str, values: str, written: str, read: ImageReference
) -> None:
    """Only what the layout has room for is written; a second time nothing changes."""
    assert set_images(layout, WEB, web=values) == written
    assert image_values.read_images(written, "values.yaml", config_of(web=values)) == {"web": read}
    assert set_images(written, WEB, web=values) == written


def test_image_that_several_values_name_is_written_to_all_of_them() -> None:
    """A Job and a Deployment of one chart may read two values."""
    text = 'web: {image: {repository: "", digest: ""}}\nmigration: {image: ""}\n'
    edited = yaml.safe_load(set_images(text, WEB, web=["web.image", "migration.image"]))
    assert edited == {
        "web": {"image": {"repository": WEB.repository, "digest": WEB.digest}},
        "migration": {"image": str(WEB)},
    }


SHARED: Mapping[str, str | list[str]] = {
    "web": ["web.image", "global.tag"],
    "api": ["api.image", "global.tag"],
}
SHARED_VALUES = 'global: {tag: ""}\nweb: {image: {repository: ""}}\napi: {image: {repository: ""}}\n'


def test_tag_that_images_share_is_that_of_the_version() -> None:
    """Their contents differ, so no content tag fits both."""
    edited = yaml.safe_load(set_images(SHARED_VALUES, WEB, **SHARED))
    assert edited["global"] == {"tag": "v0.1.0"}
    assert edited["api"] == {"image": {"repository": WEB.repository}}
    read = image_values.read_images(yaml.safe_dump(edited), "values.yaml", config_of(**SHARED))
    assert (str(read["web"]), read["web"].identity) == ("registry.test/shop/web:v0.1.0", "v0.1.0")


def test_image_that_shares_its_tag_is_not_changed_alone() -> None:
    """With a digest of its own it can be."""
    config = config_of(**SHARED)
    with pytest.raises(ConfigError, match="The image web shares global"):
        chart_edits.set_images(SHARED_VALUES, "values.yaml", config, {"web": WEB}, "v0.1.0")
    values = SHARED_VALUES.replace('repository: ""', 'repository: "", digest: ""')
    edited = yaml.safe_load(chart_edits.set_images(values, "values.yaml", config, {"web": WEB}, "v0.1.0"))
    assert (edited["global"]["tag"], edited["web"]["image"]["digest"]) == ("", "sha256:ab")


def test_images_that_share_more_than_a_tag_are_refused() -> None:
    """They would be one image."""
    with pytest.raises(ConfigError, match="The images api and web are both written"):
        set_images('global: {image: {digest: ""}}', WEB, web="global.image", api="global.image")


EMPTY = image_values.EMPTY_MAPPING


@pytest.mark.parametrize(
    ("text", "values", "remedy"),
    [
        (
            "global: {}\n",
            "web.image",
            f"Write `web: {{image: {EMPTY}}}` at the top",
        ),
        ("web:\n  replicas: 1\n", "web.image", f"Write `image: {EMPTY}` inside"),
        ("web: {}\n", "web.image", f"Write `web: {{image: {EMPTY}}}` in place of"),
        ('web: ""\n', "web.image", f"Write `web: {{image: {EMPTY}}}` in place of"),
        (
            "web: {image: {}}\n",
            "web.image",
            f"Write `image: {EMPTY}` in its place",
        ),
        ("a: 1\n", "global.imageTag", 'Write `global: {imageTag: ""}` at the top'),
        ("", "web.image", f"Write `web: {{image: {EMPTY}}}` at the top"),
    ],
)
def test_remedy_of_a_missing_value_works_the_first_time(text: str, values: str, remedy: str) -> None:
    """What the remedy says is enough for the release to write the image."""
    with pytest.raises(ConfigError) as refused:
        set_images(text, WEB, web=values)
    assert remedy in refused.value.remedy
    (line,) = re.findall(r"Write `([^`]*)`", refused.value.remedy)
    before, addition = yaml.safe_load(text) or {}, yaml.safe_load(line)
    after = before | (addition if "image" not in addition else {"web": (before["web"] or {}) | addition})
    assert "content-12" in set_images(yaml.safe_dump(after), WEB, web=values)
