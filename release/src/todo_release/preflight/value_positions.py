"""Where a finding can be corrected: the line of the values file that a rendered field comes from, or the
template.

Helm does not say which value went where, so it is inferred: a value that stands in the values with the same
content, under a name that ends like the field's or in the part that belongs to the object. When two lines
would do equally well, neither is named, and the template is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

from todo_release.adapters.kubernetes.manifest import Manifest, Rendered, leaves, part_of
from todo_release.config.model import FILE_NAME
from todo_release.core import yaml_positions
from todo_release.core.yaml_positions import Located, Path, Place
from todo_release.preflight.finding import Finding


@dataclass(frozen=True, slots=True)
class Settings:
    """The text of release.yaml, and the names of the single values that it sets for an environment."""

    text: str
    environment: str
    names: Sequence[str]


NOT_IN_A_NAME = re.compile(r"[^a-z0-9]")
SHORTEST_PART = 6  # a text this long inside another one is no coincidence
OWN = 100


class Places:
    """The values of one environment with the place of each; nothing is parsed before the first finding."""

    def __init__(
        self, chart: str, texts: Sequence[tuple[str, str]], overlay: Mapping[str, Any], settings: Settings
    ) -> None:
        """`chart` is its folder, `texts` the values files by the names that people know them by, `overlay`
        the values that win over them, `settings` where release.yaml sets single ones.
        """
        self._chart = chart
        self._texts = texts
        self._overlay = overlay
        self._settings = settings

    @cached_property
    def values(self) -> Located:
        """All values as Helm merges them."""
        documents = [yaml_positions.read(text, name) for name, text in self._texts]
        release = yaml_positions.read(self._settings.text, FILE_NAME)
        places: dict[Path, Place] = {}
        for name in self._settings.names:
            place = release.place(("environments", self._settings.environment, "set", name))
            if place:
                places[tuple(name.split("."))] = place
        return reduce(yaml_positions.merge, [*documents, Located(self._overlay, places)], Located({}, {}))

    def locate(self, finding: Finding, manifest: Manifest) -> Finding:
        """The finding with its place, where it has none and one can be found."""
        kind, _, name = finding.subject.partition("/")
        one = manifest.find(kind, name)
        if finding.place or one is None:
            return finding
        place = self._of_value(one, finding.field) if finding.field else None
        if place is None and one.source:
            place = Place(f"{self._chart}/{one.source}", 1, 1)
        return replace(finding, place=place)

    def _of_value(self, one: Rendered, field: Path) -> Place | None:
        value, names = part_of(one.body, field), [part for part in field if isinstance(part, str)]
        if value is None or isinstance(value, bool):
            return None
        ranks: dict[Path, tuple[int, int]] = {}
        for rendered_path, rendered in leaves(value):
            wanted = [*names, *(part for part in rendered_path if isinstance(part, str))]
            for path, leaf in leaves(self.values.value):
                length = len(str(leaf))
                score = _score(one, wanted, path, is_telling=length >= SHORTEST_PART)
                if _is_from(rendered, leaf) and (score or length >= SHORTEST_PART):
                    ranks[path] = max((score, length), ranks.get(path, (0, 0)))
        best = [path for path, rank in ranks.items() if rank == max(ranks.values())]
        return self.values.place(best[0]) if len(best) == 1 else None


def _score(one: Rendered, names: Sequence[str], path: Path, *, is_telling: bool) -> int:
    """How well a path in the values suits a field: parts at the end that are equal, and whether it names the
    object.

    A number that merely is the same somewhere in the object's part proves nothing.
    """
    parts = [part for part in path if isinstance(part, str)]
    common = 0
    while common < min(len(parts), len(names)) and parts[-1 - common] == names[-1 - common]:
        common += 1
    flat = _flat(one.name)
    is_own = any(len(part) > 2 and _flat(part) in flat for part in parts[:-1])
    return common + OWN if is_own and (common or is_telling) else common


def _is_from(rendered: Any, leaf: Any) -> bool:
    if leaf in ("", None) or isinstance(leaf, bool):
        return False
    text, part = str(rendered), str(leaf)
    return text == part or (len(part) >= SHORTEST_PART and part in text)


def _flat(name: str) -> str:
    return NOT_IN_A_NAME.sub("", name.lower())
