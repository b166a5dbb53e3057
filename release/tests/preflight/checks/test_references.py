"""Whether everything exists that pods, components and Ingresses name."""

from datetime import timedelta
from typing import Any

import pytest

from todo_release.adapters.kubernetes.api_resources import (
    CLUSTER_ISSUERS,
    CONFIG_MAPS,
    GATEWAY_CLASSES,
    INGRESS_CLASSES,
    PRIORITY_CLASSES,
    SERVICE_ACCOUNTS,
    VOLUME_CLAIMS,
)
from todo_release.adapters.registry.image_name import host_of
from todo_release.preflight.checks.references import CHECK
from todo_release.preflight.snapshot import Certificate, SecretSummary

from ..snapshots import NOW, error_causes, findings_of, make_snapshot, summaries_of, workload

APP = SecretSummary(name="app", keys={"URL": "1"})


def container(**rest: Any) -> list[dict[str, Any]]:
    """Returns one container with these fields."""
    return [{"name": "web", "image": "registry.test/shop/web", **rest}]


def variable(kind: str, name: str, key: str, **rest: Any) -> list[dict[str, Any]]:
    """Returns a container with a variable from a key."""
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
def test_missing_secret_is_an_error_wherever_it_is_read(use: str) -> None:
    """Variables, volumes, init containers and Dapr annotations read Secrets."""
    (cause,) = error_causes(CHECK, make_snapshot(workload(**USES[use])))
    assert cause.startswith("There is no Secret app; Deployment/web reads it")


@pytest.mark.parametrize("use", ["env", "envFrom", "volume", "projected", "init"])
def test_existing_secret_with_its_keys_is_no_finding(use: str) -> None:
    """Nothing is reported when the Secret has the keys."""
    assert summaries_of(CHECK, make_snapshot(workload(**USES[use]), secrets=[APP])) == []


def test_missing_key_is_one_error_with_all_readers() -> None:
    """One finding names the key, its field and the workloads that read it."""
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


def test_optional_reference_is_no_finding() -> None:
    """An optional key may be missing."""
    pods = {"containers": variable("secretKeyRef", "app", "TOKEN", optional=True)}
    assert summaries_of(CHECK, make_snapshot(workload(**pods))) == []


def test_objects_of_the_chart_exist_except_for_early_hooks() -> None:
    """A hook that runs before the chart finds only what existed before, or what an early hook creates."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}, "stringData": {"URL": "x"}}
    pods = {"containers": variable("secretKeyRef", "app", "URL")}
    assert summaries_of(CHECK, make_snapshot(secret, workload(**pods))) == []
    hook = workload("migrate", kind="Job", hook="pre-install", **pods)
    (cause,) = error_causes(CHECK, make_snapshot(secret, hook))
    assert cause == "There is no Secret app; Job/migrate reads it before the chart is applied."
    assert summaries_of(CHECK, make_snapshot(secret, hook, secrets=[APP])) == []
    early = {**secret, "metadata": {"name": "app", "annotations": {"helm.sh/hook": "pre-install"}}}
    assert summaries_of(CHECK, make_snapshot(early, hook)) == []


def test_secrets_that_operators_create_count_as_existing() -> None:
    """The keys are known only for certificates."""
    external = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"}}
    pods = {"containers": variable("secretKeyRef", "app", "URL")}
    assert summaries_of(CHECK, make_snapshot(external, workload(**pods))) == []
    renamed = {**external, "metadata": {"name": "other"}, "spec": {"target": {"name": "app"}}}
    assert summaries_of(CHECK, make_snapshot(renamed, workload(**pods))) == []
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "tls"},
        "spec": {"secretName": "app"},
    }
    assert error_causes(CHECK, make_snapshot(certificate, workload(**pods))) == [
        "There is no key URL in Secret app; Deployment/web reads it."
    ]


def test_missing_key_of_a_config_map_is_an_error() -> None:
    """Keys of text and of binary data count."""
    pods = {"containers": variable("configMapKeyRef", "settings", "LEVEL")}
    existing = {"metadata": {"name": "settings"}, "binaryData": {"LEVEL": ""}}
    assert summaries_of(CHECK, make_snapshot(workload(**pods), lists={CONFIG_MAPS: [existing]})) == []
    other = {"metadata": {"name": "settings"}, "data": {"OTHER": ""}}
    assert error_causes(CHECK, make_snapshot(workload(**pods), lists={CONFIG_MAPS: [other]})) == [
        "There is no key LEVEL in ConfigMap settings; Deployment/web reads it."
    ]


def component(**rest: Any) -> dict[str, Any]:
    """Returns a component that reads a Secret."""
    item = {"name": "saslPassword", "secretKeyRef": {"name": "app", "key": "PASSWORD"}}
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "pubsub"},
        "spec": {"type": "pubsub.kafka", "metadata": [item]},
        **rest,
    }


@pytest.mark.parametrize("store", [{}, {"auth": {"secretStore": "kubernetes"}}])
def test_component_reads_secrets_of_the_kubernetes_store(store: dict[str, Any]) -> None:
    """Kubernetes is Dapr's default secret store in a cluster."""
    assert error_causes(CHECK, make_snapshot(component(**store), secrets=[APP])) == [
        "There is no key PASSWORD in Secret app; Component/pubsub reads it."
    ]


