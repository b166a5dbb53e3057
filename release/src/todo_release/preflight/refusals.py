"""Turns what the API server refuses in a dry run into findings, beside those of the checks.

The checks know most reasons beforehand, with file and line; the server has the last word.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from todo_release.environments.preview import RefusedObjectsError
from todo_release.errors import ReleaseError
from todo_release.preflight.errors import PreflightError, error_from
from todo_release.preflight.finding import Finding, error
from todo_release.preflight.inspection import Inspect

WEBHOOK = re.compile(r'webhook "([^"]+)"')
DENIED = re.compile(r"denied the request:?\s*")
IMMUTABLE = re.compile(
    r"immutable|updates to \w+ spec|may not (?:be )?(?:change|update)|cannot be changed", re.IGNORECASE
)
INVALID = re.compile(r"^.*? is invalid:\s*")
SERVER = re.compile(r"^Kubernetes refused to \w+ \S+ \(\d+\):\s*")


def explain_refusal(
    environment: str, version: str, refused: RefusedObjectsError, inspect: Inspect
) -> PreflightError:
    """Returns all that preflight finds, and what only the API server knows."""
    try:
        known: Sequence[Finding] = inspect(environment, version).errors
    except ReleaseError:
        known = ()  # the refusal itself is what a person needs to know
    subjects = {finding.subject for finding in known}
    return error_from(
        environment, [*known, *(finding for finding in _findings(refused) if finding.subject not in subjects)]
    )


def _findings(refused: RefusedObjectsError) -> Iterator[Finding]:
    for subject, refusal in refused.refusals:
        yield _finding(subject, SERVER.sub("", refusal.problem).rstrip("."))


def _finding(subject: str, text: str) -> Finding:
    """Returns the finding for one answer of the API server."""
    webhook = WEBHOOK.search(text)
    detail = INVALID.sub("", text)
    if webhook and DENIED.search(text):
        cause = f"The webhook {webhook[1]} refuses it: {DENIED.split(text, maxsplit=1)[1]}."
        finding = error(subject, cause, "Correct the object, or the rule that refuses it.")
        return replace(finding, check="api-versions")
    if webhook:
        cause = f"The webhook {webhook[1]} does not answer, and without it the object is refused: {detail}."
        remedy = (
            "Wait until the pods behind it are ready, or correct it: `kubectl get pods --all-namespaces`."
        )
        return replace(error(subject, cause, remedy), check="api-versions")
    if IMMUTABLE.search(text):
        cause = f"It changes what Kubernetes lets nobody change: {detail}."
        remedy = "Undo the change, give the object another name, or delete the live one at a quiet hour."
        return replace(error(subject, cause, remedy), check="release-state")
    finding = error(
        subject, f"The API server does not accept it: {detail}.", "Correct what the answer names."
    )
    return replace(finding, check="api-versions")
