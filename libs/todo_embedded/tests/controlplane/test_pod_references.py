"""The walker of pod specs: which Secrets and ConfigMaps it finds, where, and in which order."""

import subprocess
import sys

from todo_embedded.controlplane import pod_references

SPEC = {
    "initContainers": [{"name": "migrate", "envFrom": [{"secretRef": {"name": "init"}}], "env": None}],
    "containers": [
        {
            "name": "web",
            "env": [
                {"name": "PLAIN", "value": "1", "valueFrom": None},
                {"name": "URL", "valueFrom": {"secretKeyRef": {"name": "app", "key": "URL"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
        }
    ],
    "volumes": [
        {"name": "tls", "secret": {"secretName": "tls", "items": [{"key": "tls.crt", "path": "crt"}]}},
        {"name": "empty", "emptyDir": {}},
        {"name": "optional", "configMap": {"name": "extra", "optional": True}},
    ],
    "imagePullSecrets": [{"name": "pull"}],
}


def test_pod_spec_is_walked_container_by_container_and_then_volume_by_volume() -> None:
    """Each reference has its field below the given path; null parts and optional references are left out."""
    references = pod_references.of_pod_spec(SPEC, "shop", ("spec",))
    assert [(reference.name, reference.key, reference.field) for reference in references] == [
        ("init", "", ("spec", "initContainers", 0, "envFrom", 0)),
        ("settings", "", ("spec", "containers", 0, "envFrom", 0)),
        ("app", "URL", ("spec", "containers", 0, "env", 1)),
        ("tls", "", ("spec", "volumes", 0)),
        ("tls", "tls.crt", ("spec", "volumes", 0)),
    ]


def test_pull_secrets_are_walked_apart() -> None:
    """A kubelet starts pods without them, so they are not among the other references."""
    (reference,) = pod_references.of_image_pulls(SPEC, "shop")
    assert (reference.path, reference.field) == (
        "api/v1/namespaces/shop/secrets/pull",
        ("imagePullSecrets", 0),
    )


def test_import_of_the_walker_loads_no_third_party_module() -> None:
    """The release engine imports it for every preflight."""
    code = (
        "import sys; import todo_embedded.controlplane.pod_references as walker;"
        "print(*{'httpx2', 'yaml', 'cryptography', 'kubernetes'} & sys.modules.keys())"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == ""
