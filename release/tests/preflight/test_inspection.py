"""Whole inspections: a real chart, rendered by the real Helm, against a double of the API server."""

import json
import sys
import time
from dataclasses import replace

import pytest

from todo_release.errors import HelmError

from .inspected_shop import PASSWORD, PATH_NOTE, RELEASED, STAGING, VALUES, InspectedShop, summaries_of


def test_healthy_cluster_has_neither_errors_nor_warnings(shop: InspectedShop) -> None:
    """The result has a table of nodes."""
    inspection = shop.inspect()
    assert summaries_of(inspection) == [("note", "probes", PATH_NOTE)]
    assert inspection.version == "0.0.0"
    assert inspection.nodes is not None
    assert inspection.nodes.rows == (("n1", "1900m", "100m", "250m (13 %)", "3110Mi", "64Mi", "128Mi (4 %)"),)


def test_inspection_reads_every_list_once(shop: InspectedShop, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of requests does not depend on the number of pods."""
    for number in range(200):
        shop.node(f"other-{number // 20}")
        shop.pod(f"other-{number}", namespace="elsewhere", on=f"other-{number // 20}")
    shop.api.requests.clear()
    began = time.monotonic()
    inspection = shop.inspect()
    seconds = time.monotonic() - began
    # Whether the release exists is asked first: the chart is rendered as an install or as an upgrade.
    asked_before = f"{STAGING}/secrets"
    lists = [path for path in shop.api.requests if path.endswith("s") and path != asked_before]
    assert len(lists) == len(set(lists))
    assert shop.api.requests.count(asked_before) == 2
    assert len(shop.api.requests) <= 34
    assert inspection.errors == ()
    with capsys.disabled():
        sys.stdout.write(f"\n201 pods, {len(shop.api.requests)} requests: inspected in {seconds:.2f} s\n")


def test_no_value_of_a_secret_is_in_the_result(shop: InspectedShop) -> None:
    """A finding about a Secret's key does not show its value."""
    shop.secret("app", {"PASSWORD": PASSWORD, "MECHANISM": "SCRAM-SHA-256"})
    inspection = shop.inspect()
    (finding,) = inspection.errors
    assert finding.cause == (
        "Key MECHANISM of Secret app is no saslMechanism that Dapr knows: Dapr silently uses PLAIN instead."
    )
    shown = json.dumps(inspection.as_json())
    assert PASSWORD not in shown
    assert "SCRAM-SHA-256" not in shown


def test_finding_has_the_line_of_the_values_file(shop: InspectedShop) -> None:
    """CI can show the finding beside the change."""
    shop.tree.write({"chart/values.yaml": VALUES.replace("key: PASSWORD", "key: PASSWRD")})
    (finding,) = shop.inspect().errors
    assert finding.cause == "There is no key PASSWRD in Secret app; Deployment/shop-staging-web reads it."
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("chart/values.yaml", 4)


def test_work_tree_is_inspected_with_its_edits_and_a_tag_without_them(shop: InspectedShop) -> None:
    """A deployment from a tag does not depend on the work tree."""
    shop.tree.write({"chart/values.yaml": RELEASED})
    shop.tree.commit("release")
    shop.tree.git("tag", "v0.1.0")
    shop.tree.write({"chart/values.yaml": VALUES.replace("cpu: 100m", "cpu: 9000m")})
    assert [finding.check for finding in shop.inspect().errors] == ["capacity"]
    assert shop.inspect("0.1.0").errors == ()
    assert shop.inspect("0.1.0").version == "0.1.0"


def test_chart_that_cannot_be_rendered_ends_the_inspection(shop: InspectedShop) -> None:
    """Helm's error says why the chart cannot be rendered."""
    shop.tree.write({"chart/templates/web.yaml": "{{ .Values.web.nothing.at.all }}\n"})
    with pytest.raises(HelmError):
        shop.inspect()


def test_unchanged_workload_does_not_roll(shop: InspectedShop) -> None:
    """The rendered chart is compared with Helm's record."""
    shop.api.put(
        "apis/apps/v1/namespaces/staging/deployments/shop-staging-web",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop-staging-web", "namespace": "staging"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
        },
    )
    shop.pod("web-1", app="web", cpu="150m")
    shop.deploy("0.0.0")
    inspection = shop.inspect()
    assert inspection.nodes is not None
    assert inspection.nodes.rows[0][2:4] == ("250m", "250m (13 %)")
    shop.tree.write({"chart/values.yaml": VALUES.replace("cpu: 100m", "cpu: 110m")})
    changed = shop.inspect()
    assert changed.nodes is not None
    assert changed.nodes.rows[0][3] == "410m (21 %)"


