"""What the cluster of a rehearsal has before a release comes."""

import json
from pathlib import Path
from typing import Any

import pytest

from todo_embedded.controlplane.nodes import DOKS_WORKLOADS, DROPLETS
from todo_release.config.model import Config
from todo_release.errors import ConfigError
from todo_release.rehearsal.cluster_fixture import Site, of_config

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


def config(*manifests: str, secrets: dict[str, dict[str, str]] | None = None) -> Config:
    """release.yaml of a shop with a rehearsal section."""
    section = {"manifests": manifests, "secrets": secrets or {}}
    return Config.model_validate({**CONFIG, "rehearsal": section})


def written(folder: Path, **files: str) -> Path:
    """A folder with files of these names, without their ending."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def names(objects: tuple[Any, ...]) -> list[tuple[str, str]]:
    """Kind and name of objects, those of the provider left out."""
    return [(one["kind"], one["metadata"]["name"]) for one in objects if one not in DOKS_WORKLOADS]


def test_site_has_the_manifests_in_their_order_then_namespaces_then_secrets(tmp_path: Path) -> None:
    """After the provider's own; a namespace that a manifest brings is not made twice."""
    tree = written(tmp_path, spaces=NAMESPACE, classes=CLASS, issuer=ISSUER)
    made = of_config(config("classes.yaml", "spaces.yaml", "issuer.yaml", secrets=SECRETS), tree, HOST)
    assert made.nodes == DROPLETS
    assert made.objects[: len(DOKS_WORKLOADS)] == DOKS_WORKLOADS
    assert names(made.objects) == [
        ("PriorityClass", "low"),
        ("Namespace", "staging"),
        ("ClusterIssuer", "letters"),
        ("Namespace", "production"),
        ("Secret", "app-secrets"),
        ("Secret", "pull"),
        ("Secret", "app-secrets"),
        ("Secret", "pull"),
    ]
    assert not made.has_definitions


def test_secrets_have_their_keys_and_words_and_the_pull_secret_covers_the_scratch_registry(
    tmp_path: Path,
) -> None:
    """One of each in every environment."""
    made = of_config(config(secrets=SECRETS), tmp_path, HOST)
    app, pull = [one for one in made.objects if one["kind"] == "Secret"][:2]
    assert app["metadata"] == {"name": "app-secrets", "namespace": "staging"}
    assert (app["type"], app["stringData"]) == ("Opaque", {"TOKEN": "rehearsal", "MECHANISM": "SHA-256"})
    assert pull["type"] == "kubernetes.io/dockerconfigjson"
    assert json.loads(pull["stringData"][".dockerconfigjson"])["auths"].keys() == {HOST}


def test_kinds_that_definitions_bring_come_last(tmp_path: Path) -> None:
    """Those of a definition among the objects too, whatever their group is called."""
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: routes.gateway.k8s.io}\nspec: {group: gateway.k8s.io}\n"
        "---\napiVersion: gateway.k8s.io/v1\nkind: Route\nmetadata: {name: r, namespace: staging}\n"
    )
    tree = written(tmp_path, own=definition, issuer=ISSUER, classes=CLASS)
    made = of_config(config("own.yaml", "issuer.yaml", "classes.yaml"), tree, HOST)
    assert names(made.custom) == [("Route", "r"), ("ClusterIssuer", "letters")]
    assert ("PriorityClass", "low") in names(made.built_in)
    assert ("CustomResourceDefinition", "routes.gateway.k8s.io") in names(made.built_in)
    assert len(made.built_in) + len(made.custom) == len(made.objects)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "rehearsal.manifests names x.yaml, which is not there"),
        ("a: [", "x.yaml is not valid YAML"),
        ("just words\n", "x.yaml holds something that is no object"),
        ("kind: Secret\nmetadata: {name: a}\n", "x.yaml holds something that is no object"),
    ],
    ids=["missing", "no-yaml", "no-mapping", "no-object"],
)
def test_file_that_is_not_there_or_holds_no_objects_is_refused(
    tmp_path: Path, text: str | None, message: str
) -> None:
    """With its name and what to do."""
    tree = written(tmp_path, **({} if text is None else {"x": text}))
    with pytest.raises(ConfigError, match=message) as refused:
        of_config(config("x.yaml"), tree, HOST)
    assert refused.value.remedy


def test_site_of_nothing_is_the_provider_and_empty_namespaces(tmp_path: Path) -> None:
    """The section may be left out."""
    made: Site = of_config(config(), tmp_path, HOST)
    assert names(made.objects) == [("Namespace", "staging"), ("Namespace", "production")]
