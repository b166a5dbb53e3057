"""`inv bootstrap` on a real API server: complete, repeatable, resumable, and never more than is needed."""

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from todo_embedded.controlplane.control_plane import ControlPlane
from todo_release.adapters.helm.storage import decode_record, encode_record
from todo_release.adapters.kubernetes.client import ApiRefusedError, Cluster

from . import sample_site
from .conftest import Authority, Images

Bootstrap = Callable[..., tuple[int, str]]
Versions = Callable[[], dict[str, str]]
RECORD = "api/v1/namespaces/kube-system/configmaps/cluster-bootstrap"
HELM = "api/v1/namespaces/gauges/secrets/sh.helm.release.v1.gauges.v1"


def test_second_run_writes_nothing(
    tmp_path: Path, bootstrap: Bootstrap, versions: Versions, authority: Authority
) -> None:
    """The first run does every step; after the second every object has the version that it had before."""
    sample_site.write(tmp_path)
    code, output = bootstrap()
    assert code == 0, output
    assert "✓ chart gauges 1.2.3 in gauges" in output
    assert "✓ dns of the cluster: Deployment/dns -n kube-system: adopted as it is" in output
    before, files = versions(), sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.kubeconfig"))
    code, output = bootstrap()
    assert code == 0, output
    assert "nothing was written" in output
    assert versions() == before
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.kubeconfig")) == files


def test_plan_changes_nothing_in_the_cluster(
    tmp_path: Path, bootstrap: Bootstrap, versions: Versions
) -> None:
    """A plan names every step with its reason and where a chart comes from, and prints what fits."""
    sample_site.write(tmp_path)
    before = versions()
    code, output = bootstrap(is_plan=True)
    assert code == 0, output
    assert f"(from {tmp_path / 'mirror' / 'gauges-1.2.3.tgz'}): not installed" in output
    assert "• ClusterIssuer trial" in output
    assert "at rest" in output
    assert "9 of 10 steps to do" in output
    assert versions() == before


def test_definitions_are_applied_with_the_real_namespace(
    tmp_path: Path, bootstrap: Bootstrap, fresh: ControlPlane, authority: Authority
) -> None:
    """A placeholder in a definition is replaced before it is applied, and put right when it comes back."""
    sample_site.write(tmp_path)
    assert bootstrap()[0] == 0
    path = "apis/apiextensions.k8s.io/v1/customresourcedefinitions/gauges.gauges.test"

    def namespace() -> str:
        service = fresh.api.read(path)["spec"]["conversion"]["webhook"]["clientConfig"]["service"]
        return str(service["namespace"])

    assert namespace() == "gauges"
    broken = {"namespace": "replaceme", "name": "gauges", "path": "/convert"}
    fresh.api.merge(path, {"spec": {"conversion": {"webhook": {"clientConfig": {"service": broken}}}}})
    code, output = bootstrap()
    assert code == 0, output
    assert "replaceme -> gauges" in output
    assert namespace() == "gauges"


def test_placeholder_without_replacement_is_refused(tmp_path: Path, bootstrap: Bootstrap) -> None:
    """A conversion webhook in a namespace that is not the component's is an error before anything changes."""
    components = sample_site.CLUSTER["components"]
    gauges = {**components["gauges"], "replace": {}}
    sample_site.write(tmp_path, {"components": {"gauges": gauges}})
    code, output = bootstrap()
    assert code == 41
    assert "sends conversions to a Service in the namespace 'replaceme'" in output


def test_run_continues_where_a_chart_did_not_become_ready(
    tmp_path: Path, bootstrap: Bootstrap, images: Images, authority: Authority, fresh: ControlPlane
) -> None:
    """The error says what the pods say; the next run finds earlier steps done and finishes."""
    components = sample_site.CLUSTER["components"]
    sample_site.write(tmp_path, {"components": {"gauges": {**components["gauges"], "timeout_seconds": 3}}})
    images.refused = "gauges"
    code, output = bootstrap()
    assert code == 41
    assert "Not ready after 3 s in gauges: Deployment/gauges" in output
    assert "not found: registry.test/gauges:1" in output
    images.refused = ""
    sample_site.write(tmp_path)
    code, output = bootstrap()
    assert code == 0, output
    assert "• objects of objects.yaml" not in output