def test_migrations_since_the_running_version_are_checked(shop: InspectedShop) -> None:
    """The running version's code decides the severity; an unknown version is a note."""
    shop.tree.commit("api", {"api/models.py": 'table = "tasks"\nlegacy = column("legacy")\n'})
    shop.tree.git("tag", "v0.1.0")
    script = 'from alembic import op\n\n\ndef upgrade() -> None:\n    op.drop_column("tasks", "legacy")\n'
    shop.tree.commit("api: Migrate.", {"api/migrations/0002.py": script})
    shop.deploy("0.1.0")
    (finding,) = shop.inspect().errors
    assert finding.cause.endswith("The running version names it in api/models.py:2.")
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("api/migrations/0002.py", 5)
    shop.deploy("9.9.9")
    (unread,) = [finding.cause for finding in shop.inspect().findings if finding.check == "migrations"]
    assert unread.endswith("the commit of the running version 9.9.9 is not known here.")


def test_migrations_of_a_tag_are_those_of_its_commit(shop: InspectedShop) -> None:
    """Later migrations and removed ones do not count."""
    shop.tree.commit("api", {"api/migrations/0001.py": "def upgrade():\n    pass\n"})
    shop.tree.git("tag", "v0.1.0")
    shop.deploy("0.1.0")
    shop.tree.write({"chart/values.yaml": RELEASED})
    (shop.tree.path / "api/migrations/0001.py").unlink()
    shop.tree.commit("release", {"api/migrations/0002.py": "def upgrade():\n    op.create_table('b')\n"})
    shop.tree.git("tag", "v0.2.0")
    shop.tree.write({"api/migrations/0003.py": "def upgrade():\n    op.drop_table('b')\n"})
    snapshot = [
        finding.subject for finding in shop.inspect("0.2.0").findings if finding.check == "migrations"
    ]
    assert snapshot == ["api/migrations/0002.py"]


def test_environments_that_share_topics_on_one_broker_are_an_error(shop: InspectedShop) -> None:
    """The other environment is rendered too, and left out if that fails."""
    values = {"chart/values-production.yaml": "prefix: staging-\n"}
    shop.tree.write(values)
    (finding,) = shop.inspect().errors
    assert "They share a broker, so each environment consumes the other's events" in finding.cause
    (shop.tree.path / "chart/values-production.yaml").unlink()
    assert shop.inspect().errors == ()


def test_skipped_check_has_notes_with_the_reason(shop: InspectedShop) -> None:
    """A skipped check does not stop the release."""
    shop.api.objects.pop(f"{STAGING}/secrets/app")
    assert {finding.check for finding in shop.inspect().errors} == {"references"}
    inspection = shop.inspect(references="they are made by hand afterwards")
    assert inspection.errors == ()
    assert any(
        "(Skipped: they are made by hand afterwards.)" in cause for _, _, cause in summaries_of(inspection)
    )
    assert inspection.as_json()["skipped"] == {"references": "they are made by hand afterwards"}


def test_verdict_counts_findings_by_severity(shop: InspectedShop) -> None:
    """The verdict is one line."""
    inspection = replace(shop.inspect(), seconds=0.84)
    assert inspection.verdict == "staging: no errors, no warnings, 1 note in 0.8 s"
