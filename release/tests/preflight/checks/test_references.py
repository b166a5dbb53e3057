"""What pods, components and ingresses refer to by name exists, or is found missing."""

from datetime import timedelta
from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    CLUSTER_ISSUERS,
    CONFIG_MAPS,
    INGRESS_CLASSES,
    PRIORITY_CLASSES,
    SERVICE_ACCOUNTS,
    STORAGE_CLASSES,
    VOLUME_CLAIMS,
)
from todo_release.adapters.registry.image_name import host_of
from todo_release.preflight.checks.references import CHECK
from todo_release.preflight.snapshot import Certificate, SecretSummary

from ..snapshots import NOW, error_causes, findings_of, make_snapshot, summaries_of, workload

APP = SecretSummary(name="app", keys={"URL": "1"})


def container(**rest: Any) -> list[dict[str, Any]]:
    """One container with something in it."""
    return [{"name": "web", "image": "registry.test/shop/web", **rest}]


def variable(kind: str, name: str, key: str, **rest: Any) -> list[dict[str, Any]]:
    """A container with a variable from a key."""
    return container(env=[{"name": "URL", "valueFrom": {kind: {"name": name, "key": key, **rest}}}])


USES: dict[str, dict[str, Any]] = {
    "env": {"containers": variable("secretKeyRef", "app", "URL")},
    "envFrom": {"containers": container(envFrom=[{"secretRef": {"name": "app"}}])},
    "volume": {
        "volumes": [{"name": "v", "secret": {"secretName": "app", "items": [{"key": "URL", "path": "u"}]}}]
    },
    "projected": {
        "volumes": [
            {
                "name": "v",
                "projected": {
                    "sources": [{"secret": {"name": "app"}}, {"configMap": {"name": "x", "optional": True}}]
                },
            }
        ]
    },
    "init": {"initContainers": variable("secretKeyRef", "app", "URL")},
    "token of Dapr": {"annotations": {"dapr.io/app-token-secret": "app"}},
}


@pytest.mark.parametrize("use", USES)
def test_secret_that_is_not_there_is_found_wherever_it_is_read(use: str) -> None:
    """The pod would wait in CreateContainerConfigError, or for its volume."""
    (cause,) = error_causes(CHECK, make_snapshot(workload(**USES[use])))
    assert cause.startswith("There is no Secret app; Deployment/web reads it")


@pytest.mark.parametrize("use", ["env", "envFrom", "volume", "projected", "init"])
def test_secret_with_its_keys_is_fine(use: str) -> None:
    """Nothing is said about what is there."""
    assert summaries_of(CHECK, make_snapshot(workload(**USES[use]), secrets=[APP])) == []


def test_missing_key_names_the_key_the_field_and_all_who_read_it() -> None:
    """One finding for a key, however many pods read it."""
    pods = {"containers": variable("secretKeyRef", "app", "TOKEN")}
    (finding,) = findings_of(
        CHECK, make_snapshot(*(workload(name, **pods) for name in "abcd"), secrets=[APP])
    )
    assert finding.cause == (
        "There is no key TOKEN in Secret app; Deployment/a, Deployment/b and 2 more read it."
    )
    assert finding.remedy.startswith("Add TOKEN to Secret app in namespace staging, or correct the name")
    (missing,) = findings_of(CHECK, make_snapshot(workload(**pods)))
    assert missing.remedy.startswith("Create Secret app with the keys TOKEN in namespace staging, or")
    assert (finding.subject, finding.path) == (
        "Deployment/a",
        "spec.template.spec.containers[0].env[0]",
    )


def test_what_may_be_absent_is_not_asked_for() -> None:
    """`optional` means it."""
    pods = {"containers": variable("secretKeyRef", "app", "TOKEN", optional=True)}
    assert summaries_of(CHECK, make_snapshot(workload(**pods))) == []


