"""Builds snapshots for tests of checks: a rendered chart and live objects as plain dicts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from todo_release.adapters.kubernetes.api_resources import Resource
from todo_release.adapters.kubernetes.discovery import ServedResource
from todo_release.adapters.kubernetes.manifest import RenderedManifest, parse_manifest
from todo_release.config.model import Config
from todo_release.preflight import all_checks
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.snapshot import LiveCluster, PreflightSnapshot, SecretSummary

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CONFIG: dict[str, Any] = {
    "name": "shop",
    "registry": {"repository": "registry.test/shop"},
    "images": {
        "web": {"dockerfile": "web/Dockerfile", "inputs": ["web"], "values": "web.image"},
        "api": {"dockerfile": "api/Dockerfile", "inputs": ["api"], "values": "api.image"},
    },
    "environments": {
        "staging": {
            "context": "here",
            "namespace": "staging",
            "release": "shop-staging",
            "url": "https://staging.shop.test",
        },
        "production": {
            "context": "here",
            "namespace": "production",
            "release": "shop",
            "url": "https://shop.test",
            "requires": "staging",
        },
    },
}


def make_config(**changes: Any) -> Config:
    """Returns release.yaml of the shop; `changes` replace whole top-level keys."""
    return Config.model_validate({**CONFIG, **changes})


def make_manifest(*objects: Mapping[str, Any] | str) -> RenderedManifest:
    """Returns a rendered chart of these objects, given as dicts or as YAML."""
    texts = [body if isinstance(body, str) else yaml.safe_dump(dict(body)) for body in objects]
    return parse_manifest("\n---\n".join(texts))


def make_snapshot(
    *objects: Mapping[str, Any] | str,
    lists: Mapping[Resource, Sequence[Mapping[str, Any]]] | None = None,
    secrets: Sequence[SecretSummary] = (),
    live: Mapping[str, Any] | None = None,
    **rest: Any,
) -> PreflightSnapshot:
    """Returns a snapshot of staging with these objects rendered; lists that are not given are empty."""
    chart = make_manifest(*objects)
    known = dict.fromkeys(all_checks.needs(chart), ()) | dict(lists or {})
    cluster = LiveCluster(
        lists=known,
        secrets={secret.name: secret for secret in secrets},
        namespace={"metadata": {"name": "staging", "labels": {}}},
        version=(1, 34),
        served=[
            _served("v1", "Namespace"),
            *(_served(rendered.api_version, rendered.kind) for rendered in chart.objects),
        ],
    )
    return PreflightSnapshot(
        **{
            "environment": "staging",
            "version": "0.1.0",
            "config": make_config(),
            "manifest": chart,
            "live": replace(cluster, **dict(live or {})),
            "now": NOW,
            **rest,
        }
    )


def _served(api_version: str, kind: str) -> ServedResource:
    return ServedResource(api_version=api_version, kind=kind, plural=f"{kind.lower()}s", is_namespaced=True)


def findings_of(check: PreflightCheck, snapshot: PreflightSnapshot) -> list[Finding]:
    """Returns what a check finds."""
    return list(check.evaluate(snapshot))


def severities_of(check: PreflightCheck, snapshot: PreflightSnapshot) -> list[str]:
    """Returns the severities of what a check finds."""
    return [finding.severity.value for finding in findings_of(check, snapshot)]


def summaries_of(check: PreflightCheck, snapshot: PreflightSnapshot) -> list[tuple[str, str, str]]:
    """Returns (severity, object, cause) of what a check finds."""
    return [
        (finding.severity.value, finding.subject, finding.cause) for finding in findings_of(check, snapshot)
    ]


def error_causes(check: PreflightCheck, snapshot: PreflightSnapshot) -> list[str]:
    """Returns the causes of the errors that a check finds."""
    return [finding.cause for finding in findings_of(check, snapshot) if finding.severity is Severity.ERROR]


def workload(
    name: str = "web", *, kind: str = "Deployment", spec: Mapping[str, Any] | None = None, **pod: Any
) -> dict[str, Any]:
    """Returns a workload whose pods have the label `app`.

    `spec` overrides keys of its own spec, `pod` keys of its pods' spec. Of the latter, `annotations` are the
    annotations of the pods, and `hook` makes the workload a hook.
    """
    annotations, hook = pod.pop("annotations", None), pod.pop("hook", None)
    body = {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, **({"annotations": {"helm.sh/hook": hook}} if hook else {})},
        "spec": {
            "template": {
                "metadata": {
                    "labels": {"app": name},
                    **({"annotations": annotations} if annotations else {}),
                },
                "spec": {"containers": [{"name": name, "image": f"registry.test/shop/{name}"}], **pod},
            },
            **(spec or {}),
        },
    }
    if kind != "Job":
        body["spec"].setdefault("selector", {"matchLabels": {"app": name}})
    return body


def live_object(body: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """Returns the object as it is live in staging, created by its Helm release."""
    meta = {
        **body["metadata"],
        "namespace": "staging",
        "uid": f"uid-{body['metadata']['name']}",
        "annotations": {
            "meta.helm.sh/release-name": "shop-staging",
            "meta.helm.sh/release-namespace": "staging",
            **(body["metadata"].get("annotations") or {}),
        },
    }
    return {**body, "metadata": {**meta, **metadata}}
