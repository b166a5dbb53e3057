"""The Python services with sidecars, database and broker on this machine, on free ports.

There is no frontend: tokens come from the kit's issuer. Everything else is what `inv up` runs.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from rich.console import Console as RichConsole

from todo_embedded.ports import free_port
from todo_kit.testing.tokens import TokenIssuer
from todo_local.application import Application
from todo_local.console import Console
from todo_local.data_folder import DataFolder
from todo_local.runfile import App, read_run_file
from todo_local.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
WITHOUT = ("frontend", "origin")


@dataclass(frozen=True)
class RunningServices:
    """The services, and how they are used and scraped."""

    apps: tuple[App, ...]
    issuer: TokenIssuer

    def scrapes(self, namespace: str) -> list[dict[str, object]]:
        """Returns scrape configurations with the labels that the chart's monitors give."""
        targets = [(app.app_id, app.app_id, app.app_port) for app in self.apps]
        targets += [("daprd", app.app_id, app.dapr_metrics_port) for app in self.apps]
        return [
            {
                "job_name": f"{job}-of-{app_id}",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                "relabel_configs": [
                    {"target_label": "job", "replacement": job},
                    {"target_label": "namespace", "replacement": namespace},
                    {"target_label": "pod", "replacement": f"{app_id}-0"},
                ],
            }
            for job, app_id, port in targets
        ]

    def use(self) -> None:
        """Opens a stream, creates, completes and deletes a task, and is refused once."""
        ports = {app.app_id: app.app_port for app in self.apps}
        token = self.issuer.token(f"user-{secrets.token_hex(4)}")
        headers = {"Authorization": f"Bearer {token}"}
        tasks = f"http://127.0.0.1:{ports['backend']}/api/todos"
        with (
            httpx2.Client(headers=headers, timeout=20, trust_env=False) as client,
            client.stream("GET", f"http://127.0.0.1:{ports['sse-gateway']}/sse/tasks") as stream,
        ):
            lines = stream.iter_lines()
            next(lines)  # the greeting
            created = client.post(tasks, json={"title": "Water the plants"}).raise_for_status().json()
            done = {"completed": True}
            client.patch(f"{tasks}/{created['id']}", json=done).raise_for_status()
            next(line for line in lines if line.startswith("data:"))
            client.delete(f"{tasks}/{created['id']}").raise_for_status()
            assert client.get(f"{tasks}/{created['id']}").status_code == 404


@contextmanager
def running_services(folder: Path) -> Iterator[RunningServices]:
    """Runs the services for the duration of the block, with their data and logs in a folder."""
    data = DataFolder(folder, is_kept=False)
    data.logs_dir.mkdir(parents=True)
    issuer_port = free_port()
    issuer = TokenIssuer(f"http://localhost:{issuer_port}")
    with (
        issuer,
        (folder / "console.log").open("w") as output,
        Console(RichConsole(file=output), quiet_lines=True) as console,
    ):
        apps = tuple(_on_free_ports(app, issuer.jwks_url) for app in read_run_file(ROOT / "dapr.yaml"))
        application = Application(ROOT, apps, data, console, port=issuer_port)
        parts = [part for part in application.parts() if not part.name.startswith(WITHOUT)]
        supervisor = Supervisor(parts, console, data.logs_dir)
        try:
            assert supervisor.start()
            yield RunningServices(apps, issuer)
        finally:
            supervisor.stop()


def _on_free_ports(app: App, jwks_url: str) -> App:
    return replace(
        app,
        app_port=free_port(),
        dapr_http_port=free_port(),
        dapr_grpc_port=free_port(),
        dapr_internal_grpc_port=free_port(),
        dapr_metrics_port=free_port(),
        env={**app.env, "JWKS_URL": jwks_url},
    )
