"""The application in one environment: its chart as the work tree has it, its cluster, and its Secrets.

Rendering needs no cluster. What a release deploys, and when, is the engine's business.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from todo_release.adapters import process
from todo_release.adapters.kubernetes.api_resources import SECRETS
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.artifacts import chart_edits
from todo_release.artifacts.chart import ImageReference
from todo_release.artifacts.deployment import deployment_from_folder
from todo_release.config.model import Config, TargetEnvironment
from todo_release.core import text_file
from todo_release.errors import CommandError, HelmError

RENDER_SECONDS = 120
SECRETS_MANAGER = "cluster-secrets"  # the field manager of every Secret that this package writes
# The images do not matter here, but the values of an environment may demand that each has a digest.
PLACEHOLDER_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class ApplicationEnvironment:
    """One environment of release.yaml; nothing is read or sent before it is needed."""

    root: Path
    config: Config
    name: str

    @property
    def settings(self) -> TargetEnvironment:
        """What release.yaml says of it.

        Raises:
            ConfigError: There is no such environment.
        """
        return self.config.environment(self.name)

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.settings.namespace

    @cached_property
    def cluster(self) -> Cluster:
        """Its cluster, with the rights of its context.

        Raises:
            ClusterError: The kubeconfig does not have this context.
        """
        return Cluster.connect(self.settings.context)

    @cached_property
    def manifest(self) -> RenderedManifest:
        """The objects of the chart in the work tree, hooks included.

        Raises:
            HelmError: The chart or its values are wrong.
        """
        config, file = self.config, self.config.chart.values
        images = {
            name: ImageReference(config.registry.reference(name), "unknown", PLACEHOLDER_DIGEST)
            for name in config.images
        }
        text = chart_edits.set_images(text_file.read(self.root / file, file), file, config, images, "unknown")
        deployment = deployment_from_folder(self.root, config, self.name, "0.0.0", {})
        with TemporaryDirectory(prefix=f"{config.name}-values-") as folder:
            values, overlay = Path(folder, "values.yaml"), Path(folder, "overlay.json")
            values.write_text(text, encoding="utf-8")
            overlay.write_text(json.dumps(deployment.overlay), encoding="utf-8")
            files = [values if path == self.root / file else path for path in deployment.values]
            command: list[str | Path] = ["helm", "template", deployment.release, deployment.chart]
            command += ["--namespace", deployment.namespace]
            command += [part for path in [values, *files, overlay] for part in ("--values", path)]
            try:
                printed = process.run(command, timeout_seconds=RENDER_SECONDS).stdout
            except CommandError as error:
                raise HelmError(
                    f"The chart of {self.name} cannot be rendered: {error.problem}",
                    remedy="Correct the chart or its values as Helm says.",
                ) from error
        return parse_manifest(printed)

    def read_secret(self, name: str) -> JsonObject | None:
        """Returns a Secret as the API server has it; None when there is none.

        Raises:
            ClusterError: The server did not answer or refused.
        """
        secret: JsonObject | None = self.cluster.read(f"{SECRETS.path(self.namespace)}/{name}")
        return secret


def decoded(secret: JsonObject | None) -> dict[str, str]:
    """Returns the values of a Secret; bytes that are not UTF-8 become replacement characters."""
    data: Mapping[str, str] = (secret or {}).get("data") or {}
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
