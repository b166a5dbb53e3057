"""Runs `init`: writes release.yaml, and shows what was found and what was not."""

from pathlib import Path

from todo_release.adapters.git import Repository
from todo_release.config import loader
from todo_release.config.model import FILE_NAME
from todo_release.errors import ConfigError, ReleaseError, RepositoryError
from todo_release.report.reporter import Reporter, choose_reporter
from todo_release.session import CommandOptions
from todo_release.starter.document import render
from todo_release.starter.survey import Survey, survey


def init(root: Path, options: CommandOptions) -> int:
    """Writes release.yaml at the root of the repository that a folder is in; returns the exit code.

    Of the options, `registry` and `context` count.
    """
    reporter = choose_reporter(options.output, options.environ)
    try:
        _init(root, options, reporter)
    except ReleaseError as error:
        reporter.show_error(error)
        return error.code
    finally:
        reporter.close()
    return 0


def _init(root: Path, options: CommandOptions, reporter: Reporter) -> None:
    folder = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if folder is None:
        raise RepositoryError(
            f"{root} is in no git repository.",
            remedy="Run `git init` there, and add the application's files.",
        )
    file = folder / FILE_NAME
    if file.exists():
        raise ConfigError(f"{file} exists already.", remedy="Edit it, or remove it to have it written anew.")
    overrides = options.overrides
    found = survey(
        Repository(folder),
        options.environ,
        registry=overrides.registry if overrides else None,
        context=overrides.context if overrides else None,
    )
    text = render(found)
    with file.open("x", encoding="utf-8") as opened:
        opened.write(text)
    loader.load(folder)  # what cannot be read would be a defect of this module
    for line in _report(found, file):
        reporter.show_text(line)


def _report(found: Survey, file: Path) -> list[str]:
    images = ", ".join(
        f"{image.name} ({image.dockerfile}, {' and '.join(values)})" for image, values in found.images
    )
    return [
        f"Wrote {file}.",
        f"Chart: {found.chart}. Images: {images}.",
        f"Environments: {', '.join(environment.name for environment in found.environments)}.",
        *(f"Not found: {sentence}" for sentence in found.missing),
        "Read it, correct what is marked, and commit it. Then `plan --version 0.1.0` shows the release.",
    ]
