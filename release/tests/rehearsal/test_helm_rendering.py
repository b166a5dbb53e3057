"""A chart is rendered as Helm applies it, on a real API server."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from todo_release.adapters.helm.cli import Helm
from todo_release.adapters.helm.storage import decode_record, encode_record
from todo_release.adapters.kubernetes.client import Cluster
from todo_release.adapters.kubernetes.manifest import RenderedObject, parse_manifest
from todo_release.errors import HelmError

from .shared_control_plane import SharedControlPlane

# Helm 4 is no Python package: $HELM4 names it, or the system tests have built it.
HELM_4 = Path(os.environ.get("HELM4", Path.home() / ".cache/todo/helm-4.2.4/helm"))
CHART = {
    "Chart.yaml": 'apiVersion: v2\nname: shop\nversion: 0.1.0\nkubeVersion: ">= 1.34.0-0"\n',
    "templates/facts.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: facts}
data:
  isUpgrade: {{ .Release.IsUpgrade | quote }}
  servesDeployment: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  servesRemoved: {{ .Capabilities.APIVersions.Has "policy/v1beta1" | quote }}
""",
}
PASSWORD = {
    "templates/password.yaml": """\
{{- $old := lookup "v1" "Secret" .Release.Namespace "password" }}
apiVersion: v1
kind: Secret
metadata: {name: password}
data: {value: {{ if $old }}{{ $old.data.value }}{{ else }}{{ randAlphaNum 16 | b64enc }}{{ end }}}
""",
}
WIDGETS = {
    "crds/widgets.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.KIND.example}
spec:
  group: KIND.example
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
""",
    "templates/widget.yaml": """\
apiVersion: KIND.example/v1
kind: Widget
metadata: {name: main}
spec: {has: {{ .Capabilities.APIVersions.Has "KIND.example/v1/Widget" }}}
""",
}


class Charts:
    """Writes and applies charts in a namespace of their own."""

    def __init__(self, shared: SharedControlPlane, folder: Path, program: str) -> None:
        """Creates the namespace."""
        self.name = f"charts-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self.plane = shared.plane
        self.plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}})
        self.cluster = Cluster.connect("rehearsal", self.plane.kubeconfig)
        self.helm = Helm("rehearsal", self.name, self.plane.kubeconfig, cluster=self.cluster, program=program)

    def write(self, files: dict[str, str]) -> Path:
        """Writes a chart and returns its folder."""
        for name, text in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("KIND", self.name), encoding="utf-8")
        return self._folder

    def render(self, files: dict[str, str]) -> dict[str, RenderedObject]:
        """Returns the objects that the chart renders, by kind and name."""
        rendered = parse_manifest(self.helm.template("shop", self.write(files)))
        return {item.subject: item for item in rendered.objects}

    def mark_pending(self) -> None:
        """Leaves the last revision as a killed Helm leaves it."""
        path = f"api/v1/namespaces/{self.name}/secrets/sh.helm.release.v1.shop.v1"
        secret = self.cluster.read(path)
        body = decode_record(secret)
        body["info"]["status"] = secret["metadata"]["labels"]["status"] = "pending-upgrade"
        secret["data"]["release"] = encode_record(body)
        self.cluster.replace(path, secret)

    def install(self) -> None:
        """Installs or upgrades the chart that was written last."""
        self.helm.upgrade("shop", self._folder, timeout_seconds=60)


@pytest.fixture(params=["helm", *filter(Path.exists, [HELM_4])], ids=str)
def charts(shared: SharedControlPlane, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Charts]:
    """A chart's folder and a namespace, for each Helm that this machine has."""
    charts = Charts(shared, tmp_path / "chart", str(request.param))
    yield charts
    charts.plane.api.delete(f"api/v1/namespaces/{charts.name}")


def test_rendering_knows_the_cluster_and_whether_it_is_an_upgrade(charts: Charts) -> None:
    """`kubeVersion`, `.Capabilities` and `.Release.IsUpgrade` are those of the upgrade itself."""
    facts = charts.render(CHART)["ConfigMap/facts"].body["data"]
    assert facts == {"isUpgrade": "false", "servesDeployment": "true", "servesRemoved": "false"}
    charts.install()
    assert charts.render(CHART)["ConfigMap/facts"].body["data"]["isUpgrade"] == "true"


def test_rendering_has_the_number_of_the_next_revision(charts: Charts) -> None:
    """A Job that is named after the revision is another one each time; a pending revision is no obstacle."""
    job = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "run-{{ .Release.Revision }}"HOOK}\n'
    hook = ', annotations: {helm.sh/hook: "post-upgrade"}'
    files = {
        "templates/plain.yaml": job.replace("HOOK", ""),
        "templates/hook.yaml": job.replace("run-", "hook-").replace("HOOK", hook),
    }
    assert {"ConfigMap/run-1", "ConfigMap/hook-1"} <= charts.render(CHART | files).keys()
    charts.install()
    rendered = charts.render(CHART | files)
    assert {"ConfigMap/run-2", "ConfigMap/hook-2"} <= rendered.keys()
    assert rendered["ConfigMap/hook-2"].source == "templates/hook.yaml"
    charts.mark_pending()
    assert "ConfigMap/facts" in charts.render(CHART | files)


