"""Builds Dapr's certificate authority `sentry`, and runs it for sidecars with mTLS."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.gobuild import go_program
from todo_embedded.ports import free_port
from todo_embedded.probe import answers
from todo_embedded.process import ServerProcess
from todo_embedded.tools import OnMessage, ignore_progress

START_TIMEOUT_SECONDS = 30
CONFIGURATION = """
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: sentry}
spec: {mtls: {enabled: true, workloadCertTTL: 24h, allowedClockSkew: 15m}}
"""


@dataclass(frozen=True)
class Authority:
    """A running sentry; sidecars trust `anchors` (PEM), and their identities are in `trust_domain`."""

    address: str
    anchors: str
    trust_domain: str

    @property
    def daprd_options(self) -> dict[str, str]:
        """Flags of a sidecar with mTLS; others must reach its internal port, so it listens everywhere."""
        return {
            "enable-mtls": "true",
            "sentry-address": self.address,
            "control-plane-trust-domain": self.trust_domain,
            "control-plane-namespace": "default",
            "dapr-internal-grpc-listen-address": "0.0.0.0",  # noqa: S104  # mDNS announces the host's address
        }

    def environment(self, namespace: str) -> Mapping[str, str]:
        """Returns the environment of a sidecar that belongs to a namespace."""
        return {"DAPR_TRUST_ANCHORS": self.anchors, "NAMESPACE": namespace}


@contextmanager
def sentry(
    folder: Path, *, trust_domain: str = "public", progress: OnMessage = ignore_progress
) -> Iterator[Authority]:
    """Runs a sentry with a new root certificate in `folder` for the duration of the block.

    Raises:
        EmbeddedError: sentry could not be built or started.
    """
    program = go_program(
        "sentry",
        "sentry_main",
        package="github.com/dapr/dapr/cmd/sentry",
        minutes=2,
        remedy="run the tests of mTLS where it can be built",
        progress=progress,
    )
    credentials, configuration = folder / "credentials", folder / "sentry.yaml"
    credentials.mkdir()
    configuration.write_text(CONFIGURATION)
    port, health_port = free_port(), free_port()
    command = [
        str(program),
        "--mode=standalone",
        f"--issuer-credentials={credentials}",
        f"--config={configuration}",
        f"--port={port}",
        "--listen-address=127.0.0.1",
        f"--healthz-port={health_port}",
        "--healthz-listen-address=127.0.0.1",
        "--enable-metrics=false",
        f"--trust-domain={trust_domain}",
    ]
    with ServerProcess("sentry", command, env=os.environ) as process:
        process.wait_until_ready(
            lambda: answers(f"http://127.0.0.1:{health_port}/healthz"), timeout_seconds=START_TIMEOUT_SECONDS
        )
        anchors = (credentials / "ca.crt").read_text()
        yield Authority(f"127.0.0.1:{port}", anchors, trust_domain)