def test_what_the_chart_makes_is_there_but_not_for_hooks_that_run_before_it() -> None:
    """On a first install a migration finds only what was there before."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}, "stringData": {"URL": "x"}}
    pods = {"containers": variable("secretKeyRef", "app", "URL")}
    assert summaries_of(CHECK, make_snapshot(secret, workload(**pods))) == []
    hook = workload("migrate", kind="Job", hook="pre-install", **pods)
    (cause,) = error_causes(CHECK, make_snapshot(secret, hook))
    assert cause == "There is no Secret app; Job/migrate reads it before the chart is applied."
    assert summaries_of(CHECK, make_snapshot(secret, hook, secrets=[APP])) == []
    early = {**secret, "metadata": {"name": "app", "annotations": {"helm.sh/hook": "pre-install"}}}
    assert summaries_of(CHECK, make_snapshot(early, hook)) == []


def test_secret_of_an_operator_or_of_cert_manager_will_be_made() -> None:
    """Their keys are known only for certificates."""
    external = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"}}
    pods = {"containers": variable("secretKeyRef", "app", "URL")}
    assert summaries_of(CHECK, make_snapshot(external, workload(**pods))) == []
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "tls"},
        "spec": {"secretName": "app"},
    }
    assert error_causes(CHECK, make_snapshot(certificate, workload(**pods))) == [
        "There is no key URL in Secret app; Deployment/web reads it."
    ]


def test_config_map_is_read_by_its_keys_too() -> None:
    """Text and binary ones."""
    pods = {"containers": variable("configMapKeyRef", "settings", "LEVEL")}
    there = {"metadata": {"name": "settings"}, "binaryData": {"LEVEL": ""}}
    assert summaries_of(CHECK, make_snapshot(workload(**pods), lists={CONFIG_MAPS: [there]})) == []
    other = {"metadata": {"name": "settings"}, "data": {"OTHER": ""}}
    assert error_causes(CHECK, make_snapshot(workload(**pods), lists={CONFIG_MAPS: [other]})) == [
        "There is no key LEVEL in ConfigMap settings; Deployment/web reads it."
    ]


def component(**rest: Any) -> dict[str, Any]:
    """A component that reads a Secret."""
    item = {"name": "saslPassword", "secretKeyRef": {"name": "app", "key": "PASSWORD"}}
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "pubsub"},
        "spec": {"type": "pubsub.kafka", "metadata": [item]},
        **rest,
    }


@pytest.mark.parametrize("store", [{}, {"auth": {"secretStore": "kubernetes"}}])
def test_component_finds_its_keys_in_the_kubernetes_store(store: dict[str, Any]) -> None:
    """Which is Dapr's default in a cluster."""
    assert error_causes(CHECK, make_snapshot(component(**store), secrets=[APP])) == [
        "There is no key PASSWORD in Secret app; Component/pubsub reads it."
    ]


def test_component_with_another_secret_store_is_left_to_it() -> None:
    """A vault is not looked into."""
    assert summaries_of(CHECK, make_snapshot(component(auth={"secretStore": "vault"}))) == []


def test_component_may_read_what_the_chart_or_a_certificate_brings() -> None:
    """A certificate's keys are known before it is issued."""
    made = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "c"},
        "spec": {"secretName": "app"},
    }
    reading = component()
    reading["spec"]["metadata"][0]["secretKeyRef"]["key"] = "ca.crt"
    assert summaries_of(CHECK, make_snapshot(made, reading)) == []


def test_account_claim_and_configuration_must_exist() -> None:
    """Each is named."""
    pods = {
        "serviceAccountName": "robot",
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
        "annotations": {"dapr.io/enabled": "true", "dapr.io/config": "tracing"},
    }
    assert error_causes(CHECK, make_snapshot(workload(**pods))) == [
        "It uses ServiceAccount robot, which does not exist.",
        "It uses PersistentVolumeClaim data, which does not exist.",
        "Its sidecar reads Configuration tracing, which does not exist: daprd exits at its start.",
    ]
    made = {"apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "tracing"}}
    there = {
        SERVICE_ACCOUNTS: [{"metadata": {"name": "robot"}}],
        VOLUME_CLAIMS: [{"metadata": {"name": "data"}}],
    }
    assert summaries_of(CHECK, make_snapshot(workload(**pods), made, lists=there)) == []


def test_hook_cannot_use_an_account_that_the_chart_makes_later() -> None:
    """Helm runs it before anything else."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    hook = workload("migrate", kind="Job", hook="pre-upgrade", serviceAccountName="robot")
    assert error_causes(CHECK, make_snapshot(account, hook)) == [
        "It uses ServiceAccount robot, which does not exist yet when this hook runs."
    ]
    assert summaries_of(CHECK, make_snapshot(account, workload(serviceAccountName="robot"))) == []


def test_priority_class_must_exist() -> None:
    """Admission refuses the pods otherwise; Kubernetes has two of its own."""
    assert error_causes(CHECK, make_snapshot(workload(priorityClassName="high"))) == [
        "There is no PriorityClass high, so every one of its pods is refused."
    ]
    there = {PRIORITY_CLASSES: [{"metadata": {"name": "high"}}]}
    assert summaries_of(CHECK, make_snapshot(workload(priorityClassName="high"), lists=there)) == []
    assert summaries_of(CHECK, make_snapshot(workload(priorityClassName="system-node-critical"))) == []


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ([], "There is no pull secret pull: nodes pull registry.test without credentials."),
        (
            [SecretSummary(name="pull", registries=frozenset({"https://ghcr.io"}))],
            "The pull secret pull is for https://ghcr.io, the images come from registry.test.",
        ),
    ],
)
def test_pull_secret_that_helps_nobody_is_a_warning(secrets: list[SecretSummary], said: str) -> None:
    """The image may be public; whether it is, the images check asks."""
    pods = [workload(name, imagePullSecrets=[{"name": "pull"}]) for name in ("web", "api")]
    assert summaries_of(CHECK, make_snapshot(*pods, secrets=secrets)) == [("warning", "Deployment/web", said)]


def test_pull_secret_for_the_registry_is_fine() -> None:
    """However its entry is written."""
    facts = SecretSummary(name="pull", registries=frozenset({"https://registry.test/v2/"}))
    assert (
        summaries_of(CHECK, make_snapshot(workload(imagePullSecrets=[{"name": "pull"}]), secrets=[facts]))
        == []
    )


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("redis:7-alpine", "docker.io"),
        ("todo/web", "docker.io"),
        ("ghcr.io/a/b@sha256:1", "ghcr.io"),
        ("localhost:5000/a", "localhost:5000"),
        ("localhost/a", "localhost"),
    ],
)
def test_registry_host_of_an_image_follows_dockers_rule(image: str, host: str) -> None:
    """The first part is a host only when it looks like one."""
    assert host_of(image) == host


def claim(name: str | None) -> dict[str, Any]:
    """A claim of a storage class."""
    spec = {} if name is None else {"storageClassName": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def test_claim_needs_a_storage_class_that_exists() -> None:
    """By name, or the default one; the empty name is for volumes made by hand."""
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    fast = {"metadata": {"name": "fast", "annotations": annotations}}
    assert error_causes(CHECK, make_snapshot(claim("slow"), lists={STORAGE_CLASSES: [fast]})) == [
        "There is no StorageClass slow, so its volume is never created."
    ]
    assert error_causes(CHECK, make_snapshot(claim(None))) == [
        "No StorageClass is the default, so its volume is never created."
    ]
    for name in ("fast", None, ""):
        assert summaries_of(CHECK, make_snapshot(claim(name), lists={STORAGE_CLASSES: [fast]})) == []
    claims = [{"spec": {"storageClassName": "slow"}}]
    state = workload(kind="StatefulSet", spec={"volumeClaimTemplates": claims})
    assert len(error_causes(CHECK, make_snapshot(state))) == 1


def ingress(**annotations: str) -> dict[str, Any]:
    """An ingress of class nginx with a certificate."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "web",
            "annotations": {
                f"cert-manager.io/{key.replace('_', '-')}": value for key, value in annotations.items()
            },
        },
        "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["shop.test"], "secretName": "tls"}]},
    }


