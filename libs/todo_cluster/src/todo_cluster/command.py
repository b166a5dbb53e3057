"""Runs one command for the cluster: its options, both configurations, and one place that shows errors."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from todo_cluster.config import loader
from todo_cluster.config.model import ClusterConfig
from todo_release.adapters import signals
from todo_release.config import loader as release_loader
from todo_release.config.model import Config
from todo_release.config.overrides import Overrides, from_environment
from todo_release.errors import INTERRUPTED, DeclinedError, ReleaseError
from todo_release.report import github_actions
from todo_release.report.reporter import Output, Reporter, choose_reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """The options that every command for the cluster takes.

    Attributes:
        cluster_files: Partial cluster.yaml files, later ones win.
        release_overrides: What is laid over release.yaml.
        context: Leads to the cluster that is meant, instead of what cluster.yaml says.
        is_agreed: Answers every question with yes.
    """

    cluster_files: tuple[Path, ...] = ()
    release_overrides: Overrides = field(default_factory=Overrides)
    context: str | None = None
    output: Output = "auto"
    is_agreed: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True)
class ClusterCommand:
    """One command that runs: the repository, what both files say, and where it reports."""

    root: Path
    options: ClusterOptions
    reporter: Reporter

    @cached_property
    def cluster(self) -> ClusterConfig:
        """What cluster.yaml says."""
        return loader.load(self.root, self.options.cluster_files, context=self.options.context)

    @cached_property
    def release(self) -> Config:
        """What release.yaml says, with the same overrides as in a release."""
        overrides = self.options.release_overrides.over(from_environment(self.options.environ))
        return release_loader.load(self.root, overrides)

    def confirm(self, question: str) -> None:
        """Asks a person, unless the command was called with `--yes`.

        Raises:
            DeclinedError: The answer is no, or there is nobody to ask.
        """
        if not self.options.is_agreed and not self.reporter.ask(question):
            raise DeclinedError("Nobody agreed, so nothing was changed.", remedy="Answer yes, or use --yes.")


def run_command(root: Path, options: ClusterOptions, answer: Callable[[ClusterCommand], int]) -> int:
    """Calls `answer`; shows every error once, here, and returns its exit code."""
    reporter = choose_reporter(options.output, options.environ)
    try:
        with signals.orderly_end():
            return answer(ClusterCommand(root, options, reporter))
    except ReleaseError as error:
        reporter.show_error(error)
        if options.environ.get("GITHUB_ACTIONS"):
            github_actions.annotate_error(error, sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        reporter.close()
