"""How the cluster is prepared: repeatable steps, pinned charts, room and rights for the chart's objects."""

import os
import re
import stat
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "k8s" / "cluster-bootstrap"
MANIFESTS = ("namespaces.yaml", "priority-classes.yaml", "rbac.yaml", "rehearsal.yaml")
# Components as rehearsal.yaml calls them: values file, and where in it resources and replicas stand. A number
# is what the chart does when nothing is said, None a pod on every node.
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
NODES = 3
MANAGE = {"get", "list", "watch", "create", "update", "patch", "delete"}

# Records its arguments and answers as an empty cluster would.
STAND_IN = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$CALLS"
case "$*" in *"--filename -"*) cat >> "$APPLIED" ;; "show crds"*) echo "# definitions of $3" ;; esac
"""


def documents(name):
    """The objects of a manifest."""
    return list(yaml.safe_load_all((BOOTSTRAP / name).read_text(encoding="utf-8")))


def versions():
    """versions.env as a mapping."""
    lines = (BOOTSTRAP / "versions.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def run(tmp_path):
    """Run ./bootstrap with stand-ins of helm and kubectl: (process, lines called, text applied)."""
    for tool in ("helm", "kubectl"):
        stand_in = tmp_path / "bin" / tool
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(STAND_IN, encoding="utf-8")
        stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    calls, applied = tmp_path / "calls", tmp_path / "applied"

    def call(*arguments):
        calls.write_text("", encoding="utf-8")
        applied.write_text("", encoding="utf-8")
        finished = subprocess.run(
            [BOOTSTRAP / "bootstrap", *arguments],
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "CALLS": str(calls),
                "APPLIED": str(applied),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return finished, calls.read_text(encoding="utf-8").splitlines(), applied.read_text(encoding="utf-8")

    return call


def test_every_step_can_be_repeated(run):
    """Nothing is `install`ed or `create`d: each step states what should be, so a second run does the same."""
    first, calls, _ = run("operator@example.com")
    assert first.returncode == 0, first.stderr
    verbs = {" ".join(call.split()[:3]) for call in calls}
    assert verbs == {
        "helm show crds",
        "helm upgrade --install",
        "kubectl apply --server-side",
        "kubectl get service",
    }
    # Sorted, because the two ends of a pipe may be recorded in either order.
    assert sorted(run("operator@example.com")[1]) == sorted(calls)


def test_every_chart_is_pinned_and_has_values(run):
    """Each release names its version from versions.env, and its values file exists and is used once."""
    _, calls, _ = run("operator@example.com")
    releases = [call for call in calls if "upgrade --install" in call]
    used = {re.search(r"--version (\S+)", call).group(1) for call in releases}
    assert used == {version for name, version in versions().items() if name.endswith("_VERSION")}
    files = [re.search(r"--values (\S+)", call).group(1) for call in releases]
    assert sorted(files) == sorted(f"values/{path.name}" for path in (BOOTSTRAP / "values").iterdir())


def test_versions_are_exact():
    """A range would make two runs install two things."""
    pinned = {name: value for name, value in versions().items() if name.endswith("_VERSION")}
    assert len(pinned) == 7
    assert [value for value in pinned.values() if not re.fullmatch(r"v?\d+\.\d+\.\d+", value)] == []


def test_operator_is_asked_for_and_filled_in(run):
    """Without an address nothing is touched; with one, no placeholder reaches the cluster."""
    refused, calls, _ = run()
    assert refused.returncode == 2
    assert "OPERATOR_EMAIL" in refused.stderr
    assert calls == []
    _, _, applied = run("operator@example.com")
    issuers = [item for item in yaml.safe_load_all(applied) if item]
    assert [item["spec"]["acme"]["email"] for item in issuers] == ["operator@example.com"] * 2


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_manifests_fit_the_kubernetes_schema(manifest):
    """A typo in a quota or a role is refused here and not on the day of the bootstrap."""
    found = documents(manifest)
    assert found
    for item in found:
        kubernetes_validate.validate(item, "1.31", strict=True)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_namespace_admits_only_restricted_pods(environment):
    """Enforced, and not only warned about."""
    [labels] = [
        item["metadata"]["labels"]
        for item in documents("namespaces.yaml")
        if item["kind"] == "Namespace" and item["metadata"]["name"] == environment
    ]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_priority_class_of_the_values_exists(render, environment):
    """A pod that names an unknown class is not admitted."""
    known = {item["metadata"]["name"]: item["value"] for item in documents("priority-classes.yaml")}
    used = {template["spec"]["priorityClassName"] for _, template in render(environment).pod_templates()}
    assert used == {f"todo-{environment}"}
    assert used <= set(known)
    assert known["todo-staging"] < 0 < known["todo-production"] < known["todo-platform"]


def test_issuer_of_the_values_exists(render):
    """A certificate from an unknown issuer is never issued."""
    text = (BOOTSTRAP / "cert-manager-issuer.yaml").read_text(encoding="utf-8")
    known = {item["metadata"]["name"] for item in yaml.safe_load_all(text)}
    annotations = render("production").one("Ingress", "-ingress")["metadata"]["annotations"]
    assert annotations["cert-manager.io/cluster-issuer"] in known


def test_deployer_may_manage_every_kind_of_the_chart(render):
    """All that Helm does with each rendered kind, Helm's and the engine's own records; nothing beyond."""
    [role] = [item for item in documents("rbac.yaml") if item["metadata"]["name"] == "todo-deployer"]
    managed = {
        (group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if set(rule["verbs"]) == MANAGE
    }
    rendered = {
        (item["apiVersion"].rpartition("/")[0], plural(item["kind"]))
        for environment in ("staging", "production")
        for item in render(environment).objects
    }
    assert managed == rendered | {("", "secrets"), ("", "configmaps"), ("coordination.k8s.io", "leases")}


def plural(kind):
    """The resource of a kind, as rules name it."""
    lower = kind.lower()
    if lower.endswith("y"):
        return lower[:-1] + "ies"
    return lower + ("es" if lower.endswith("s") else "s")


def test_deployer_of_one_environment_has_no_rights_in_the_other():
    """Each account is bound in its own namespace only, cluster-wide to reading; for the record see below."""
    for item in documents("rbac.yaml"):
        if item["kind"] == "RoleBinding" and item["metadata"]["name"] != "todo-release-record":
            namespace = item["metadata"]["namespace"]
            assert [subject["namespace"] for subject in item["subjects"]] == [namespace]
    [reader] = [
        item
        for item in documents("rbac.yaml")
        if item["kind"] == "ClusterRole" and item["metadata"]["name"] == "todo-deployer-reader"
    ]
    assert {verb for rule in reader["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "secrets" not in {resource for rule in reader["rules"] for resource in rule["resources"]}


def test_production_reads_the_record_of_what_staging_verified():
    """That one ConfigMap, whose name the engine makes of the release's."""
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
def test_quota_holds_the_environment_at_its_largest(render, environment):
    """Every service at its most pods, plus one rolling of each, stays within the namespace's quota."""
    [quota] = [
        item["spec"]["hard"]
        for item in documents("namespaces.yaml")
        if item["kind"] == "ResourceQuota" and item["metadata"]["namespace"] == environment
    ]
    rendered = render(environment)
    most = {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"]["maxReplicas"]
        for item in rendered.objects
        if item["kind"] == "HorizontalPodAutoscaler"
    }
    cpu = memory = 0
    for item in rendered.services():
        pods = most.get(item["metadata"]["name"]) or item["spec"]["replicas"]
        for request in requests_of(item["spec"]["template"]):
            cpu += (pods + 1) * millicores(request["cpu"])
            memory += (pods + 1) * mebibytes(request["memory"])
    assert cpu <= millicores(quota["requests.cpu"])
    assert memory <= mebibytes(quota["requests.memory"])


