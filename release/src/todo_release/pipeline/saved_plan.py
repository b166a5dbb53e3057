"""Plans in files: what a person agreed to, bound to the facts that it was made from.

A saved plan is not a list of commands. Who runs it plans again from the same request; only when every fact is
still the same, the new plan is the saved one and runs.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from todo_release.config.model import Config
from todo_release.errors import JournalError, StalePlanError
from todo_release.pipeline.plan import Plan

KIND, SCHEMA = "todo-release/plan", 1
SHOWN_FACTS = 3
SHOWN_CHARACTERS = 120
PLAN_AGAIN = "Make a new one with `inv plan --version X.Y.Z --out FILE`, look at it, and agree to that."


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What a plan was asked for: a release up to `last`, or the deployment to one `environment`."""

    version: str
    last: str | None = None
    environment: str | None = None
    allows_downgrade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A request, the facts that its plan was made from, by name, and the plan as it was shown."""

    request: PlanRequest
    application: str
    basis: Mapping[str, str]
    plan: Mapping[str, Any]

    @classmethod
    def of(cls, plan: Plan, request: PlanRequest, config: Config) -> Self:
        """Returns what is saved of a plan; the configuration and the steps to do are among the facts."""
        configuration = config.model_dump_json().encode()
        more = {
            "release.yaml with its overrides": hashlib.sha256(configuration).hexdigest(),
            "what is left to do": "\n".join(step.title for step in plan.pending),
        }
        shown = json.loads(json.dumps(plan.as_json()))
        return cls(request=request, application=config.name, basis={**plan.basis, **more}, plan=shown)

    def check(self, present: "SavedPlan", plan: Plan) -> None:
        """Checks that the same request gives the same plan now, one with refusals, or nothing to do.

        Raises:
            StalePlanError: a fact is another one by now; the problem names it.
        """
        if plan.refusals or plan.is_finished or self.basis == present.basis:
            return
        changes = list(_changes(self.basis, present.basis))
        more = f"; and {len(changes) - SHOWN_FACTS} more" if len(changes) > SHOWN_FACTS else ""
        raise StalePlanError(
            f"This is not the plan of {self.request.version} any more: "
            f"{'; '.join(changes[:SHOWN_FACTS])}{more}.",
            remedy=PLAN_AGAIN,
        )

    def as_json(self) -> dict[str, Any]:
        """Returns what is written, with its hash."""
        body = {"kind": KIND, "schema": SCHEMA} | asdict(self)
        return body | {"sha256": _hash(body)}


def write(file: Path, saved: SavedPlan) -> None:
    """Writes a saved plan.

    Raises:
        JournalError: the file cannot be written.
    """
    text = json.dumps(saved.as_json(), indent=2, ensure_ascii=False)
    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"The plan cannot be written to {file}: {error.strerror}.", remedy="Name another file."
        ) from error


def read(file: Path, application: str) -> SavedPlan:
    """Reads a saved plan of an application.

    Raises:
        JournalError: it cannot be read, is damaged, or is not of this engine and application.
    """
    body = _read_json(file)
    if not isinstance(body, dict) or body.get("kind") != KIND:
        raise JournalError(f"{file} is not a saved plan.", remedy=PLAN_AGAIN)
    if body.get("schema") != SCHEMA:
        raise JournalError(
            f"{file} was saved in form {body.get('schema')} of plans; this engine reads form {SCHEMA}.",
            remedy="Run it with the engine that saved it, or save it again with this one.",
        )
    content = {key: value for key, value in body.items() if key != "sha256"}
    if body.get("sha256") != _hash(content):
        raise JournalError(f"{file} is damaged, or was changed after it was saved.", remedy=PLAN_AGAIN)
    if body["application"] != application:
        raise JournalError(
            f"{file} is a plan of {body['application']}, not of {application}.", remedy=PLAN_AGAIN
        )
    return SavedPlan(
        request=PlanRequest(**body["request"]),
        application=body["application"],
        basis=body["basis"],
        plan=body["plan"],
    )


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise JournalError(f"The plan {file} cannot be read: {error.strerror}.", remedy=PLAN_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{file} is not a saved plan: it is no JSON.", remedy=PLAN_AGAIN) from error


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yields what changed of each fact: its first line that is gone, and its first new one."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, "").splitlines(), new.get(name, "").splitlines()
        if before != after:
            was = next((line for line in before if line not in after), "")
            now = next((line for line in after if line not in before), "")
            yield f"{name} was {_shown(was)} and is {_shown(now)} now"


def _shown(text: str) -> str:
    cut = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return cut or "nothing"
