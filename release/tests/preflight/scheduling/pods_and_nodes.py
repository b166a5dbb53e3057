"""Builds nodes and pods for tests of the simulation; memory is given in MiB."""

from typing import Any

from todo_release.preflight.scheduling.resources import NodeCapacity, PodRequirements, ResourceAmount

MIB = 2**20


def node(name: str = "n1", cpu: int = 1000, memory: int = 1000, **rest: Any) -> NodeCapacity:
    """Returns a node whose only label is its hostname."""
    labels = {"kubernetes.io/hostname": name, **rest.pop("labels", {})}
    return NodeCapacity(name=name, allocatable=ResourceAmount(cpu, memory * MIB), labels=labels, **rest)


def pod(cpu: int = 100, memory: int = 100, **rest: Any) -> PodRequirements:
    """Returns a pod of the Deployment `web` in staging."""
    return PodRequirements(
        owner="Deployment/web", namespace="staging", request=ResourceAmount(cpu, memory * MIB), **rest
    )