NGINX = {INGRESS_CLASSES: [{"metadata": {"name": "nginx"}}]}


def test_ingress_class_must_exist() -> None:
    """No controller would serve it."""
    assert error_causes(CHECK, make_snapshot(ingress())) == [
        "There is no IngressClass nginx: no controller serves this Ingress."
    ]
    assert summaries_of(CHECK, make_snapshot(ingress(), lists=NGINX)) == []
    own = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"}}
    assert summaries_of(CHECK, make_snapshot(ingress(), own)) == []


def test_issuer_must_exist_unless_there_is_a_certificate() -> None:
    """Then its absence is only a warning: the certificate lasts for a while."""
    asking = ingress(cluster_issuer="letsencrypt")
    assert error_causes(CHECK, make_snapshot(asking, lists=NGINX)) == [
        "There is no ClusterIssuer letsencrypt: no certificate will be issued."
    ]
    good = Certificate(names=("shop.test",), expires_at=NOW + timedelta(days=60))
    there = SecretSummary(name="tls", certificate=good)
    assert summaries_of(CHECK, make_snapshot(asking, lists=NGINX, secrets=[there])) == [
        (
            "warning",
            "Ingress/web",
            "There is no ClusterIssuer letsencrypt: the current certificate cannot be renewed.",
        )
    ]
    issuer = {CLUSTER_ISSUERS: [{"metadata": {"name": "letsencrypt"}}]}
    assert summaries_of(CHECK, make_snapshot(asking, lists=NGINX | issuer)) == []
    assert error_causes(CHECK, make_snapshot(ingress(issuer="mine"), lists=NGINX)) == [
        "There is no Issuer mine: no certificate will be issued."
    ]


def test_namespace_must_exist() -> None:
    """The release does not make it, because quotas and security labels belong to it."""
    assert error_causes(CHECK, make_snapshot(live={"namespace": None})) == [
        "The namespace does not exist, and the release does not create it."
    ]


def test_lists_that_may_not_be_read_silence_only_what_needs_them() -> None:
    """A note says which; everything else is still judged."""
    snapshot = make_snapshot(ingress(), workload(priorityClassName="high"))
    lists = {key: value for key, value in snapshot.live.lists.items() if key != INGRESS_CLASSES}
    snapshot = make_snapshot(
        ingress(),
        workload(priorityClassName="high"),
        live={"lists": lists, "unread": {str(INGRESS_CLASSES): "ingressclasses may not be read (403)"}},
    )
    assert [(severity, cause) for severity, _, cause in summaries_of(CHECK, snapshot)] == [
        ("error", "There is no PriorityClass high, so every one of its pods is refused."),
        ("note", "Not everything could be checked: ingressclasses may not be read (403)."),
    ]
