"""Finds where a finding can be corrected: the line in the values behind a field, or the template.

Helm does not say which value went where, so the position is inferred: the content must be equal, and the
value's name must end like the field's or stand in the part of the values that belongs to the object. When two
lines fit equally well, the template is named instead.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

from todo_release.adapters.kubernetes.manifest import RenderedManifest, RenderedObject, leaves, part_of
from todo_release.config.model import FILE_NAME
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import LocatedDocument, Place, YamlPath
from todo_release.preflight.finding import Finding


@dataclass(frozen=True, slots=True)
class ReleaseFileValues:
    """The text of release.yaml, and the names of the single values that it sets for an environment."""

    text: str
    environment: str
    names: Sequence[str]


NOT_IN_A_NAME = re.compile(r"[^a-z0-9]")
MIN_DISTINCTIVE_LENGTH = 6  # a text this long inside another one is no coincidence
SAME_OBJECT_SCORE = 100  # more than any number of equal path parts


class ValuePositions:
    """The values of one environment with their positions; nothing is parsed before the first finding."""

    def __init__(
        self,
        chart: str,
        texts: Sequence[tuple[str, str]],
        overlay: Mapping[str, Any],
        release_file: ReleaseFileValues,
    ) -> None:
        """`chart` is its folder, `texts` values files by path, `overlay` values that override them."""
        self._chart = chart
        self._texts = texts
        self._overlay = overlay
        self._release_file = release_file

    @cached_property
    def values(self) -> LocatedDocument:
        """Returns all values as Helm merges them."""
        documents = [yaml_positions.read(text, name) for name, text in self._texts]
        release = yaml_positions.read(self._release_file.text, FILE_NAME)
        places: dict[YamlPath, Place] = {}
        for name in self._release_file.names:
            place = release.place(("environments", self._release_file.environment, "set", name))
            if place:
                places[tuple(name.split("."))] = place
        documents.append(LocatedDocument(self._overlay, places))
        return reduce(yaml_positions.merge, documents, LocatedDocument({}, {}))

    def setting(self, path: Sequence[str]) -> tuple[str | None, Place | None]:
        """Returns the text of a value, or of what stands in its place, and its place; None for no text."""
        value = self.values.value
        for depth, key in enumerate(path):
            if not isinstance(value, Mapping):
                return str(value or ""), self.values.place(tuple(path[:depth]))
            if key not in value:
                return None, None
            value = value[key]
        return str("" if value is None else value), self.values.place(tuple(path))

    def locate(self, finding: Finding, manifest: RenderedManifest) -> Finding:
        """Returns the finding with its place, if it has none yet and one can be found."""
        kind, _, name = finding.subject.partition("/")
        rendered = manifest.find(kind, name)
        if finding.place or rendered is None:
            return finding
        place = self._place_of_field(rendered, finding.field) if finding.field else None
        if place is None and rendered.source:
            place = Place(f"{self._chart}/{rendered.source}", 1, 1)
        return replace(finding, place=place)

    def _place_of_field(self, rendered: RenderedObject, field: YamlPath) -> Place | None:
        value, names = part_of(rendered.body, field), [part for part in field if isinstance(part, str)]
        if value is None or isinstance(value, bool):
            return None
        ranks: dict[YamlPath, tuple[int, int]] = {}
        for rendered_path, rendered_leaf in leaves(value):
            field_names = [*names, *(part for part in rendered_path if isinstance(part, str))]
            for path, leaf in leaves(self.values.value):
                length = len(str(leaf))
                is_distinctive = length >= MIN_DISTINCTIVE_LENGTH
                score = _score(rendered, field_names, path, is_distinctive=is_distinctive)
                if _may_come_from(rendered_leaf, leaf) and (score or is_distinctive):
                    ranks[path] = max((score, length), ranks.get(path, (0, 0)))
        best = [path for path, rank in ranks.items() if rank == max(ranks.values())]
        return self.values.place(best[0]) if len(best) == 1 else None


def _score(rendered: RenderedObject, names: Sequence[str], path: YamlPath, *, is_distinctive: bool) -> int:
    """Returns how well a path in the values fits a field.

    Counted are the equal parts at the end, and whether the path names the object. A short value that is
    merely equal to the field somewhere in the object's part proves nothing.
    """
    parts = [part for part in path if isinstance(part, str)]
    common = 0
    while common < min(len(parts), len(names)) and parts[-1 - common] == names[-1 - common]:
        common += 1
    object_name = _normalized(rendered.name)
    is_of_object = any(len(part) > 2 and _normalized(part) in object_name for part in parts[:-1])
    return common + SAME_OBJECT_SCORE if is_of_object and (common or is_distinctive) else common


def _may_come_from(rendered_leaf: Any, leaf: Any) -> bool:
    if leaf in ("", None) or isinstance(leaf, bool):
        return False
    text, part = str(rendered_leaf), str(leaf)
    return text == part or (len(part) >= MIN_DISTINCTIVE_LENGTH and part in text)


def _normalized(name: str) -> str:
    return NOT_IN_A_NAME.sub("", name.lower())
