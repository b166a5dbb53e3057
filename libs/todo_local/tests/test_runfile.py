"""The run file: which keys a local run supports, and how mistakes are reported."""

from pathlib import Path

import pytest

from todo_local.application import sidecar_command
from todo_local.errors import RunFileError
from todo_local.runfile import read_run_file

ROOT = Path(__file__).parents[3]

MINIMAL = """
version: 1
common:
  resourcesPaths: [resources]
  enableAppHealthCheck: true
  appHealthThreshold: 3
  env: {SHARED: common, WHO: common}
apps:
  - appID: shop
    appDirPath: apps/shop
    command: [python, -m, shop]
    appPort: 8000
    daprHTTPPort: 3500
    daprGRPCPort: 50001
    daprInternalGRPCPort: 50011
    metricsPort: 9091
    appHealthThreshold: 5
    env: {WHO: shop}
"""


def written(tmp_path: Path, text: str) -> Path:
    """Writes a run file with this text."""
    path = tmp_path / "dapr.yaml"
    path.write_text(text)
    return path


def test_app_overrides_common(tmp_path: Path) -> None:
    """Keys of an app win over those of `common`, variable by variable in `env`; paths start at the file."""
    (app,) = read_run_file(written(tmp_path, MINIMAL))
    assert app.env == {"SHARED": "common", "WHO": "shop"}
    assert app.folder == tmp_path / "apps" / "shop"
    assert app.resources_paths == (tmp_path / "resources",)
    assert app.daprd_options == {"enable-app-health-check": "true", "app-health-threshold": "5"}


def test_sidecar_gets_what_the_file_says(tmp_path: Path) -> None:
    """Ports, resources and health checks of the file become flags of daprd."""
    (app,) = read_run_file(written(tmp_path, MINIMAL))
    command = sidecar_command(Path("daprd"), app)
    assert {
        "--app-id=shop",
        "--app-port=8000",
        "--dapr-http-port=3500",
        "--dapr-grpc-port=50001",
        "--dapr-internal-grpc-port=50011",
        "--metrics-port=9091",
        "--enable-app-health-check=true",
        "--app-health-threshold=5",
        f"--resources-path={tmp_path / 'resources'}",
    } <= set(command)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (("version: 1", "version: 2"), "version: input should be 1"),
        (("    appPort: 8000\n", ""), "apps.0.appPort: field required"),
        (("appPort: 8000", 'appPort: "8000"'), "apps.0.appPort: input should be a valid integer"),
        (
            ("appPort: 8000", "unixDomainSocket: /tmp"),
            "apps.0.unixDomainSocket: extra inputs are not permitted",
        ),
        (
            ("env: {WHO: shop}", "placementHostAddress: here"),
            "apps.0.placementHostAddress: input should be ''",
        ),
        (("daprHTTPPort: 3500", "daprHTTPPort: 8000"), "gives shop one port twice"),
    ],
    ids=["version", "missing", "type", "unknown key", "actors", "port twice"],
)
def test_mistake_is_reported_with_its_place(tmp_path: Path, mistake: tuple[str, str], message: str) -> None:
    """A key that a local run does not support is an error, rather than having no effect."""
    assert mistake[0] in MINIMAL
    with pytest.raises(RunFileError) as raised:
        read_run_file(written(tmp_path, MINIMAL.replace(*mistake)))
    assert message in raised.value.problem


def test_port_of_two_apps_is_an_error_that_names_both(tmp_path: Path) -> None:
    """Two apps cannot listen on one port."""
    second = MINIMAL[MINIMAL.index("  - appID") :].replace("shop", "till")
    for port in ("3500", "50001", "50011", "9091"):
        second = second.replace(port, f"{int(port) + 100}")
    with pytest.raises(RunFileError, match="gives port 8000 to shop and to till"):
        read_run_file(written(tmp_path, MINIMAL + second))


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    """A folder that is not the repository gives an error, not a traceback."""
    with pytest.raises(RunFileError, match=r"dapr\.yaml cannot be read"):
        read_run_file(tmp_path / "dapr.yaml")


def test_run_file_of_this_repository_is_complete() -> None:
    """It has exactly the four services with a sidecar, each with the port of its contract."""
    apps = read_run_file(ROOT / "dapr.yaml")
    assert {app.app_id: app.app_port for app in apps} == {
        "backend": 8000,
        "notification": 8002,
        "sse-gateway": 8003,
        "mcp": 8001,
    }
    assert [app.app_id for app in apps if not app.folder.is_dir()] == []
    assert [path for app in apps for path in app.resources_paths if not path.is_dir()] == []
