"""Runs a few lines of Python inside a pod, as its application could, and reads what they print."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=4).close()
    print('"connected"')
except socket.gaierror:
    print('"no such name"')
except TimeoutError:
    print('"timed out"')
except OSError as error:
    print('"refused"')
"""
REQUEST = """
import json, os, sys, urllib.error, urllib.request
method, url, headers, body = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
headers = {name: os.environ[value[1:]] if value.startswith("$") else value for name, value in headers.items()}
request = urllib.request.Request(url, body.encode() or None, headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    print(json.dumps([0, str(error)]))
    sys.exit()
print(json.dumps([answer.status, answer.read(2000).decode(errors="replace")]))
"""


@dataclass(frozen=True)
class PodShell:
    """A pod that has Python, by its Deployment or name (`deployment/web`, `pod/shell`)."""

    namespace: str
    name: str
    container: str = ""

    def wait_until_ready(self) -> None:
        """Returns when the pod is ready; fails after 90 s."""
        subprocess.run(
            [
                "kubectl",
                "wait",
                self.name,
                f"--namespace={self.namespace}",
                "--for=condition=Ready",
                "--timeout=90s",
            ],
            capture_output=True,
            check=True,
        )

    def connect(self, host: str, port: int) -> str:
        """Returns `connected`, `refused`, `timed out` or `no such name`."""
        return str(self._run(CONNECT, host, str(port)))

    def request(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, body: str = ""
    ) -> tuple[int, str]:
        """Returns status (0 without an answer) and body; a header `$X` is the variable X of the pod."""
        status, text = self._run(REQUEST, method, url, json.dumps(headers or {}), body)
        return int(status), str(text)

    def _run(self, program: str, *arguments: str) -> Any:
        container = ["--container", self.container] if self.container else []
        command = ["kubectl", "exec", "--namespace", self.namespace, self.name, *container, "--"]
        done = subprocess.run(
            [*command, "python", "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"python in {self.namespace}/{self.name}: {done.stderr[-2000:]}")
        return json.loads(done.stdout)