def test_rehearsed_platform_has_the_sizes_and_numbers_of_the_values():
    """Requests, replicas and priority of every component are those that the charts are given."""
    assert {name: shape_of(item) for name, item in rehearsed().items()} == {
        name: {
            "kind": "DaemonSet" if replicas is None else "Deployment",
            "replicas": value(chart, replicas) if isinstance(replicas, str) else replicas,
            "requests": value(chart, f"{resources}.requests"),
            "priority": value(chart, PRIORITIES[chart]) if chart in PRIORITIES else None,
        }
        for name, (chart, resources, replicas) in COMPONENTS.items()
    }


def test_numbers_that_the_charts_choose_are_what_the_values_leave_open():
    """A replica count that is written down one day must be read from there; Dapr's three come with `ha`."""
    said = {path.stem: path.read_text(encoding="utf-8") for path in (BOOTSTRAP / "values").iterdir()}
    assert set(said) == {chart for chart, _, _ in COMPONENTS.values()}
    counted = {chart for chart, _, replicas in COMPONENTS.values() if isinstance(replicas, str)}
    assert {chart for chart, text in said.items() if re.search(r"\breplica(s|Count):", text)} == counted
    assert value("dapr", "global.ha") == {"enabled": True}
    assert value("alloy", "controller.type") == "daemonset"


