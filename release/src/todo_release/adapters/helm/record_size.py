"""Measures the record that Helm will keep of a revision, which must fit into a Secret.

The record holds the rendered manifest, the values, and every file of the chart itself (not those of its
dependencies), as base64 of gzipped JSON; Kubernetes allows 1 MiB for it.
"""

import base64
import gzip
import json
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from todo_release.adapters import process

LIMIT_BYTES = 1024 * 1024  # MaxSecretSize of Kubernetes
# What does not compress at all grows by a third for base64, and a little for JSON.
GREATEST_GROWTH = 1.4
SMALL_BYTES = int(LIMIT_BYTES * 0.5)


def measure_record(chart: Path, manifest: str, values: Mapping[str, Any]) -> int:
    """Returns the size of a revision's record in bytes; 0 if it is certainly far below the limit.

    Raises:
        CommandError: Helm cannot pack the chart.
    """
    files = [
        path for path in chart.rglob("*") if path.is_file() and path.relative_to(chart).parts[0] != "charts"
    ]
    if (sum(path.stat().st_size for path in files) + len(manifest)) * GREATEST_GROWTH < SMALL_BYTES:
        return 0
    entries = [
        {"name": name, "data": base64.b64encode(data).decode()}
        for name, data in sorted(_kept_files(chart).items())
    ]
    body = {"chart": {"files": entries}, "config": dict(values), "manifest": manifest}
    return len(base64.b64encode(gzip.compress(json.dumps(body, default=str).encode(), 9)))


def _kept_files(chart: Path) -> dict[str, bytes]:
    """Returns the files that Helm takes from a chart's folder, without those that .helmignore names."""
    with tempfile.TemporaryDirectory(prefix="todo-release-package-") as scratch:
        process.run(["helm", "package", str(chart), "--destination", scratch])
        (archive,) = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as tar:
            members = [(member, member.name.partition("/")[2]) for member in tar if member.isfile()]
            return {
                name: file.read()
                for member, name in members
                if not name.startswith("charts/") and (file := tar.extractfile(member))
            }
