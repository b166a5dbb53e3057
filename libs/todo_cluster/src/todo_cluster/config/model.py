"""The typed form of cluster.yaml, which holds all that the operator's commands know about the cluster.

Each subject's settings are a model of their own; a key that is not known is an error.
"""

from todo_release.config.base import Model

FILE_NAME = "cluster.yaml"


class ClusterConfig(Model):
    """All of cluster.yaml."""
