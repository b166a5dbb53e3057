"""Workflows: task calls, pinned actions, and the cluster's name."""

from collections.abc import Sequence

import pytest

from todo_release.preflight.checks.workflows import CHECK, command_lines

from ..snapshots import findings_of, make_config, make_snapshot, summaries_of

SHA = "3d3c42e5aac5ba805825da76410c181273ba90b1"
WORKFLOW = f"""\
name: Release
jobs:
  release:
    steps:
      - uses: actions/checkout@{SHA} # v7
      - uses: ./.github/actions/here
      - name: One line
        run: ./inv release --version "${{{{ inputs.version }}}}" --yes
      - run: |
          set -eu
          echo start # inv nothing
          ./inv plan --version $VERSION \\
            --json && inv status; ls
          echo "unfinished
  reused:
    uses: owner/workflows/.github/workflows/x.yml@{SHA}
"""
PATH = ".github/workflows/release.yml"


def parse(arguments: Sequence[str]) -> str | None:
    """Accepts every argument that does not begin with --js."""
    return next((f"no idea what {word!r} is" for word in arguments if word.startswith("--js")), None)


def test_every_call_of_a_task_is_found_with_its_line() -> None:
    """Expressions count as one word and continued lines as one; other files are no workflows."""
    calls = [
        (place.line, arguments) for place, arguments in command_lines({PATH: WORKFLOW, "Makefile": "inv x"})
    ]
    assert calls == [
        (8, ["release", "--version", "value", "--yes"]),
        (12, ["plan", "--version", "value", "--json"]),
        (12, ["status"]),
    ]


def test_invalid_task_call_is_an_error() -> None:
    """The finding has the line of the call and the parser's message."""
    (finding,) = findings_of(CHECK, make_snapshot(files={PATH: WORKFLOW}, parse=parse))
    assert finding.cause == (
        "inv plan --version value --json is not a valid command line: no idea what '--json' is"
    )
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == (PATH, 12)


def test_task_calls_are_not_checked_without_a_parser() -> None:
    """The engine itself does not know the tasks."""
    assert summaries_of(CHECK, make_snapshot(files={PATH: WORKFLOW})) == []


def test_action_that_is_not_pinned_is_a_warning() -> None:
    """Actions and reusable workflows must be pinned; local ones and images are exempt."""
    loose = WORKFLOW.replace(f"checkout@{SHA}", "checkout@v7").replace(f"x.yml@{SHA}", "x.yml@main")
    findings = findings_of(
        CHECK, make_snapshot(files={PATH: loose.replace("./.github/actions/here", "docker://alpine")})
    )
    assert [(finding.severity.value, finding.cause) for finding in findings] == [
        ("warning", "The action actions/checkout@v7 is not pinned to a full commit."),
        (
            "warning",
            "The action owner/workflows/.github/workflows/x.yml@main is not pinned to a full commit.",
        ),
    ]
    assert [finding.place.line for finding in findings if finding.place] == [5, 16]


@pytest.mark.parametrize("text", ["", "[1, 2", "jobs: {}", "- list", "a: 1\na: 2\n"])
def test_invalid_workflow_is_no_finding(text: str) -> None:
    """GitHub reports invalid workflows."""
    assert summaries_of(CHECK, make_snapshot(files={PATH: text}, parse=parse)) == []


RELEASE = "environments: {staging: {context: cloud-eu1-shop}}\n"
NAMED = make_config(preflight={"cluster_pattern": r"credentials save (?:--\S+ )*([a-z0-9-]+)"})


def test_cluster_has_one_name_in_every_file() -> None:
    """A command may leave out the prefix that the provider puts before the name in contexts."""
    good = {"release.yaml": RELEASE, "k8s/bootstrap": "run: cloud credentials save --hours=1 shop\n"}
    assert summaries_of(CHECK, make_snapshot(files=good, config=NAMED)) == []
    other = {"release.yaml": RELEASE, "k8s/bootstrap": "\nrun: cloud credentials save --hours=1 other\n"}
    assert summaries_of(CHECK, make_snapshot(files=other)) == []
    (finding,) = findings_of(CHECK, make_snapshot(files=other, config=NAMED))
    assert finding.cause == "The cluster is other here, cloud-eu1-shop in release.yaml."
    assert finding.place is not None
    assert (finding.place.file, finding.place.line) == ("k8s/bootstrap", 2)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "- x", ""])
def test_invalid_release_yaml_is_no_finding(text: str) -> None:
    """The engine does not start with an invalid release.yaml."""
    files = {"release.yaml": text, "k8s/bootstrap": "nothing\n"}
    assert summaries_of(CHECK, make_snapshot(files=files, config=NAMED)) == []


ACTION = """\
runs:
  using: composite
  steps:
    - run: python kubeconfig.py
      env:
        CONTEXT: NAME # the context in release.yaml
    - run: kubectl -n shop --context NAME get pods && ./inv plan --json
    - uses: other/action@v1
      with: {kube-context: NAME}
"""
ACTION_PATH = ".github/actions/access/action.yml"


def test_context_in_a_composite_action_is_compared() -> None:
    """A variable, an argument and an input name it; each line is a finding."""
    good = {"release.yaml": RELEASE, ACTION_PATH: ACTION.replace("NAME}", "cloud-eu1-shop }")}
    good[ACTION_PATH] = (
        good[ACTION_PATH].replace("NAME", "cloud-eu1-shop").replace("action@v1", f"action@{SHA}")
    )
    assert summaries_of(CHECK, make_snapshot(files=good)) == []
    other = {"release.yaml": RELEASE, ACTION_PATH: good[ACTION_PATH].replace("eu1-shop", "eu2-shop")}
    findings = findings_of(CHECK, make_snapshot(files=other))
    assert {finding.cause for finding in findings} == {
        "The cluster is cloud-eu2-shop here, cloud-eu1-shop in release.yaml."
    }
    assert [finding.place.line for finding in findings if finding.place] == [6, 7, 9]


@pytest.mark.parametrize(
    "line",
    [
        "context: .",
        "CONTEXT: ./web",
        "CONTEXT: ${{ inputs.context }}",
        "DOCKER_CONTEXT: remote",
        "# CONTEXT: x",
    ],
)
def test_other_contexts_are_no_clusters(line: str) -> None:
    """Docker has build contexts and contexts of its own; an expression is not known here."""
    files = {"release.yaml": RELEASE, PATH: f"env:\n  {line}\n"}
    assert summaries_of(CHECK, make_snapshot(files=files)) == []


def test_steps_of_a_composite_action_are_checked_like_those_of_a_job() -> None:
    """Its calls of tasks must be valid and its actions pinned."""
    causes = [
        finding.cause
        for finding in findings_of(CHECK, make_snapshot(files={ACTION_PATH: ACTION}, parse=parse))
    ]
    assert causes[:2] == [
        "inv plan --json is not a valid command line: no idea what '--json' is",
        "The action other/action@v1 is not pinned to a full commit.",
    ]
