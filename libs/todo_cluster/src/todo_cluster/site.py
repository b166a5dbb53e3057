"""What the steps work with: both configurations, the cluster, Helm, and the archives of the charts."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from todo_cluster.charts import Charts
from todo_cluster.command import ClusterCommand
from todo_cluster.config.model import ClusterConfig
from todo_cluster.errors import BootstrapError
from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.config.model import Config
from todo_release.core import text_file, yaml_loader
from todo_release.core.clock import Clock, SystemClock
from todo_release.core.release_folder import RELEASE_FOLDER

MANAGER = "cluster-bootstrap"  # the field manager of everything that is applied


@dataclass(frozen=True, slots=True)
class Access:
    """How the cluster is reached: a context, in a kubeconfig of its own or in the usual ones."""

    context: str
    kubeconfig: Path | None = None


@dataclass(frozen=True)
class Site:
    """The place that is built on; `access` is None while there is no cluster."""

    command: ClusterCommand
    access: Access | None
    clock: Clock = field(default_factory=SystemClock)

    @property
    def root(self) -> Path:
        """The repository's root."""
        return self.command.root

    @property
    def config(self) -> ClusterConfig:
        """What cluster.yaml says."""
        return self.command.cluster

    @property
    def release(self) -> Config:
        """What release.yaml says."""
        return self.command.release

    @property
    def folder(self) -> Path:
        """Where local files are kept; git ignores it."""
        return self.root / RELEASE_FOLDER / "cluster"

    @property
    def context(self) -> str:
        """The context that leads to the cluster, empty while there is none."""
        return self.access.context if self.access else ""

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster, with the rights of `access`.

        Raises:
            BootstrapError: There is none yet.
        """
        if self.access is None:
            raise BootstrapError("There is no cluster yet.", remedy="Run `inv bootstrap` without --plan.")
        return Cluster.connect(self.access.context, self.access.kubeconfig)

    @cached_property
    def charts(self) -> Charts:
        """The archives of the charts."""
        mirror = self.config.charts.mirror
        return Charts(self.folder / "charts", self.root / mirror if mirror else None)

    def helm(self, namespace: str) -> Helm:
        """Returns Helm in a namespace of the cluster."""
        cluster = self.cluster
        context, kubeconfig = (self.access.context, self.access.kubeconfig) if self.access else (None, None)
        return Helm(context, namespace, kubeconfig, cluster=cluster)

    def objects(self, file: str) -> list[JsonObject]:
        """Returns the objects of a manifest in the repository.

        Raises:
            ConfigError: It is missing or not YAML.
        """
        documents = yaml_loader.load_all(text_file.read(self.root / file, file))
        return [document for document in documents if document]

    @property
    def namespaces(self) -> dict[str, str]:
        """The namespace of each environment of release.yaml, by its name."""
        return {name: environment.namespace for name, environment in self.release.environments.items()}

    @property
    def hosts(self) -> dict[str, str]:
        """The host name of each environment, by the environment's name."""
        return {
            name: environment.url.partition("://")[2].partition(":")[0]
            for name, environment in self.release.environments.items()
        }