def test_change_by_hand_is_taken_back(
    tmp_path: Path, bootstrap: Bootstrap, fresh: ControlPlane, authority: Authority
) -> None:
    """A deleted object of a chart and an edited object of ours are restored; nothing else is touched."""
    sample_site.write(tmp_path)
    assert bootstrap()[0] == 0
    fresh.api.delete("apis/apps/v1/namespaces/gauges/deployments/gauges")
    fresh.api.merge(
        "apis/rbac.authorization.k8s.io/v1/namespaces/staging/rolebindings/deployer", {"subjects": None}
    )
    code, output = bootstrap()
    assert code == 0, output
    assert "• chart gauges 1.2.3 in gauges: Deployment/gauges is gone" in output
    assert "• objects of objects.yaml: RoleBinding/deployer" in output
    assert "All 10 steps are done, 2 of them now" in output
    assert fresh.api.read("apis/apps/v1/namespaces/gauges/deployments/gauges")["spec"]["replicas"] == 2


def test_chart_that_was_cut_off_is_unlocked_and_finished(
    tmp_path: Path, bootstrap: Bootstrap, fresh: ControlPlane, authority: Authority
) -> None:
    """A release that a killed Helm left pending does not block the next run."""
    sample_site.write(tmp_path)
    assert bootstrap()[0] == 0
    secret = fresh.api.read(HELM)
    body = decode_record(secret)
    body["info"]["status"] = "pending-upgrade"
    labels = {"metadata": {"labels": {"status": "pending-upgrade"}}, "data": {"release": encode_record(body)}}
    fresh.api.merge(HELM, labels)
    code, output = bootstrap()
    assert code == 0, output
    assert "revision 1 is pending-upgrade" in output


def test_real_issuer_waits_for_the_trial_certificate(
    tmp_path: Path, bootstrap: Bootstrap, fresh: ControlPlane, authority: Authority
) -> None:
    """While the trial issuer does not issue, the real one does not exist; then the trial is deleted."""
    sample_site.write(tmp_path, {"issuers": {**sample_site.CLUSTER["issuers"], "timeout_seconds": 2}})
    authority.issues = False
    code, output = bootstrap()
    assert code == 41
    assert "No trial certificate for staging.shop.test after 2 s" in output
    assert "Point staging.shop.test to" in output
    names = {item["metadata"]["name"] for item in fresh.api.items("apis/cert-manager.io/v1/clusterissuers")}
    assert names == {"trial"}
    authority.issues = True
    assert bootstrap()[0] == 0
    names = {item["metadata"]["name"] for item in fresh.api.items("apis/cert-manager.io/v1/clusterissuers")}
    assert names == {"trial", "real"}
    assert fresh.api.items("apis/cert-manager.io/v1/certificates") == []


def test_what_does_not_fit_is_refused_before_anything_changes(
    tmp_path: Path, bootstrap: Bootstrap, versions: Versions
) -> None:
    """More requests than the nodes have is exit code 42, with the table and the pod that finds no place."""
    large = sample_site.DEPLOYMENT.replace("cpu: 50m", "cpu: 1500m")
    sample_site.write(tmp_path, deployment=large)
    (tmp_path / "workloads.yaml").write_text(large.replace("REPLICAS", "20"))
    (tmp_path / "gauges.yaml").write_text("replicas: 20\n")
    before = versions()
    code, output = bootstrap()
    assert code == 42
    assert "Deployment/gauges of gauges requests 1500m and 64Mi" in output
    assert versions() == before


