"""The values files, their schema, and the messages about wrong values."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).parents[2] / "chart"
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
FILES = ("values.yaml", "values-staging.yaml", "values-production.yaml")


def resolve(schema):
    """Returns a schema with its reference resolved."""
    return SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def schema_paths(schema, prefix=()):
    """Yields the path of every key in the schema; free maps and lists are leaves."""
    properties = resolve(schema).get("properties", {})
    for key, below in properties.items():
        if "properties" in resolve(below):
            yield from schema_paths(below, (*prefix, key))
        else:
            yield (*prefix, key)


def value_paths(values, schema, prefix=()):
    """Yields the path of every key in the values, as deep as the schema names keys."""
    for key, value in values.items():
        below = resolve(schema)["properties"].get(key, {})
        if isinstance(value, dict) and "properties" in resolve(below):
            yield from value_paths(value, below, (*prefix, key))
        else:
            yield (*prefix, key)


def schemas(schema):
    """Yields a schema and every schema inside it."""
    yield schema
    for key in ("properties", "definitions"):
        for below in schema.get(key, {}).values():
            yield from schemas(below)
    if "items" in schema:
        yield from schemas(schema["items"])


def load(file):
    """Returns a values file of the chart."""
    return yaml.safe_load((CHART / file).read_text(encoding="utf-8"))


def test_schema_and_defaults_name_the_same_keys():
    """Every documented key has a default, and every default is documented."""
    assert set(value_paths(load("values.yaml"), SCHEMA)) == set(schema_paths(SCHEMA))


@pytest.mark.parametrize("file", FILES[1:])
def test_environments_override_only_what_has_a_default(file):
    """A misspelt key in an environment's file fails instead of having no effect."""
    assert set(value_paths(load(file), SCHEMA)) <= set(schema_paths(SCHEMA))


@pytest.mark.parametrize("file", FILES[1:])
def test_environments_name_no_image(file):
    """Only values.yaml has image blocks, so all environments get the same images."""
    assert [path for path in value_paths(load(file), SCHEMA) if "image" in path] == []


def test_schema_is_strict_and_documents_every_key():
    """Each object refuses unknown keys or is a map of strings, and each key has a description."""
    found = list(schemas(SCHEMA))
    assert len(found) > 50
    for schema in found:
        if "$ref" in schema:
            continue
        assert schema.get("description"), schema
        if schema["type"] == "object":
            assert schema["additionalProperties"] in (False, {"type": "string"}), schema


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"surprise": 1}, "Additional property surprise"),
        ({"backend": {"replicas": 3}}, "Additional property replicas"),
        ({"backend": {"image": {"digest": "latest"}}}, "backend.image.digest"),
        ({"backend": {"image": {"repository": "ghcr.io/<OWNER>/backend"}}}, "backend.image.repository"),
        ({"pubsub": {"kind": "rabbitmq"}}, "pubsub.kind"),
        ({"dapr": {"tracing": {"samplingRate": "10"}}}, "dapr.tracing.samplingRate"),
        ({"config": {"publicUrl": "https://todo.example.com/"}}, "config.publicUrl"),
        ({"backend": {"resources": {"limits": None}}}, "limits is required"),
    ],
)
def test_schema_refuses_a_wrong_value_by_name(refusal, values, message):
    """The error names the wrong key."""
    error = refusal("production", values)
    assert "values don't meet the specifications of the schema" in error
    assert message in error


def test_contradictions_are_reported_all_at_once(refusal):
    """One error lists all contradictions."""
    contradictory = {
        "ingress": {"host": ""},
        "mcp": {"image": {"digest": ""}},
        "notification": {"image": {"digest": "", "tag": ""}},
        "backend": {"hpa": {"minReplicas": 8}},
    }
    error = refusal("production", contradictory)
    assert [line for line in error.splitlines() if line.startswith("- ")] == [
        "- ingress.host is empty although ingress.enabled is true: set the public host name",
        "- backend.hpa.minReplicas 8 is more than maxReplicas 6",
        "- mcp.image.digest is empty although global.imageDigestRequired is true",
        "- notification.image.digest is empty although global.imageDigestRequired is true",
        "- notification.image has neither a digest nor a tag",
    ]


def test_pods_of_a_release_leave_connections_of_the_database_free(render, refusal):
    """At the autoscaler's maxima, in an upgrade, all pods and migrations fit into what it allows."""
    environments = {}
    for deployment in render("production").of_kind("Deployment"):
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        for entry in container["env"]:
            if entry["name"] == "DATABASE_CONNECTIONS":
                environments[deployment["metadata"]["name"]] = int(entry["value"])
    replicas = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]["maxReplicas"]
        for scaler in render("production").of_kind("HorizontalPodAutoscaler")
    }
    total = sum((replicas[name] + 1) * connections + 1 for name, connections in environments.items())
    assert total == 95
    assert total <= load("values.yaml")["database"]["maxConnections"]
    error = refusal("production", {"backend": {"hpa": {"maxReplicas": 7}}})
    assert (
        "the pods may open 103 connections to the database (backend 8 x 8, frontend 5 x 4, notification 4 x "
        "4, a migration each), which is more than database.maxConnections 97"
    ) in " ".join(error.split())


def test_issuer_without_ingress_is_a_contradiction(refusal):
    """An issuer without an Ingress is refused, because nothing would request the certificate."""
    error = refusal("staging", {"ingress": {"enabled": False}})
    assert "ingress.clusterIssuer is set although ingress.enabled is false" in error


@pytest.mark.parametrize("files", [(), ("values-staging.yaml",), ("values-production.yaml",)], ids=FILES)
def test_lint_finds_nothing(files):
    """`helm lint --strict` passes with each environment's values."""
    options = [option for file in files for option in ("--values", str(CHART / file))]
    finished = subprocess.run(
        ["helm", "lint", "--strict", str(CHART), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "1 chart(s) linted, 0 chart(s) failed" in finished.stdout


def test_chart_is_small_enough_for_its_release_secret(tmp_path):
    """The packaged chart stays far below the 1 MiB limit of a Secret."""
    subprocess.run(
        ["helm", "package", str(CHART), "--destination", str(tmp_path)],
        check=True,
        timeout=60,
        capture_output=True,
    )
    [package] = tmp_path.iterdir()
    assert package.stat().st_size < 100 * 1024


def test_chart_version_is_the_application_version():
    """Version and appVersion, which the engine writes, are equal."""
    metadata = load("Chart.yaml")
    assert metadata["version"] == metadata["appVersion"]
