"""What the cluster of a rehearsal holds before the release."""

import json
from pathlib import Path
from typing import Any

import pytest

from todo_release.config.model import Config
from todo_release.errors import ConfigError
from todo_release.rehearsal.cluster_fixture import ClusterFixture, from_config

from ..preflight.snapshots import CONFIG

HOST = "127.0.0.1:5000"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: staging, labels: {tier: low}}\n"
CLASS = """\
---
# nothing
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: low}
value: 1
"""
ISSUER = (
    "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: letters}\nspec: {selfSigned: {}}\n"
)
SECRETS = {"app-secrets": {"TOKEN": "", "MECHANISM": "SHA-256"}, "pull": {".dockerconfigjson": ""}}


def config(*manifests: str, secrets: dict[str, dict[str, str]] | None = None, **settings: object) -> Config:
    """Returns the shop's release.yaml with a rehearsal section."""
    section = {"manifests": manifests, "secrets": secrets or {}, **settings}
    return Config.model_validate({**CONFIG, "rehearsal": section})


def written(folder: Path, **files: str) -> Path:
    """Writes YAML files with these names, without suffix, and returns their folder."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def names(objects: tuple[Any, ...]) -> list[tuple[str, str]]:
    """Returns kind and name of objects."""
    return [(manifest["kind"], manifest["metadata"]["name"]) for manifest in objects]


def test_manifests_keep_their_order_before_namespaces_and_secrets(tmp_path: Path) -> None:
    """Manifests come in their order, then the namespaces they do not define, then the Secrets."""
    tree = written(tmp_path, spaces=NAMESPACE, classes=CLASS, issuer=ISSUER)
    fixture = from_config(config("classes.yaml", "spaces.yaml", "issuer.yaml", secrets=SECRETS), tree, HOST)
    assert names(fixture.objects) == [
        ("PriorityClass", "low"),
        ("Namespace", "staging"),
        ("ClusterIssuer", "letters"),
        ("Namespace", "production"),
        ("StorageClass", "standard"),
        ("Secret", "app-secrets"),
        ("Secret", "pull"),
        ("Secret", "app-secrets"),
        ("Secret", "pull"),
    ]
    assert not fixture.has_definitions


def test_secrets_have_their_values_or_placeholders_and_the_registry_login(
    tmp_path: Path,
) -> None:
    """A key has its value or a placeholder, and a pull secret a login for the sandbox's registry."""
    fixture = from_config(config(secrets=SECRETS), tmp_path, HOST)
    app, pull = [manifest for manifest in fixture.objects if manifest["kind"] == "Secret"][:2]
    assert app["metadata"] == {"name": "app-secrets", "namespace": "staging"}
    assert (app["type"], app["stringData"]) == ("Opaque", {"TOKEN": "rehearsal", "MECHANISM": "SHA-256"})
    assert pull["type"] == "kubernetes.io/dockerconfigjson"
    assert json.loads(pull["stringData"][".dockerconfigjson"])["auths"].keys() == {HOST}


def test_custom_resources_are_separate_from_built_in_kinds(tmp_path: Path) -> None:
    """A kind is custom if its group is not of Kubernetes or a definition among the objects defines it."""
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: routes.gateway.k8s.io}\nspec: {group: gateway.k8s.io}\n"
        "---\napiVersion: gateway.k8s.io/v1\nkind: Route\nmetadata: {name: r, namespace: staging}\n"
    )
    tree = written(tmp_path, own=definition, issuer=ISSUER, classes=CLASS)
    fixture = from_config(config("own.yaml", "issuer.yaml", "classes.yaml"), tree, HOST)
    assert names(fixture.custom) == [("Route", "r"), ("ClusterIssuer", "letters")]
    assert ("PriorityClass", "low") in names(fixture.built_in)
    assert ("CustomResourceDefinition", "routes.gateway.k8s.io") in names(fixture.built_in)
    assert len(fixture.built_in) + len(fixture.custom) == len(fixture.objects)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "rehearsal.manifests names x.yaml, which does not exist"),
        ("a: [", "x.yaml is not valid YAML"),
        ("just words\n", "x.yaml holds a document that is no Kubernetes object"),
        ("kind: Secret\nmetadata: {name: a}\n", "x.yaml holds a document that is no Kubernetes object"),
    ],
    ids=["missing", "no-yaml", "no-mapping", "no-object"],
)
def test_missing_or_invalid_file_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    """A file that is missing or holds no objects is an error with its name and a remedy."""
    tree = written(tmp_path, **({} if text is None else {"x": text}))
    with pytest.raises(ConfigError, match=message) as refused:
        from_config(config("x.yaml"), tree, HOST)
    assert refused.value.remedy


def test_default_is_three_small_nodes_and_empty_namespaces(tmp_path: Path) -> None:
    """Without a rehearsal section the cluster has generic nodes and the environments' namespaces."""
    fixture: ClusterFixture = from_config(config(), tmp_path, HOST)
    assert fixture.summary == "3 simulated nodes of 2 CPU and 4.0 GiB, as configured in release.yaml"
    assert [node.name for node in fixture.nodes] == ["node-1", "node-2", "node-3"]
    assert names(fixture.objects) == [
        ("Namespace", "staging"),
        ("Namespace", "production"),
        ("StorageClass", "standard"),
    ]


def test_described_storage_class_replaces_the_default_one(tmp_path: Path) -> None:
    """The default class exists only where release.yaml describes none."""
    own = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: disks}\nprovisioner: d.test\n"
    fixture = from_config(config("own.yaml"), written(tmp_path, own=own), HOST)
    assert [name for kind, name in names(fixture.objects) if kind == "StorageClass"] == ["disks"]


def test_nodes_and_provider_workloads_are_those_of_release_yaml(tmp_path: Path) -> None:
    """Each entry is a pool of identical nodes, and workloads come before all other objects."""
    pools = [
        {"prefix": "small", "count": 1, "allocatable": {"cpu": "1900m"}, "labels": {"pool": "small"}},
        {"prefix": "large", "count": 2, "capacity": {"cpu": "8", "memory": "16Gi"}},
    ]
    workloads = [
        {"kind": "DaemonSet", "name": "agent", "requests": {"cpu": "100m"}},
        {"kind": "Deployment", "name": "dns", "replicas": 2, "requests": {"memory": "64Mi"}},
    ]
    fixture = from_config(config(nodes=pools, workloads=workloads), tmp_path, HOST)
    assert [node.name for node in fixture.nodes] == ["small-1", "large-1", "large-2"]
    assert fixture.nodes[0].allocatable == {"cpu": "1900m", "memory": "4Gi", "pods": "110"}
    assert fixture.nodes[0].labels == {"pool": "small"}
    assert fixture.nodes[2].allocatable == {"cpu": "8", "memory": "16Gi"}
    assert names(fixture.objects)[:2] == [("DaemonSet", "agent"), ("Deployment", "dns")]
    assert fixture.objects[1]["spec"]["replicas"] == 2
    assert fixture.summary.startswith(
        "1 simulated node of 2 CPU and 4.0 GiB and 2 simulated nodes of 8 CPU and"
    )