SPREAD = (
    "      topologySpreadConstraints: [{topologyKey: zone, maxSkew: 1, whenUnsatisfiable: ScheduleAnyway}]"
)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            ("resources: {requests: {cpu: 50m, memory: 64Mi}}", "resources: {}"),
            "requests no cpu and no memory",
        ),
        (("cpu: 50m", "cpu: 70m"), "requests 140m and 128Mi on one node, but workloads.yaml has 100m"),
        (("      containers:", f"{SPREAD}\n      containers:"), "by the node label zone, which no node has"),
    ],
)
def test_broken_rule_of_a_chart_is_refused_before_anything_changes(
    tmp_path: Path, bootstrap: Bootstrap, versions: Versions, changed: tuple[str, str], message: str
) -> None:
    """Containers without requests, sums that are not the chart's, and spreading by no label are found."""
    assert sample_site.DEPLOYMENT.count(changed[0]) == 1
    sample_site.write(tmp_path, deployment=sample_site.DEPLOYMENT.replace(*changed))
    before = versions()
    code, output = bootstrap()
    assert code == 41
    assert message in output
    assert versions() == before


def test_priority_that_adds_no_node_is_refused(tmp_path: Path, bootstrap: Bootstrap) -> None:
    """A priority below the autoscaler's cutoff is found, which nothing else ever reports."""
    sample_site.write(tmp_path)
    (tmp_path / "objects.yaml").write_text(sample_site.OBJECTS.replace("value: -10", "value: -100"))
    code, output = bootstrap()
    assert code == 41
    assert "PriorityClass staging-first has the value -100" in output


def test_missing_adopted_component_is_an_error(tmp_path: Path, bootstrap: Bootstrap) -> None:
    """A component that is declared as present is never installed; what is missing of it is named."""
    dns = {"namespace": "kube-system", "present": [
        {"api_version": "apps/v1", "kind": "Deployment", "name": "other", "namespace": "kube-system"}
    ]}  # fmt: skip
    sample_site.write(tmp_path, {"components": {"dns": dns}})
    code, output = bootstrap()
    assert code == 41
    assert "Deployment/other -n kube-system is missing" in output


def test_kubeconfig_of_an_environment_has_only_its_rights(
    tmp_path: Path, bootstrap: Bootstrap, authority: Authority
) -> None:
    """The file is private, its token works in its own namespace, and is refused in the other one."""
    sample_site.write(tmp_path)
    assert bootstrap()[0] == 0
    path = tmp_path / ".release/cluster/staging.kubeconfig"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    cluster = Cluster.connect("rehearsal", path)
    assert cluster.items("api/v1/namespaces/staging/pods") == []
    with pytest.raises(ApiRefusedError):
        cluster.items("api/v1/namespaces/production/pods")


def test_password_is_made_once_and_never_shown(
    tmp_path: Path, bootstrap: Bootstrap, fresh: ControlPlane, authority: Authority
) -> None:
    """A Secret that a chart expects gets a random password, which no output and no record contains."""
    sample_site.write(tmp_path)
    _, output = bootstrap()
    data = fresh.api.read("api/v1/namespaces/gauges/secrets/gauges-admin")["data"]
    password = base64.b64decode(data["password"]).decode()
    assert base64.b64decode(data["username"]) == b"admin"
    assert len(password) > 24
    assert password not in output
    assert password not in json.dumps(fresh.api.read(RECORD))
    _, output = bootstrap()
    assert fresh.api.read("api/v1/namespaces/gauges/secrets/gauges-admin")["data"] == data


def test_secret_that_only_a_person_has_is_asked_for(
    tmp_path: Path, bootstrap: Bootstrap, fresh: ControlPlane, authority: Authority
) -> None:
    """Without it the chart is not installed, because its pods would wait for ever; then the run continues."""
    components = sample_site.CLUSTER["components"]
    gauges = {**components["gauges"], "needs_secrets": {"receivers": ["critical-url"]}}
    sample_site.write(tmp_path, {"components": {"gauges": gauges}})
    code, output = bootstrap()
    assert code == 41
    assert "The Secret receivers in gauges lacks critical-url" in output
    assert fresh.api.items("apis/apps/v1/namespaces/gauges/deployments") == []
    metadata = {"name": "receivers", "namespace": "gauges"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"critical-url": "x"}}
    fresh.api.create(secret)
    assert bootstrap()[0] == 0
