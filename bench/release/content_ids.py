"""Measures how long it takes to compute one id of the content of many files."""

import os
import subprocess
import tempfile
from pathlib import Path

from dirhash import dirhash  # type: ignore[import-untyped]  # its stubs are a version behind

from bench.release import timing
from todo_release.adapters.git import Repository
from todo_release.artifacts import content

FILES, FOLDERS, SIZE_BYTES = 2000, 50, 4096


def rows(rounds: int) -> list[tuple[str, ...]]:
    """Measures the engine, the package dirhash and git on 2,000 files of 4 KiB."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        _create_files(root)
        index = os.environ | {"GIT_INDEX_FILE": str(Path(folder, "index"))}

        def engine() -> str:
            repository = Repository(root)
            files = content.hash_files(root, repository.files(["**"]), context=".")
            assert len(files) == FILES
            return content.compute_content_id(
                files, dockerfile="Dockerfile", build_args={}, platform="linux/amd64"
            )

        def git() -> None:
            """Adds all files to a new index, because the present index already has their hashes."""
            Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
            for command in (["add", "--all"], ["write-tree"]):
                subprocess.run(["git", *command], cwd=root, env=index, check=True, capture_output=True)

        return timing.rows(
            f"id of {FILES} files",
            {
                "content id": engine,
                "dirhash": lambda: dirhash(root, "sha256", match=["*", "!.git"]),
                "git add, write-tree": git,
            },
            rounds=rounds,
        )


def _create_files(root: Path) -> None:
    for number in range(FILES):
        path = root / f"folder{number % FOLDERS}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number:08d}".encode() * (SIZE_BYTES // 8))
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=root, check=True)
