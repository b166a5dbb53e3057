"""How long it takes to say what a tree of files is, as one value that changes when the tree does."""

import os
import subprocess
import tempfile
from pathlib import Path

from dirhash import dirhash  # type: ignore[import-untyped]  # its stubs are a version behind

from bench.release import turns
from todo_release.adapters.git import Repository
from todo_release.artifacts import content

FILES, FOLDERS, SIZE = 2000, 50, 4096


def rows(rounds: int) -> list[tuple[str, ...]]:
    """A tree of 2,000 files of 4 KiB, by us, by the package dirhash and by git itself."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        _plant(root)
        index = os.environ | {"GIT_INDEX_FILE": str(Path(folder, "index"))}

        def ours() -> str:
            repository = Repository(root)
            files = content.read_inputs(root, repository.files(["**"]), context=".")
            assert len(files) == FILES
            return content.content_id(files, dockerfile="Dockerfile", build_args={}, platform="linux/amd64")

        def git() -> None:
            """A fresh index, as the one of the work tree only knows what was added."""
            Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
            for command in (["add", "--all"], ["write-tree"]):
                subprocess.run(["git", *command], cwd=root, env=index, check=True, capture_output=True)

        return turns.rows(
            f"identity of {FILES} files",
            {
                "content id": ours,
                "dirhash": lambda: dirhash(root, "sha256", match=["*", "!.git"]),
                "git add, write-tree": git,
            },
            rounds=rounds,
        )


def _plant(root: Path) -> None:
    for number in range(FILES):
        path = root / f"folder{number % FOLDERS}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number:08d}".encode() * (SIZE // 8))
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=root, check=True)