def test_component_with_another_secret_store_is_not_checked() -> None:
    """Other secret stores cannot be read."""
    assert summaries_of(CHECK, make_snapshot(component(auth={"secretStore": "vault"}))) == []


def test_component_may_read_keys_of_a_certificate() -> None:
    """The keys of a certificate are known before it is issued."""
    rendered = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "c"},
        "spec": {"secretName": "app"},
    }
    reading = component()
    reading["spec"]["metadata"][0]["secretKeyRef"]["key"] = "ca.crt"
    assert summaries_of(CHECK, make_snapshot(rendered, reading)) == []


def test_missing_account_claim_and_configuration_are_errors() -> None:
    """Each missing object is an error of its own."""
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
    rendered = {"apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "tracing"}}
    existing = {
        SERVICE_ACCOUNTS: [{"metadata": {"name": "robot"}}],
        VOLUME_CLAIMS: [{"metadata": {"name": "data"}}],
    }
    assert summaries_of(CHECK, make_snapshot(workload(**pods), rendered, lists=existing)) == []


def test_early_hook_with_an_account_of_the_chart_is_an_error() -> None:
    """The account does not exist yet when the hook runs."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    hook = workload("migrate", kind="Job", hook="pre-upgrade", serviceAccountName="robot")
    assert error_causes(CHECK, make_snapshot(account, hook)) == [
        "It uses ServiceAccount robot, which does not exist yet when this hook runs."
    ]
    assert summaries_of(CHECK, make_snapshot(account, workload(serviceAccountName="robot"))) == []


def test_missing_priority_class_is_an_error() -> None:
    """Kubernetes itself has two priority classes."""
    assert error_causes(CHECK, make_snapshot(workload(priorityClassName="high"))) == [
        "There is no PriorityClass high, so every one of its pods is refused."
    ]
    existing = {PRIORITY_CLASSES: [{"metadata": {"name": "high"}}]}
    assert summaries_of(CHECK, make_snapshot(workload(priorityClassName="high"), lists=existing)) == []
    assert summaries_of(CHECK, make_snapshot(workload(priorityClassName="system-node-critical"))) == []


@pytest.mark.parametrize(
    ("secrets", "cause"),
    [
        ([], "There is no pull secret pull: nodes pull registry.test without credentials."),
        (
            [SecretSummary(name="pull", registries=frozenset({"https://ghcr.io"}))],
            "The pull secret pull is for https://ghcr.io, the images come from registry.test.",
        ),
    ],
)
def test_missing_or_unsuitable_pull_secret_is_a_warning(secrets: list[SecretSummary], cause: str) -> None:
    """The image may be public, which the images check finds out."""
    pods = [workload(name, imagePullSecrets=[{"name": "pull"}]) for name in ("web", "api")]
    assert summaries_of(CHECK, make_snapshot(*pods, secrets=secrets)) == [
        ("warning", "Deployment/web", cause)
    ]


def test_missing_pull_secret_of_a_private_registry_is_an_error() -> None:
    """No node can pull the released image, unless another secret of the pod is for its registry."""
    pull = {"imagePullSecrets": [{"name": "pull"}, {"name": "other"}]}
    refusal = "The registry registry.test does not accept anonymous users."
    (cause,) = error_causes(
        CHECK,
        make_snapshot(workload(**pull), secrets=[SecretSummary(name="other")], anonymous_refusal=refusal),
    )
    assert cause == (
        "There is no pull secret pull, and without credentials nodes cannot pull the released images: "
        f"{refusal}"
    )
    covered = SecretSummary(name="other", registries=frozenset({"registry.test"}))
    snapshot = make_snapshot(workload(**pull), secrets=[covered], anonymous_refusal=refusal)
    assert error_causes(CHECK, snapshot) == []
    foreign = workload(containers=[{"name": "redis", "image": "redis:8"}], **pull)
    assert error_causes(CHECK, make_snapshot(foreign, anonymous_refusal=refusal)) == []


def test_pull_secret_for_the_registry_is_no_finding() -> None:
    """The registry entry may be a host or a URL."""
    facts = SecretSummary(name="pull", registries=frozenset({"https://registry.test/v2/"}))
    assert (
        summaries_of(CHECK, make_snapshot(workload(imagePullSecrets=[{"name": "pull"}]), secrets=[facts]))
        == []
    )


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("redis:7-alpine", "docker.io"),
        ("shop/web", "docker.io"),
        ("ghcr.io/a/b@sha256:1", "ghcr.io"),
        ("localhost:5000/a", "localhost:5000"),
        ("localhost/a", "localhost"),
    ],
)
def test_registry_host_of_an_image_follows_dockers_rule(image: str, host: str) -> None:
    """The first part is a host only if it has a dot or a port, or is localhost."""
    assert host_of(image) == host


def ingress(**annotations: str) -> dict[str, Any]:
    """Returns an Ingress of the class nginx with a certificate."""
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


def test_missing_ingress_class_is_an_error() -> None:
    """The class may be live or in the chart."""
    assert error_causes(CHECK, make_snapshot(ingress())) == [
        "There is no IngressClass nginx: no controller serves this Ingress."
    ]
    assert summaries_of(CHECK, make_snapshot(ingress(), lists=NGINX)) == []
    own = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"}}
    assert summaries_of(CHECK, make_snapshot(ingress(), own)) == []


def test_missing_gateway_class_and_issuer_of_a_gateway_are_errors() -> None:
    """A Gateway needs a controller and an issuer, as an Ingress does."""
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "web", "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"}},
        "spec": {
            "gatewayClassName": "envoy",
            "listeners": [{"name": "https", "tls": {"certificateRefs": [{"name": "tls"}]}}],
        },
    }
    assert error_causes(CHECK, make_snapshot(gateway)) == [
        "There is no GatewayClass envoy: no controller serves this Gateway.",
        "There is no ClusterIssuer letsencrypt: no certificate will be issued.",
    ]
    live = {
        GATEWAY_CLASSES: [{"metadata": {"name": "envoy"}}],
        CLUSTER_ISSUERS: [{"metadata": {"name": "letsencrypt"}}],
    }
    assert summaries_of(CHECK, make_snapshot(gateway, lists=live)) == []


def test_missing_issuer_is_an_error_unless_the_certificate_exists() -> None:
    """With a certificate that is still valid a missing issuer is a warning."""
    with_issuer = ingress(cluster_issuer="letsencrypt")
    assert error_causes(CHECK, make_snapshot(with_issuer, lists=NGINX)) == [
        "There is no ClusterIssuer letsencrypt: no certificate will be issued."
    ]
    good = Certificate(names=("shop.test",), expires_at=NOW + timedelta(days=60))
    existing = SecretSummary(name="tls", certificate=good)
    assert summaries_of(CHECK, make_snapshot(with_issuer, lists=NGINX, secrets=[existing])) == [
        (
            "warning",
            "Ingress/web",
            "There is no ClusterIssuer letsencrypt: the current certificate cannot be renewed.",
        )
    ]
    issuer = {CLUSTER_ISSUERS: [{"metadata": {"name": "letsencrypt"}}]}
    assert summaries_of(CHECK, make_snapshot(with_issuer, lists=NGINX | issuer)) == []
    assert error_causes(CHECK, make_snapshot(ingress(issuer="mine"), lists=NGINX)) == [
        "There is no Issuer mine: no certificate will be issued."
    ]


def test_missing_namespace_is_an_error() -> None:
    """The release does not create the namespace with its quota and labels."""
    assert error_causes(CHECK, make_snapshot(live={"namespace": None})) == [
        "The namespace does not exist, and the release does not create it."
    ]


def test_unread_list_is_a_note_and_other_rules_still_run() -> None:
    """A note names the list that could not be read."""
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
