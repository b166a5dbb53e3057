"""The preparation of the cluster: repeatable steps, pinned charts, and quota and rights for the objects."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "k8s" / "cluster-bootstrap"
VALUES = sorted((BOOTSTRAP / "values").iterdir())
MANIFESTS = ("namespaces.yaml", "priority-classes.yaml", "rbac.yaml", "rehearsal.yaml")
# Components by their names in rehearsal.yaml: values file, path of the resources, path of the replicas. A
# number is the third-party chart's default; None is a DaemonSet.
COMPONENTS = {
    "ingress-nginx-controller": ("ingress-nginx", "controller.resources", "controller.replicaCount"),
    "cert-manager": ("cert-manager", "resources", 1),
    "cert-manager-webhook": ("cert-manager", "webhook.resources", 1),
    "cert-manager-cainjector": ("cert-manager", "cainjector.resources", 1),
    "metrics-server": ("metrics-server", "resources", 1),
    "dapr-operator": ("dapr", "dapr_operator.resources", 3),
    "dapr-sentry": ("dapr", "dapr_sentry.resources", 3),
    "dapr-sidecar-injector": ("dapr", "dapr_sidecar_injector.resources", 3),
    "prometheus-operator": ("kube-prometheus-stack", "prometheusOperator.resources", 1),
    "prometheus": ("kube-prometheus-stack", "prometheus.prometheusSpec.resources", 1),
    "alertmanager": ("kube-prometheus-stack", "alertmanager.alertmanagerSpec.resources", 1),
    "grafana": ("kube-prometheus-stack", "grafana.resources", 1),
    "kube-state-metrics": ("kube-prometheus-stack", "kube-state-metrics.resources", 1),
    "node-exporter": ("kube-prometheus-stack", "prometheus-node-exporter.resources", None),
    "loki": ("loki", "singleBinary.resources", "singleBinary.replicas"),
    "alloy": ("alloy", "alloy.resources", None),
}
PRIORITIES = {
    "ingress-nginx": "controller.priorityClassName",
    "cert-manager": "global.priorityClassName",
    "dapr": "global.priorityClassName",
}
# `grafana.sidecar.resources`, for each of two, and `prometheusOperator.prometheusConfigReloader.resources`.
RELOADER = [{"cpu": "5m", "memory": "24Mi"}]
SIDECARS = {
    "grafana": [{"cpu": "10m", "memory": "64Mi"}] * 2,
    "prometheus": RELOADER,
    "alertmanager": RELOADER,
}
AUTOSCALER_CUTOFF = -10  # --expendable-pods-priority-cutoff of the cluster autoscaler
NODES = 3
MANAGE = {"get", "list", "watch", "create", "update", "patch", "delete"}


def documents(name):
    """Returns the objects of a manifest."""
    return list(yaml.safe_load_all((BOOTSTRAP / name).read_text(encoding="utf-8")))


def cluster():
    """Returns cluster.yaml."""
    return yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))


def test_every_chart_is_pinned_and_has_values():
    """Each component has an exact version of a chart, and each values file belongs to one component."""
    components = cluster()["components"].values()
    versions = [item["chart"]["version"] for item in components]
    assert len(versions) == 7
    assert [version for version in versions if not re.fullmatch(r"v?\d+\.\d+\.\d+", version)] == []
    files = [file for item in components for file in item["values"]]
    assert sorted(files) == sorted(f"k8s/cluster-bootstrap/values/{path.name}" for path in VALUES)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_manifests_fit_the_kubernetes_schema(manifest):
    """The strict schema refuses a typing error in a quota or a role."""
    found = [
        item for item in documents(manifest) if item["kind"] != "ClusterIssuer"
    ]  # cert-manager's own kind
    assert found
    for item in found:
        kubernetes_validate.validate(item, "1.31", strict=True)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_namespace_admits_only_restricted_pods(environment):
    """The namespace enforces the standard and does not only warn."""
    [labels] = [
        item["metadata"]["labels"]
        for item in documents("namespaces.yaml")
        if item["kind"] == "Namespace" and item["metadata"]["name"] == environment
    ]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_priority_class_of_the_values_exists(render, environment):
    """The classes that pods name exist, because the API server refuses unknown ones."""
    known = {item["metadata"]["name"]: item["value"] for item in documents("priority-classes.yaml")}
    used = {template["spec"]["priorityClassName"] for _, template in render(environment).pod_templates()}
    assert used == {f"todo-{environment}"}
    assert used <= set(known)
    assert known["todo-staging"] < 0 < known["todo-production"] < known["todo-platform"]


def test_cluster_grows_for_staging():
    """No priority is below -10, where the cluster autoscaler adds no node for a pod that waits."""
    assert min(item["value"] for item in documents("priority-classes.yaml")) >= AUTOSCALER_CUTOFF


def test_replicas_of_dapr_are_spread_over_nodes():
    """Dapr's replicas are spread by a label that every node has; no node of DigitalOcean has a zone."""
    assert value("dapr", "global.ha.topologyKey") == "kubernetes.io/hostname"
    nodes = yaml.safe_load((ROOT / "release.yaml").read_text(encoding="utf-8"))["rehearsal"]["nodes"]
    assert not [label for group in nodes for label in group["labels"] if label.endswith("zone")]


