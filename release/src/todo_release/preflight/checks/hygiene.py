"""Nothing is left that was to be filled in, no secret stands in plain text, and addresses for browsers are
public.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from todo_release.adapters.kubernetes.manifest import PodTemplate, Rendered, leaves
from todo_release.core.yaml_positions import Path
from todo_release.preflight.check import Check
from todo_release.preflight.finding import Findings, error, warning
from todo_release.preflight.snapshot import PreflightSnapshot

PLACEHOLDER = re.compile(
    r"<[A-Z][A-Z0-9_ ]+>|\bCHANGE[-_ ]?(?:ME|THIS)\b|\bREPLACE(?:[-_ ]?(?:ME|THIS|WITH)\w*)?\b|\bFIXME\b"
    r"|\bset-by-chartpress\b",
)
# Reserved for documentation (RFC 2606): nobody's host is called so.
EXAMPLE_HOST = re.compile(r"(?<![\w.-])(?:[\w-]+\.)*example\.(?:com|org|net)(?=$|[^\w.-])")
PROSE = ("PrometheusRule", "CustomResourceDefinition")  # texts for people, who may well read of <NAMES>
SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
SECRET_METADATA = re.compile(r"password|secret$|secretkey|apikey", re.IGNORECASE)
CREDENTIALS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)
REFERENCE = re.compile(r"^\$\(\w+\)$")
LONG_SECRET = 16
LOCAL_NAMES = (".svc", ".local", ".internal", ".cluster.local", ".localhost")


def _nothing_is_to_be_filled_in(snapshot: PreflightSnapshot) -> Findings:
    for one in snapshot.manifest.objects:
        if one.kind in PROSE:
            continue
        for path, value in leaves(one.body):
            text = value if isinstance(value, str) else ""
            left = PLACEHOLDER.search(text)
            if left:
                say = warning if one.kind in {"ConfigMap", "Secret"} else error
                yield say(
                    one.subject,
                    f"{left[0]} was never filled in.",
                    "Write what belongs there into the values.",
                    path,
                )
            elif (host := EXAMPLE_HOST.search(text)) and one.kind != "ConfigMap":
                yield error(
                    one.subject,
                    f"{host[0]} is a name from documentation: example.com belongs to nobody.",
                    "Set your own domain: `--domain`, or variables.domain in release.yaml.",
                    path,
                )


def _no_secret_is_written_out(snapshot: PreflightSnapshot) -> Findings:
    """Values that look like secrets; their text is never repeated."""
    for owner, field, variable in _variables(snapshot):
        name, text = str(variable["name"]), str(variable.get("value") or "")
        if CREDENTIALS.match(text):
            yield error(
                owner.subject,
                f"{name} holds an address with its password in plain text: it is in git, in Helm's record"
                " and in logs.",
                "Take it from a Secret with valueFrom.secretKeyRef, and change the password.",
                field,
            )
        elif SECRET_NAME.search(name) and text and not REFERENCE.match(text) and not text.startswith("/"):
            say = error if len(text) >= LONG_SECRET and not text.isalpha() else warning
            yield say(
                owner.subject,
                f"{name} is given in plain text: it is in git, in Helm's record and in logs.",
                "Take it from a Secret with valueFrom.secretKeyRef, and change it.",
                field,
            )
    for component in snapshot.manifest.of_kind("Component"):
        for index, item in enumerate(component.spec.get("metadata") or ()):
            if SECRET_METADATA.search(str(item["name"])) and item.get("value"):
                yield error(
                    component.subject,
                    f"{item['name']} is given in plain text.",
                    "Take it from a Secret with secretKeyRef, and change it.",
                    ("spec", "metadata", index),
                )


def _public_addresses_are_public(snapshot: PreflightSnapshot) -> Findings:
    """Browsers use them, and what signs people in compares them with where the browser says it comes from."""
    public = urlsplit(snapshot.settings.url)
    for owner, field, variable in _variables(snapshot):
        name, text = str(variable["name"]), str(variable.get("value") or "")
        if name not in snapshot.config.preflight.public_urls or not text:
            continue
        found = urlsplit(text)
        host = found.hostname or ""
        if "." not in host or host.endswith(LOCAL_NAMES):
            yield error(
                owner.subject,
                f"{name} is {text}, which only the cluster can reach: browsers are refused as an invalid"
                " origin.",
                f"Set it to {snapshot.settings.url}.",
                field,
            )
        elif (found.scheme, found.netloc) != (public.scheme, public.netloc):
            yield error(
                owner.subject,
                f"{name} is {text}, but people open {snapshot.settings.url}: they are refused as an invalid"
                " origin.",
                f"Set it to {snapshot.settings.url}, or correct the url of {snapshot.environment} in"
                " release.yaml.",
                field,
            )


def _variables(snapshot: PreflightSnapshot) -> Iterator[tuple[Rendered, Path, Mapping[str, Any]]]:
    """Every environment variable with a literal value."""
    template: PodTemplate
    for template in snapshot.manifest.pods():
        for field, container in template.containers():
            for index, variable in enumerate(container.get("env") or ()):
                if "value" in variable:
                    yield template.owner, (*field, "env", index), variable


CHECK = Check(
    id="hygiene",
    title="nothing is left open",
    rules=(_nothing_is_to_be_filled_in, _no_secret_is_written_out, _public_addresses_are_public),
)
