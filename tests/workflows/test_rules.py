"""The workflows keep the rules, and every rule can be broken."""

from pathlib import Path

import pytest

from .rules import OF_WORKFLOWS, Automation, mistakes
from .tree import ACTIONS, WORKFLOWS, name_of

GOOD = """\
name: Deploy
on: [workflow_dispatch]
permissions: {}
jobs:
  staging:
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    permissions:
      contents: write
    environment: staging
    concurrency: {group: deploy-staging, cancel-in-progress: false, queue: max}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          fetch-depth: 0
          persist-credentials: true # the tag is pushed from here
      - uses: $/.github/actions/access
        with:
          token: ${{ secrets.DIGITALOCEAN_ACCESS_TOKEN }}
      - run: ./inv release --version "$VERSION" --yes
        env:
          VERSION: ${{ inputs.version }}
"""
PIN = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
BROKEN = [
    ("permissions: {}\n", "permissions: read-all\n", "permissions: permissions at the top are not {}"),
    ("    permissions:\n      contents: write\n", "", "permissions: staging says no permissions"),
    ("    timeout-minutes: 60\n", "", "limits: staging has no timeout-minutes"),
    ("[workflow_dispatch]", "[workflow_run]", "triggers: workflow_run must not start it"),
    ("[workflow_dispatch]", "{pull_request_target: }", "triggers: pull_request_target must not start it"),
    (f"{PIN} # v7.0.1", "actions/checkout@v7", "pins: actions/checkout@v7 is not pinned to a commit"),
    (f"{PIN} #", f"{PIN[:-1]} #", f"pins: {PIN[:-1]} is not pinned to a commit"),
    (PIN, f"{PIN[:-1]}2", f"pins: {PIN[:-1]}2 # v7.0.1 is not the commit and tag of pins.yaml"),
    (" # v7.0.1", " # v5.0.1", f"pins: {PIN} # v5.0.1 is not the commit and tag of pins.yaml"),
    (" # v7.0.1", "", f"pins: {PIN} # (no tag) is not the commit and tag of pins.yaml"),
    ("$/.github/actions/access", f"some/action@{40 * 'a'} # v1", "pins: some/action is not in pins.yaml"),
    ("$/.github/actions/access", "./.github/actions/access",
     "pins: ./.github/actions/access is not pinned to a commit"),
    ('"$VERSION"', '"${{ inputs.version }}"',
     'expressions: an expression in: ./inv release --version "${{ inputs.version }}" --yes'),
    ("--yes\n", "--yes && ./inv status\n",
     'thinness: more than one call or 2 lines in: ./inv release --version "$VERSION" --yes && ./inv status'),
    ("./inv release --version", "|\n          if true\n          then\n          ./inv release --version",
     "thinness: more than one call or 2 lines in: if true"),
    ("          fetch-depth: 0\n", "", "clones: staging lacks history and tags (fetch-depth: 0)"),
    ("./inv release --version", "./inv deploy --env staging --version",
     "clones: staging keeps credentials that it does not need"),
    (" # the tag is pushed from here", "", "clones: credentials are kept without a comment that says why"),
    ("    environment: staging\n", "", "environments: staging reaches the cluster outside of an environment"),
    ("group: deploy-staging", "group: deploy",
     "environments: staging may run beside another one of its environment"),
    ("cancel-in-progress: false", "cancel-in-progress: true",
     "environments: staging may run beside another one of its environment"),
    ("          VERSION: ${{ inputs.version }}\n", "          CONTEXT: do-fra1-other\n",
     "clusters: do-fra1-other is no context of release.yaml"),
]  # fmt: skip


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_workflow_keeps_every_rule(path: Path) -> None:
    """All that stand in .github."""
    assert mistakes(Automation(path.read_text())) == []


def test_there_are_the_workflows_that_the_guide_explains() -> None:
    """The rules are held against something."""
    assert [path.stem for path in WORKFLOWS] == [
        "build", "deploy-production", "deploy-staging", "release", "rollback",
    ]  # fmt: skip
    assert [path.parent.name for path in ACTIONS] == ["access"]


def test_a_good_workflow_breaks_no_rule() -> None:
    """What the broken ones are made from."""
    assert mistakes(Automation(GOOD)) == []


@pytest.mark.parametrize(("old", "new", "told"), BROKEN, ids=[told for _, _, told in BROKEN])
def test_a_broken_workflow_is_told(old: str, new: str, told: str) -> None:
    """One change, one rule; the rule says what is wrong and where."""
    assert GOOD.count(old) == 1
    assert told in mistakes(Automation(GOOD.replace(old, new)))


def test_every_rule_is_broken_once() -> None:
    """A rule that nothing breaks may be one that sees nothing."""
    assert {told.partition(":")[0] for _, _, told in BROKEN} == {rule.__name__ for rule in OF_WORKFLOWS}
