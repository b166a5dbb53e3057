"""Where the values name an image, and which part of its name a single value holds."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from todo_release.config.base import ValuesPath

ImagePart = Literal["registry", "repository", "tag", "digest", "reference"]
IMAGE_PARTS: tuple[ImagePart, ...] = ("registry", "repository", "digest")
ImageValues = Annotated[
    tuple[ValuesPath, ...],
    BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value,
        json_schema_input_type=ValuesPath | Annotated[tuple[ValuesPath, ...], Field(min_length=1)],
    ),
    Field(min_length=1),
]


def image_part(key: str) -> ImagePart:
    """Returns which part of an image's name a single value holds, by its key; otherwise the whole name."""
    name = key.lower()
    if name.endswith(("tag", "version")):
        return "tag"
    for part in IMAGE_PARTS:
        if name.endswith(part):
            return part
    return "reference"
