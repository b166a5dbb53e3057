"""Renders charts without a cluster, to know their objects before anything is installed."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from todo_release.adapters import process
from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.errors import CommandError, HelmError

# What the components define and charts ask for with `.Capabilities.APIVersions`.
API_VERSIONS = ("monitoring.coreos.com/v1", "cert-manager.io/v1", "dapr.io/v1alpha1")
RENDER_SECONDS = 120


def render(
    release: str,
    chart: Path,
    namespace: str,
    values: Sequence[Path],
    overlay: Mapping[str, Any] | None = None,
) -> RenderedManifest:
    """Returns the objects of a chart.

    Raises:
        HelmError: The chart or its values are wrong.
    """
    command = ["helm", "template", release, str(chart), "--namespace", namespace, "--skip-tests"]
    command += [part for version in API_VERSIONS for part in ("--api-versions", version)]
    command += [part for path in values for part in ("--values", str(path))]
    with tempfile.TemporaryDirectory() as folder:
        extra = Path(folder, "overlay.json")
        extra.write_text(json.dumps(overlay or {}), encoding="utf-8")
        try:
            printed = process.run([*command, "--values", str(extra)], timeout_seconds=RENDER_SECONDS).stdout
        except CommandError as error:
            raise HelmError(
                f"The chart of {release} cannot be rendered: {error.problem}",
                remedy="Correct its values as Helm says.",
            ) from error
    return parse_manifest(printed)