def test_rendering_looks_up_what_the_cluster_has(charts: Charts) -> None:
    """A password that a chart keeps by `lookup` stays the same."""
    first = charts.render(CHART | PASSWORD)["Secret/password"].body["data"]["value"]
    charts.install()
    secret = charts.cluster.read(f"api/v1/namespaces/{charts.name}/secrets/password")
    assert secret["data"]["value"] != first
    assert charts.render(CHART | PASSWORD)["Secret/password"].body["data"] == secret["data"]


def test_rendering_takes_the_charts_own_definitions_as_served(charts: Charts) -> None:
    """Before a first install the cluster lacks the kinds that the chart brings; lookups still work."""
    rendered = charts.render(CHART | PASSWORD | WIDGETS)
    assert rendered["Widget/main"].body["spec"] == {"has": True}
    assert "CustomResourceDefinition" not in {item.kind for item in rendered.values()}
    charts.install()
    assert charts.render(CHART | PASSWORD | WIDGETS)["Widget/main"].body["spec"] == {"has": True}


def test_rendering_without_a_cluster_uses_what_helm_knows(charts: Charts, tmp_path: Path) -> None:
    """Another environment whose cluster cannot be asked is still rendered, to compare with."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        charts.plane.kubeconfig.read_text().replace(charts.plane.url, "https://127.0.0.1:9")
    )
    helm = Helm("rehearsal", "shop", kubeconfig, cluster=Cluster.connect("rehearsal", kubeconfig))
    files = CHART | {"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n"}
    assert "isUpgrade" in helm.template("shop", charts.write(files))


def test_rendering_tells_what_a_chart_fails_with(charts: Charts) -> None:
    """The error is Helm's own."""
    condition = 'not (lookup "v1" "Secret" .Release.Namespace "db")'
    broken = {"templates/broken.yaml": f'{{{{ if {condition} }}}}{{{{ fail "no db" }}}}{{{{ end }}}}'}
    with pytest.raises(HelmError, match="no db"):
        charts.render(CHART | broken)
    charts.plane.api.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": charts.name}}
    )
    assert charts.render(CHART | broken)


def test_values_of_the_engine_are_read_as_they_are_meant(charts: Charts) -> None:
    """A tag like `1e3` or `y` stays a text."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tags}\ndata: {{ toJson .Values }}\n"
    template = {"templates/tags.yaml": text}
    overlay = {"one": "1e3", "two": "y", "three": "0o17", "four": "☃\u2028"}
    rendered = charts.helm.template("shop", charts.write(CHART | template), overlay=overlay)
    found = parse_manifest(rendered).find("ConfigMap", "tags")
    assert found is not None
    assert found.body["data"] == overlay