def test_rehearsed_platform_is_where_bootstrap_puts_it(run):
    """Each component in the namespace of its chart."""
    _, calls, _ = run("operator@example.com")
    namespaces = {
        re.search(r"values/(\S+)\.yaml", call).group(1): re.search(r"--namespace (\S+)", call).group(1)
        for call in calls
        if "upgrade --install" in call
    }
    found = {name: item["metadata"]["namespace"] for name, item in rehearsed().items()}
    assert found == {name: namespaces[chart] for name, (chart, _, _) in COMPONENTS.items()}


def test_rehearsed_platform_takes_what_the_decision_says():
    """The platform's row of the sizing decision is the sum of all requests on its three nodes."""
    text = next((ROOT / "docs" / "decisions").glob("0006-*.md")).read_text(encoding="utf-8")
    row = re.search(r"^\| platform .*\| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    shapes = [shape_of(item) for item in rehearsed().values()]
    pods = [(NODES if one["replicas"] is None else one["replicas"], one["requests"]) for one in shapes]
    assert sum(number * millicores(one["cpu"]) for number, one in pods) == millicores(row.group(1))
    assert sum(number * mebibytes(one["memory"]) for number, one in pods) == mebibytes(row.group(2))


def test_rehearsed_platform_is_never_applied_to_a_real_cluster(run):
    """Its images do not exist."""
    finished, calls, applied = run("operator@example.com")
    assert finished.returncode == 0
    assert [call for call in calls if "rehearsal" in call] == []
    assert "rehearsal" not in applied


def rehearsed():
    """Workloads of rehearsal.yaml by name."""
    return {
        item["metadata"]["name"]: item
        for item in documents("rehearsal.yaml")
        if item["kind"] in {"Deployment", "DaemonSet"}
    }


def shape_of(workload):
    """What a rehearsal's workload asks for."""
    pod = workload["spec"]["template"]["spec"]
    [container] = pod["containers"]
    return {
        "kind": workload["kind"],
        "replicas": workload["spec"].get("replicas"),
        "requests": container["resources"]["requests"],
        "priority": pod.get("priorityClassName"),
    }


def value(chart, path):
    """A value of a third-party chart's values file, by its dotted path."""
    found = yaml.safe_load((BOOTSTRAP / "values" / f"{chart}.yaml").read_text(encoding="utf-8"))
    for key in path.split("."):
        found = found[key]
    return found


def requests_of(template):
    """What each container of a pod asks for, the sidecar that will be injected included."""
    found = [container["resources"]["requests"] for container in template["spec"]["containers"]]
    annotations = template["metadata"].get("annotations", {})
    if "dapr.io/enabled" in annotations:
        found.append({size: annotations[f"dapr.io/sidecar-{size}-request"] for size in ("cpu", "memory")})
    return found


def millicores(quantity):
    """CPU in thousandths."""
    return int(quantity.removesuffix("m")) * (1 if quantity.endswith("m") else 1000)


def mebibytes(quantity):
    """Memory in MiB."""
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]
