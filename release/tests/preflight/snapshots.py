"""Pictures for judges: a rendered chart and live objects as plain dicts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from todo_release.adapters.kubernetes.manifest import Manifest, parse
from todo_release.config.model import Config
from todo_release.preflight import all_checks
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Finding, Severity
from todo_release.preflight.snapshot import LiveCluster, PreflightSnapshot, Resource, SecretFacts, Served

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CONFIG = {
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


def config(**changes: Any) -> Config:
    """release.yaml of the shop; `changes` replace whole top-level keys."""
    return Config.model_validate({**CONFIG, **changes})


def manifest(*objects: Mapping[str, Any] | str) -> Manifest:
    """A rendered chart of these objects, given as dicts or as YAML."""
    texts = [one if isinstance(one, str) else yaml.safe_dump(dict(one)) for one in objects]
    return parse("\n---\n".join(texts))


def snapshot(
    *objects: Mapping[str, Any] | str,
    lists: Mapping[Resource, Sequence[Mapping[str, Any]]] | None = None,
    secrets: Sequence[SecretFacts] = (),
    live: Mapping[str, Any] | None = None,
    **rest: Any,
) -> PreflightSnapshot:
    """A picture of staging with these objects rendered; every list that is not given was read and is
    empty.
    """
    rendered = manifest(*objects)
    known = dict.fromkeys(all_checks.needs(rendered), ()) | dict(lists or {})
    seen = LiveCluster(
        lists=known,
        secrets={one.name: one for one in secrets},
        namespace={"metadata": {"name": "staging", "labels": {}}},
        version=(1, 34),
        served=[
            _served("v1", "Namespace"),
            *(_served(one.api_version, one.kind) for one in rendered.objects),
        ],
    )
    return PreflightSnapshot(
        **{
            "environment": "staging",
            "version": "0.1.0",
            "config": config(),
            "manifest": rendered,
            "live": replace(seen, **dict(live or {})),
            "now": NOW,
            **rest,
        }
    )


def _served(api_version: str, kind: str) -> Served:
    return Served(api_version=api_version, kind=kind, plural=f"{kind.lower()}s", is_namespaced=True)


def found(check: Check, seen: PreflightSnapshot) -> list[Finding]:
    """What one check finds."""
    return list(check.judge(seen))


def told(check: Check, seen: PreflightSnapshot) -> list[tuple[str, str, str]]:
    """(severity, object, cause) of what one check finds."""
    return [(one.severity.value, one.subject, one.cause) for one in found(check, seen)]


def errors(check: Check, seen: PreflightSnapshot) -> list[str]:
    """The causes of the errors that one check finds."""
    return [one.cause for one in found(check, seen) if one.severity is Severity.ERROR]


def workload(
    name: str = "web", *, kind: str = "Deployment", spec: Mapping[str, Any] | None = None, **pod: Any
) -> dict[str, Any]:
    """A workload whose pods have the label `app`; `spec` is laid over its own, `pod` over its pods' spec.

    `annotations` among them are the pods', `hook` makes it a hook.
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


def live(body: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """The object as it would stand in staging, made by its Helm release."""
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
