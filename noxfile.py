"""The checks of this repository, one session a subject; `./nox -l` lists them.

A session changes nothing outside its environment and build folders. What acts (up, release) is in tasks.py.
"""

from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True
nox.options.sessions = ["tests", "lint", "types", "chart", "images", "workflows", "up", "rehearsal"]

ROOT = Path(__file__).parent
FRONTEND = "services/frontend"
PACKAGES = {
    "todo-kit": "libs/todo_kit",
    "todo-embedded": "libs/todo_embedded",
    "todo-local": "libs/todo_local",
    "todo-backend": "services/backend",
    "todo-mcp": "services/mcp",
    "todo-notification": "services/notification",
    "todo-sse-gateway": "services/sse_gateway",
    "todo-release": "release",
}


def sync(session: nox.Session, *selection: str) -> None:
    """Make the session's environment exactly what uv.lock holds for the selection, and nothing besides."""
    session.run_install(
        "uv",
        "sync",
        "--quiet",
        "--frozen",
        "--no-default-groups",
        *selection,
        f"--python={session.virtualenv.location}",
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
        external=True,
    )


def npm(session: nox.Session, *args: str) -> None:
    """Run npm of the pinned Node in the frontend's folder."""
    session.run("python", "-m", "todo_embedded", "npm", "--prefix", FRONTEND, *args)


@nox.session
@nox.parametrize("package", [*PACKAGES, "frontend"], ids=[*PACKAGES, "frontend"])
def tests(session: nox.Session, package: str) -> None:
    """Run one package's tests in an environment of only what that package declares."""
    if package == "frontend":
        sync(session, "--package=todo-embedded")
        npm(session, "ci", "--no-audit", "--no-fund")
        npm(session, "test")
    else:
        sync(session, f"--package={package}", "--group=test")
        session.run("pytest", PACKAGES[package], *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style of Python, shell, workflows and TypeScript."""
    sync(session, "--all-packages", "--group=lint")
    session.run("uv", "lock", "--check", "--quiet", external=True)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("shellcheck", "--shell=sh", "inv", "nox", "bin/bootstrap", ".ci/run")
    workflows = sorted(str(path) for path in Path(".github/workflows").glob("*.yml"))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("zizmor", "--offline", "--quiet", "--persona=pedantic", ".github")
    npm(session, "ci", "--no-audit", "--no-fund")
    npm(session, "run", "lint")


@nox.session
def types(session: nox.Session) -> None:
    """Check types of Python and TypeScript."""
    sync(session, "--all-packages", "--group=dev", "--group=lint")
    session.run("mypy", *(f"{folder}/src" for folder in PACKAGES.values()), "tasks.py", "noxfile.py")
    session.run("mypy", "--package=bench")
    npm(session, "ci", "--no-audit", "--no-fund")
    npm(session, "run", "typecheck")


@nox.session
def chart(session: nox.Session) -> None:
    """Render the chart for every environment and hold it against schemas, limits and the expected objects."""
    sync(session, "--group=chart")
    session.run("pytest", "tests/chart", *session.posargs)


@nox.session
def images(session: nox.Session) -> None:
    """Hold the Dockerfiles to the rules of the house, to the chart and to the inputs in release.yaml."""
    sync(session, "--group=images")
    session.run("pytest", "tests/images", *session.posargs)


@nox.session
def workflows(session: nox.Session) -> None:
    """Hold workflows and documents against the commands, sessions, environments and images there are."""
    sync(session, "--group=workflows")
    session.run("pytest", "tests/workflows", *session.posargs)


@nox.session(venv_backend="none")
def up(session: nox.Session) -> None:
    """Start the whole application locally, use it as two clients would, and stop it."""
    session.run("./inv", "up", "--check", external=True)


@nox.session(venv_backend="none")
def rehearsal(session: nox.Session) -> None:
    """Rehearse a release of what is checked out, as `inv release` does where no cluster is configured."""
    nowhere = {"KUBECONFIG": "/dev/null", "GITHUB_ACTIONS": ""}  # a workflow must not be content with this
    session.run("./inv", "release", "--version", "99.0.0", env=nowhere, external=True)


@nox.session
def system(session: nox.Session) -> None:
    """Try every fault in a rehearsal; then release to a real cluster and use what was released, as root."""
    sync(session, "--all-packages", "--group=system")
    session.run("pytest", "release/tests/rehearsal/test_trials.py", "-m", "")
    session.run("pytest", "tests/system", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the engine beside what teams use instead; most of it needs a real cluster and root."""
    sync(session, "--all-packages", "--group=bench", "--compile-bytecode")
    # Contestants written in Python keep what they compiled, as everywhere but in some containers.
    environ = {"PYTHONDONTWRITEBYTECODE": ""}
    session.run("python", "-m", "bench.release", *session.posargs, env=environ)