def test_definitions_of_dapr_lead_to_its_namespace():
    """Dapr's definitions have a placeholder for the namespace of their conversion webhook."""
    dapr = cluster()["components"]["dapr"]
    assert dapr["replace"] == {"replaceme": dapr["namespace"]}
    assert dapr["definitions"] is True


def test_control_plane_is_chosen_and_the_version_is_pinned():
    """A missing `ha` means true from version 1.36, which is billed and cannot be taken back."""
    settings = cluster()["digitalocean"]
    assert settings["ha"] is False
    assert re.fullmatch(r"1\.\d\d(\.\d+-do\.\d+)?", settings["version"])


def test_grafana_keeps_its_data_and_every_container_has_requests():
    """Users and annotations survive Grafana's pod, and its two sidecars are part of the sums."""
    assert value("kube-prometheus-stack", "grafana.persistence.enabled") is True
    assert value("kube-prometheus-stack", "grafana.deploymentStrategy.type") == "Recreate"
    assert value("kube-prometheus-stack", "grafana.sidecar.resources.requests") == SIDECARS["grafana"][0]
    reloader = "prometheusOperator.prometheusConfigReloader.resources.requests"
    assert [value("kube-prometheus-stack", reloader)] == RELOADER
    assert value("loki", "sidecar.rules.enabled") is False


def test_overcommit_is_no_alert_where_it_is_planned():
    """Both rules fire above what all but one node have, which the plan requests: they would never end."""
    disabled = value("kube-prometheus-stack", "defaultRules.disabled")
    text = next((ROOT / "docs" / "decisions").glob("0006-*.md")).read_text(encoding="utf-8")
    [planned] = re.findall(r"^\| \*\*steady\*\* \| \*\*\d+m, (\d+) %", text, re.MULTILINE)
    assert int(planned) > 100 * (NODES - 1) / NODES
    assert (disabled["KubeCPUOvercommit"], disabled["KubeMemoryOvercommit"]) == (True, True)


def test_issuer_of_the_values_exists(render):
    """The issuer that the Ingress names exists; otherwise no certificate is issued."""
    known = {issuer["name"] for issuer in map(cluster()["issuers"].get, ("staging", "production"))}
    annotations = render("production").one("Ingress", "-ingress")["metadata"]["annotations"]
    assert annotations["cert-manager.io/cluster-issuer"] in known
    rehearsed = [item for item in documents("rehearsal.yaml") if item["kind"] == "ClusterIssuer"]
    assert {item["metadata"]["name"] for item in rehearsed} == known


