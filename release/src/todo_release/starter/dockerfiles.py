"""Finds the Dockerfiles of a repository, and which of its files each of them copies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FILE_NAME = re.compile(r"(Dockerfile|Containerfile)(\.(?P<suffix>[\w-]+))?|(?P<prefix>[\w-]+)\.Dockerfile")
COPY = re.compile(r"^\s*(?:COPY|ADD)\s+(?P<words>.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that a Dockerfile makes: the folder that its paths are relative to, and what it copies."""

    name: str
    dockerfile: str
    context: str
    inputs: tuple[str, ...]


def find_images(root: Path, files: Iterable[str], project: str) -> list[FoundImage]:
    """Returns an image for every Dockerfile; one at the root of the repository is called like the project."""
    images: dict[str, FoundImage] = {}
    for file in files:
        path = PurePosixPath(file)
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            continue
        suffix = match["suffix"] or match["prefix"]
        folder = path.parent.as_posix()
        name = dns_label(suffix or (path.parent.name if folder != "." else project))
        if name in images:
            name = dns_label("-".join((*path.parent.parts, suffix or "")))
        images[name] = _image(root, name, path)
    return list(images.values())


def dns_label(text: str) -> str:
    """Returns a text as a name that Kubernetes accepts."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:50].strip("-") or "app"


def _image(root: Path, name: str, dockerfile: PurePosixPath) -> FoundImage:
    folder = dockerfile.parent
    sources = _sources((root / dockerfile).read_text(encoding="utf-8", errors="replace"))
    is_whole = any(source in {".", "*"} for source in sources)
    if folder.as_posix() == "." or (
        not is_whole and any(not _exists(root / folder, source) for source in sources)
    ):
        tops = sorted({source.partition("/")[0] for source in sources if _exists(root, source)})
        inputs = ("**",) if is_whole or not tops else (*tops, dockerfile.as_posix())
        return FoundImage(name, dockerfile.as_posix(), ".", tuple(dict.fromkeys(inputs)))
    return FoundImage(name, dockerfile.as_posix(), folder.as_posix(), (folder.as_posix(),))


def _sources(text: str) -> list[str]:
    """Returns what a Dockerfile copies from its context."""
    sources: list[str] = []
    for match in COPY.finditer(text.replace("\\\n", " ")):
        words = match["words"].replace("[", " ").replace("]", " ").replace('"', " ").replace(",", " ").split()
        if any(word.startswith("--from") for word in words):
            continue
        paths = [word.removeprefix("./").lstrip("/") or "." for word in words if not word.startswith("--")]
        sources += [path for path in paths[:-1] if "://" not in path and "$" not in path and "<<" not in path]
    return sources


def _exists(folder: Path, source: str) -> bool:
    """Returns whether a source exists; the part before a wildcard counts."""
    fixed = re.split(r"[*?]", source)[0]
    return (folder / (fixed if fixed == source else fixed.rpartition("/")[0])).exists()
