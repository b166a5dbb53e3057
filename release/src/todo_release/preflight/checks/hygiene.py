"""Checks for forgotten placeholders, secrets in plain text, and addresses that browsers cannot reach."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from todo_release.adapters.kubernetes.manifest import RenderedObject, leaves
from todo_release.core.yaml_positions import YamlPath
from todo_release.preflight.check import PreflightCheck
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot

PLACEHOLDER = re.compile(
    r"<[A-Z][A-Z0-9_ ]+>|\bCHANGE[-_ ]?(?:ME|THIS)\b|\bREPLACE(?:[-_ ]?(?:ME|THIS|WITH)\w*)?\b|\bFIXME\b"
    r"|\bset-by-chartpress\b",
)
# RFC 2606 reserves these names for documentation, so no real host has one.
EXAMPLE_HOST = re.compile(r"(?<![\w.-])(?:[\w-]+\.)*example\.(?:com|org|net)(?=$|[^\w.-])")
API_GROUP_KEYS = ("apiVersion", "apiGroup", "apiGroups")
PROSE_KINDS = ("PrometheusRule", "CustomResourceDefinition")  # texts for people, which may contain <NAMES>
SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
SECRET_METADATA = re.compile(r"password|secret$|secretkey|apikey", re.IGNORECASE)
CREDENTIALS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)
VARIABLE_REFERENCE = re.compile(r"^\$\(\w+\)$")
LOCAL_SUFFIXES = (".svc", ".local", ".internal", ".cluster.local", ".localhost")


PLACEHOLDER_RULE = "placeholders"
PLACEHOLDERS = f"hygiene/{PLACEHOLDER_RULE}"


def _placeholders_are_filled_in(snapshot: PreflightSnapshot) -> Findings:
    for finding in _placeholders(snapshot):
        yield replace(finding, rule=PLACEHOLDER_RULE)


def _placeholders(snapshot: PreflightSnapshot) -> Findings:
    for rendered in snapshot.manifest.objects:
        if rendered.kind in PROSE_KINDS:
            continue
        for path, value in leaves(rendered.body):
            text = value if isinstance(value, str) else ""
            placeholder = PLACEHOLDER.search(text)
            if placeholder:
                finding = warning if rendered.kind in {"ConfigMap", "Secret"} else error
                yield finding(
                    rendered.subject,
                    f"The placeholder {placeholder[0]} was never filled in.",
                    "Write the real value into the values file.",
                    path,
                )
            elif (host := EXAMPLE_HOST.search(text)) and rendered.kind != "ConfigMap" and not _is_group(path):
                yield error(
                    rendered.subject,
                    f"{host[0]} is a name from documentation: example.com belongs to nobody.",
                    "Set your own domain: `--domain`, or variables.domain in release.yaml.",
                    path,
                )


def _is_group(path: YamlPath) -> bool:
    """Returns whether a value names an API group, which looks like a host and is none."""
    return any(part in API_GROUP_KEYS for part in path[-2:])


def _secrets_are_not_plain_text(snapshot: PreflightSnapshot) -> Findings:
    """Checks values that look like secrets: a warning, as they work; findings never repeat their text."""
    for owner, field, variable in _literal_variables(snapshot):
        name, text = str(variable["name"]), str(variable.get("value") or "")
        if CREDENTIALS.match(text):
            yield warning(
                owner.subject,
                f"{name} holds an address with its password in plain text: it is in git, in Helm's record "
                "and in logs.",
                "Take it from a Secret with valueFrom.secretKeyRef, and change the password.",
                field,
            )
        elif SECRET_NAME.search(name) and _is_literal_secret(text):
            yield warning(
                owner.subject,
                f"{name} is given in plain text: it is in git, in Helm's record and in logs.",
                "Take it from a Secret with valueFrom.secretKeyRef, and change it.",
                field,
            )
    for component in snapshot.manifest.of_kind("Component"):
        for index, item in enumerate(component.spec.get("metadata") or ()):
            if SECRET_METADATA.search(str(item["name"])) and item.get("value"):
                yield warning(
                    component.subject,
                    f"{item['name']} is given in plain text.",
                    "Take it from a Secret with secretKeyRef, and change it.",
                    ("spec", "metadata", index),
                )


def _is_literal_secret(text: str) -> bool:
    """Returns whether a text is more than a reference to a variable or a path to a file."""
    return bool(text) and not VARIABLE_REFERENCE.match(text) and not text.startswith("/")


def _browser_addresses_are_public(snapshot: PreflightSnapshot) -> Findings:
    """Checks addresses that sign-in compares with the origin that the browser sends."""
    public = urlsplit(snapshot.settings.url)
    for owner, field, variable in _literal_variables(snapshot):
        name, text = str(variable["name"]), str(variable.get("value") or "")
        if name not in snapshot.config.preflight.public_urls or not text:
            continue
        address = urlsplit(text)
        host = address.hostname or ""
        if "." not in host or host.endswith(LOCAL_SUFFIXES):
            yield error(
                owner.subject,
                f"{name} is {text}, which only the cluster can reach: browsers are refused as an invalid "
                "origin.",
                f"Set it to {snapshot.settings.url}.",
                field,
            )
        elif (address.scheme, address.netloc) != (public.scheme, public.netloc):
            yield error(
                owner.subject,
                f"{name} is {text}, but people open {snapshot.settings.url}: they are refused as an invalid "
                "origin.",
                f"Set it to {snapshot.settings.url}, or correct the url of {snapshot.environment} in "
                "release.yaml.",
                field,
            )


def _literal_variables(
    snapshot: PreflightSnapshot,
) -> Iterator[tuple[RenderedObject, YamlPath, Mapping[str, Any]]]:
    """Yields (object, field, variable) of every environment variable with a literal value."""
    for template in snapshot.manifest.pods():
        for field, container in template.containers():
            for index, variable in enumerate(container.get("env") or ()):
                if "value" in variable:
                    yield template.owner, (*field, "env", index), variable


CHECK = PreflightCheck(
    id="hygiene",
    title="nothing is left unfinished",
    rules=(_placeholders_are_filled_in, _secrets_are_not_plain_text, _browser_addresses_are_public),
)