def test_deployer_may_manage_every_kind_of_the_chart(render):
    """The deployer may manage every variant's kinds, Helm's and the engine's records, and nothing else."""
    [role] = [item for item in documents("rbac.yaml") if item["metadata"]["name"] == "todo-deployer"]
    managed = {
        (group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if set(rule["verbs"]) == MANAGE
    }
    gateway = {"ingress": {"kind": "gateway", "gateway": {"className": "x"}}}
    rendered = {
        (item["apiVersion"].rpartition("/")[0], plural(item["kind"]))
        for environment, values in (
            ("local", {}),
            ("staging", {}),
            ("production", {}),
            ("production", gateway),
        )
        for item in render(environment, values).objects
    }
    assert managed == rendered | {("", "secrets"), ("", "configmaps"), ("coordination.k8s.io", "leases")}


def plural(kind):
    """Returns the resource name of a kind."""
    lower = kind.lower()
    if lower.endswith("y") and not lower.endswith("ay"):
        return lower[:-1] + "ies"
    return lower + ("es" if lower.endswith("s") else "s")


# Bindings of rights to read what belongs to no environment, or to the one before.
SHARED_READERS = ("todo-release-record", "todo-metrics-reader")


def test_deployer_of_one_environment_has_no_rights_in_the_other():
    """Each account has rights in its own namespace, and only reading rights in the cluster."""
    for item in documents("rbac.yaml"):
        if item["kind"] == "RoleBinding" and item["metadata"]["name"] not in SHARED_READERS:
            namespace = item["metadata"]["namespace"]
            assert [subject["namespace"] for subject in item["subjects"]] == [namespace]
    [reader] = [
        item
        for item in documents("rbac.yaml")
        if item["kind"] == "ClusterRole" and item["metadata"]["name"] == "todo-deployer-reader"
    ]
    assert {verb for rule in reader["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "secrets" not in {resource for rule in reader["rules"] for resource in rule["resources"]}


def test_production_may_read_the_records_of_staging():
    """Production's deployer may read one ConfigMap in staging: the release's records."""
    found = {item["kind"]: item for item in documents("rbac.yaml") if "record" in item["metadata"]["name"]}
    config = yaml.safe_load((ROOT / "release.yaml").read_text(encoding="utf-8"))
    staging = config["environments"]["staging"]
    assert config["environments"]["production"]["requires"] == "staging"
    assert found["Role"]["metadata"]["namespace"] == staging["namespace"]
    assert found["Role"]["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [f"{staging['release']}-releases"],
            "verbs": ["get"],
        }
    ]
    assert found["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "production"}
    ]


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_quota_allows_the_maximum_replicas_of_every_service(render, environment):
    """All services at their maximum replicas, with one surge pod each, fit in the namespace's quota."""
    [quota] = [
        item["spec"]["hard"]
        for item in documents("namespaces.yaml")
        if item["kind"] == "ResourceQuota" and item["metadata"]["namespace"] == environment
    ]
    rendered = render(environment)
    maximum = {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"]["maxReplicas"]
        for item in rendered.objects
        if item["kind"] == "HorizontalPodAutoscaler"
    }
    cpu = memory = 0
    for item in rendered.services():
        pods = maximum.get(item["metadata"]["name"]) or item["spec"]["replicas"]
        for request in requests_of(item["spec"]["template"]):
            cpu += (pods + 1) * millicores(request["cpu"])
            memory += (pods + 1) * mebibytes(request["memory"])
    assert cpu <= millicores(quota["requests.cpu"])
    assert memory <= mebibytes(quota["requests.memory"])


def test_rehearsed_platform_has_the_sizes_and_numbers_of_the_values():
    """Requests, replicas and priority of each component are those of the third-party values."""
    assert {name: sizes_of(item) for name, item in rehearsed().items()} == {
        name: {
            "kind": "DaemonSet" if replicas is None else "Deployment",
            "replicas": value(chart, replicas) if isinstance(replicas, str) else replicas,
            "requests": value(chart, f"{resources}.requests"),
            "priority": value(chart, PRIORITIES[chart]) if chart in PRIORITIES else None,
        }
        for name, (chart, resources, replicas) in COMPONENTS.items()
    }


def test_replica_counts_of_the_test_are_not_in_the_values():
    """A replica count is only written in the test while the values do not set it; Dapr sets `ha`."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (BOOTSTRAP / "values").iterdir()}
    assert set(texts) == {chart for chart, _, _ in COMPONENTS.values()}
    counted = {chart for chart, _, replicas in COMPONENTS.values() if isinstance(replicas, str)}
    assert {chart for chart, text in texts.items() if re.search(r"\breplica(s|Count):", text)} == counted
    assert value("dapr", "global.ha.enabled") is True
    assert value("alloy", "controller.type") == "daemonset"


def test_rehearsed_platform_is_labelled_with_its_component():
    """Each workload is in the namespace of its chart, and counts for the component that brings it."""
    components = {item["chart"]["name"]: name for name, item in cluster()["components"].items()}
    found = {
        name: (item["metadata"]["namespace"], item["metadata"]["labels"]["todo-cluster/component"])
        for name, item in rehearsed().items()
    }
    assert found == {
        name: (cluster()["components"][components[chart]]["namespace"], components[chart])
        for name, (chart, _, _) in COMPONENTS.items()
    }


def test_rehearsed_platform_requests_what_the_decision_says():
    """The platform's row in ADR 6 is the sum of all requests on its three nodes."""
    text = next((ROOT / "docs" / "decisions").glob("0006-*.md")).read_text(encoding="utf-8")
    row = re.search(r"^\| platform .*\| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    cpu = memory = 0
    for workload in rehearsed().values():
        replicas = workload["spec"].get("replicas", NODES)
        for requests in requests_of(workload["spec"]["template"]):
            cpu += replicas * millicores(requests["cpu"])
            memory += replicas * mebibytes(requests["memory"])
    assert cpu == millicores(row.group(1))
    assert memory == mebibytes(row.group(2))


def test_rehearsed_platform_is_never_applied_to_a_real_cluster():
    """Bootstrap does not apply rehearsal.yaml, whose images do not exist."""
    assert cluster()["workloads"] == "k8s/cluster-bootstrap/rehearsal.yaml"
    assert cluster()["workloads"] not in cluster()["manifests"]


def rehearsed():
    """Returns the workloads of rehearsal.yaml by name."""
    return {
        item["metadata"]["name"]: item
        for item in documents("rehearsal.yaml")
        if item["kind"] in {"Deployment", "DaemonSet"}
    }


def sizes_of(workload):
    """Returns kind, replicas, requests and priority of a workload."""
    pod = workload["spec"]["template"]["spec"]
    container, *sidecars = pod["containers"]
    assert [item["resources"]["requests"] for item in sidecars] == SIDECARS.get(
        workload["metadata"]["name"], []
    )
    return {
        "kind": workload["kind"],
        "replicas": workload["spec"].get("replicas"),
        "requests": container["resources"]["requests"],
        "priority": pod.get("priorityClassName"),
    }


def value(chart, path):
    """Returns a value of a third-party chart's values file, by its dotted path."""
    found = yaml.safe_load((BOOTSTRAP / "values" / f"{chart}.yaml").read_text(encoding="utf-8"))
    for key in path.split("."):
        found = found[key]
    return found


def requests_of(template):
    """Returns the requests of each container of a pod, including the injected sidecar."""
    found = [container["resources"]["requests"] for container in template["spec"]["containers"]]
    annotations = template["metadata"].get("annotations", {})
    if "dapr.io/enabled" in annotations:
        found.append({size: annotations[f"dapr.io/sidecar-{size}-request"] for size in ("cpu", "memory")})
    return found


def millicores(quantity):
    """Returns a CPU quantity in thousandths."""
    return int(quantity.removesuffix("m")) * (1 if quantity.endswith("m") else 1000)


def mebibytes(quantity):
    """Returns a memory quantity in MiB."""
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
