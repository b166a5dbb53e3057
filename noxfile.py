"""The checks of this repository, one session for each subject; `./nox -l` lists them.

A session changes nothing outside its environment and build folders. tasks.py has the actions (up, release).
"""

from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.error_on_external_run = True
nox.options.sessions = [
    "tests",
    "lint",
    "types",
    "chart",
    "images",
    "monitoring",
    "workflows",
    "up",
    "rehearsal",
    "house",
]

ROOT = Path(__file__).parent
FRONTEND = "services/frontend"
PACKAGES = {
    "todo-kit": "libs/todo_kit",
    "todo-embedded": "libs/todo_embedded",
    "todo-local": "libs/todo_local",
    "todo-synthetic-user": "libs/todo_synthetic_user",
    "todo-backend": "services/backend",
    "todo-mcp": "services/mcp",
    "todo-notification": "services/notification",
    "todo-sse-gateway": "services/sse_gateway",
    "todo-release": "release",
    "todo-cluster": "libs/todo_cluster",
    "todo-dashboards": "libs/todo_dashboards",
}


def sync(session: nox.Session, *selection: str) -> None:
    """Install into the session's environment exactly the part of uv.lock that the selection needs."""
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
    """Run npm of the pinned Node.js version in the frontend's folder."""
    session.run("python", "-m", "todo_embedded", "npm", "--prefix", FRONTEND, *args)


@nox.session
@nox.parametrize("package", [*PACKAGES, "frontend"], ids=[*PACKAGES, "frontend"])
def tests(session: nox.Session, package: str) -> None:
    """Run the tests of one package in an environment with only the dependencies that it declares."""
    if package == "frontend":
        sync(session, "--package=todo-embedded")
        npm(session, "ci", "--no-audit", "--no-fund")
        npm(session, "test")
    else:
        sync(session, f"--package={package}", "--group=test")
        session.run("pytest", PACKAGES[package], *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of Python, shell, workflows and TypeScript."""
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
    """Check the types of Python and TypeScript."""
    sync(session, "--all-packages", "--group=dev", "--group=lint")
    session.run("mypy", *(f"{folder}/src" for folder in PACKAGES.values()), "tasks.py", "noxfile.py")
    session.run("mypy", "--package=bench")
    npm(session, "ci", "--no-audit", "--no-fund")
    npm(session, "run", "typecheck")


@nox.session
def chart(session: nox.Session) -> None:
    """Render the chart for every environment and check it; ask a real API server what accounts may do."""
    sync(session, "--group=chart")
    session.run("pytest", "tests/chart", "tests/access", *session.posargs)


@nox.session
def images(session: nox.Session) -> None:
    """Check the Dockerfiles against the house rules, the chart and the inputs in release.yaml."""
    sync(session, "--group=images")
    session.run("pytest", "tests/images", *session.posargs)


@nox.session
def monitoring(session: nox.Session) -> None:
    """Ask a real Prometheus that scrapes the running services every query of the dashboards and rules."""
    sync(session, "--all-packages", "--group=monitoring")
    session.run("pytest", "tests/monitoring", *session.posargs)


@nox.session
def workflows(session: nox.Session) -> None:
    """Check that workflows and documents name commands, sessions, environments and images that exist."""
    sync(session, "--group=workflows")
    session.run("pytest", "tests/workflows", *session.posargs)


@nox.session
def house(session: nox.Session) -> None:
    """Check the rules of the house: who may import what, who starts programs, plain words, sizes."""
    sync(session, "--all-packages", "--group=house")
    session.run("pytest", "tests/house", *session.posargs)


@nox.session(venv_backend="none")
def up(session: nox.Session) -> None:
    """Start the whole application locally, use it as two clients would, and stop it."""
    session.run("./inv", "up", "--check", external=True)


@nox.session(venv_backend="none")
def rehearsal(session: nox.Session) -> None:
    """Rehearse a release of the work tree, as `inv release` does where no cluster is configured."""
    nowhere = {"KUBECONFIG": "/dev/null", "GITHUB_ACTIONS": ""}  # in a workflow a missing cluster is an error
    session.run("./inv", "release", "--version", "99.0.0", env=nowhere, external=True)


@nox.session
def system(session: nox.Session) -> None:
    """Inject faults, rehearse other applications; then, as root, release to a real cluster and use it."""
    sync(session, "--all-packages", "--group=system")
    for name in ("fault_trials", "applications"):
        session.run("pytest", f"release/tests/rehearsal/test_{name}.py", "-m", "")
    session.run("pytest", "tests/system", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare the engine with other release tools; most benchmarks need a real cluster and root."""
    sync(session, "--all-packages", "--group=bench", "--compile-bytecode")
    # Tools written in Python keep their compiled files, as they do on any developer machine.
    environ = {"PYTHONDONTWRITEBYTECODE": ""}
    session.run("python", "-m", "bench.release", *session.posargs, env=environ)
