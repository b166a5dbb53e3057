"""The workflows follow the rules, and every rule detects a violation."""

from pathlib import Path

import pytest

from .rules import OF_WORKFLOWS, Automation, violations
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
          digitalocean-token: ${{ secrets.DIGITALOCEAN_ACCESS_TOKEN }}
          service-account: staging/deployer
      - run: ./inv release --version "$VERSION" --yes
        env:
          VERSION: ${{ inputs.version }}
      - if: failure() && (github.event.repository.private || vars.KEEP_EVIDENCE == 'true')
        uses: actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1
        with:
          name: facts
          path: .release/*/evidence
          retention-days: 14
"""
PIN = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
BROKEN = [
    ("permissions: {}\n", "permissions: read-all\n", "permissions: permissions at the top are not {}"),
    ("    permissions:\n      contents: write\n", "", "permissions: staging has no permissions"),
    ("    timeout-minutes: 60\n", "", "limits: staging has no timeout-minutes"),
    ("[workflow_dispatch]", "[workflow_run]", "triggers: workflow_run must not start it"),
    ("[workflow_dispatch]", "{pull_request_target: }", "triggers: pull_request_target must not start it"),
    (f"{PIN} # v7.0.1", "actions/checkout@v7", "pins: actions/checkout@v7 is not pinned to a commit"),
    (f"{PIN} #", f"{PIN[:-1]} #", f"pins: {PIN[:-1]} is not pinned to a commit"),
    (PIN, f"{PIN[:-1]}2", f"pins: {PIN[:-1]}2 # v7.0.1 is not the commit and tag of pins.yaml"),
    (f"{PIN} # v7.0.1", f"{PIN} # v5.0.1", f"pins: {PIN} # v5.0.1 is not the commit and tag of pins.yaml"),
    (f"{PIN} # v7.0.1", PIN, f"pins: {PIN} # (no tag) is not the commit and tag of pins.yaml"),
    ("$/.github/actions/access", f"some/action@{40 * 'a'} # v1", "pins: some/action is not in pins.yaml"),
    ("$/.github/actions/access", "./.github/actions/access",
     "pins: ./.github/actions/access is not pinned to a commit"),
    ('"$VERSION"', '"${{ inputs.version }}"',
     'expressions: an expression in: ./inv release --version "${{ inputs.version }}" --yes'),
    ("--yes\n", "--yes && ./inv status\n",
     'size: more than one call or 2 lines in: ./inv release --version "$VERSION" --yes && ./inv status'),
    ("./inv release --version", "|\n          if true\n          then\n          ./inv release --version",
     "size: more than one call or 2 lines in: if true"),
    ("          fetch-depth: 0\n", "", "checkouts: staging lacks history and tags (fetch-depth: 0)"),
    ("./inv release --version", "./inv deploy --env staging --version",
     "checkouts: staging keeps credentials that it does not need"),
    (" # the tag is pushed from here", "", "checkouts: credentials are kept without a comment that says why"),
    ("    environment: staging\n", "", "environments: staging reaches the cluster outside of an environment"),
    ("group: deploy-staging", "group: deploy",
     "environments: staging may run beside another job of its environment"),
    ("cancel-in-progress: false", "cancel-in-progress: true",
     "environments: staging may run beside another job of its environment"),
    ('release --version "$VERSION"', 'rollback --env staging',
     "environments: staging may run beside another job of its environment"),
    ("staging/deployer", "production/deployer",
     "accounts: staging does not use the account staging/deployer"),
    ("          service-account: staging/deployer\n", "",
     "accounts: staging does not use the account staging/deployer"),
    ("          retention-days: 14\n", "", "artifacts: facts is kept without a limit (retention-days)"),
    (" && (github.event.repository.private || vars.KEEP_EVIDENCE == 'true')", "",
     "artifacts: facts is published by a public repository"),
    ("          VERSION: ${{ inputs.version }}\n", "          CONTEXT: do-fra1-other\n",
     "clusters: do-fra1-other is no context of release.yaml"),
]  # fmt: skip


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name_of)
def test_workflow_violates_no_rule(path: Path) -> None:
    """Every workflow and action in .github follows the rules."""
    assert violations(Automation(path.read_text())) == []


def test_workflows_are_found() -> None:
    """The rules are applied to these files."""
    assert [path.stem for path in WORKFLOWS] == [
        "build", "deploy-production", "deploy-staging", "release", "rollback",
    ]  # fmt: skip
    assert [path.parent.name for path in ACTIONS] == ["access", "checked"]


def test_valid_workflow_has_no_violation() -> None:
    """The invalid workflows of the next test are made from this one."""
    assert violations(Automation(GOOD)) == []


@pytest.mark.parametrize(("old", "new", "violation"), BROKEN, ids=[violation for _, _, violation in BROKEN])
def test_violation_in_a_workflow_is_found(old: str, new: str, violation: str) -> None:
    """One changed line violates one rule, whose message says what is wrong and where."""
    assert GOOD.count(old) == 1
    assert violation in violations(Automation(GOOD.replace(old, new)))


def test_every_rule_has_a_violation() -> None:
    """Every rule has a case that violates it."""
    assert {violation.partition(":")[0] for _, _, violation in BROKEN} == {
        rule.__name__ for rule in OF_WORKFLOWS
    }
