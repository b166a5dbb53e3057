"""The command lines of a control plane's programs. All listen on 127.0.0.1 only, with TLS.

They are set up for a short life: nothing is synced to disk, nobody elects leaders, and no client is slowed
down. What they decide (admission, quotas, scheduling) is left as it comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.controlplane.binaries import Programs
from todo_embedded.controlplane.kubeconfig import write_kubeconfig
from todo_embedded.controlplane.pki import Authority, KeyPair
from todo_embedded.ports import free_port

SERVICE_ADDRESSES = "10.245.0.0/16"
ADMINISTRATORS = "system:masters"  # the group that Kubernetes lets do everything
UNHURRIED = {"kube-api-qps": "1000", "kube-api-burst": "2000"}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the programs listen."""

    etcd: int
    etcd_peer: int
    api_server: int
    kubelets: int

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody listens on."""
        return cls(free_port(), free_port(), free_port(), free_port())


class Servers:
    """The commands of one control plane, whose keys, data and settings lie in one folder."""

    def __init__(self, programs: Programs, folder: Path, ports: Ports) -> None:
        """Make the keys and certificates."""
        self._programs = programs
        self._folder = folder
        self._ports = ports
        self._authority = Authority(folder / "pki")
        self._tokens = self._authority.signing_key("service-accounts")
        self.administrator = self._authority.issue("rehearsal-admin", ADMINISTRATORS)
        self.url = f"https://127.0.0.1:{ports.api_server}"
        self.kubeconfig = self._kubeconfig("kubeconfig", self.administrator)

    @property
    def authority(self) -> Path:
        """The certificate that all others are signed with."""
        return self._authority.certificate

    def etcd(self) -> list[str]:
        """The store: one member, whose data is not synced to disk."""
        pair = self._authority.issue("etcd")
        clients, peers = (f"https://127.0.0.1:{port}" for port in (self._ports.etcd, self._ports.etcd_peer))
        identity = {
            "cert-file": pair.certificate,
            "key-file": pair.key,
            "trusted-ca-file": self.authority,
            "client-cert-auth": "true",
        }
        return _command(
            self._programs.etcd,
            {
                "data-dir": self._folder / "etcd",
                "listen-client-urls": clients,
                "advertise-client-urls": clients,
                "listen-peer-urls": peers,
                "initial-advertise-peer-urls": peers,
                "initial-cluster": f"default={peers}",
                "unsafe-no-fsync": "true",
                "log-level": "warn",
            }
            | identity
            | {f"peer-{name}": value for name, value in identity.items()},
        )

    def api_server(self) -> list[str]:
        """The API, with the admission that is on by default and mutating policies in CEL, beta in 1.34."""
        pair = self._authority.issue("kube-apiserver", ADMINISTRATORS)
        return _command(
            self._programs.api_server,
            {
                "bind-address": "127.0.0.1",
                "secure-port": self._ports.api_server,
                "tls-cert-file": pair.certificate,
                "tls-private-key-file": pair.key,
                "client-ca-file": self.authority,
                "anonymous-auth": "false",
                "authorization-mode": "RBAC",
                "etcd-servers": f"https://127.0.0.1:{self._ports.etcd}",
                "etcd-cafile": self.authority,
                "etcd-certfile": pair.certificate,
                "etcd-keyfile": pair.key,
                "kubelet-client-certificate": pair.certificate,
                "kubelet-client-key": pair.key,
                "kubelet-certificate-authority": self.authority,
                "kubelet-preferred-address-types": "InternalDNS",  # the nodes' InternalIP is made up
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": self._tokens.certificate,
                "service-account-signing-key-file": self._tokens.key,
                "service-cluster-ip-range": SERVICE_ADDRESSES,
                "endpoint-reconciler-type": "none",  # a loopback address is no endpoint for pods
                "feature-gates": "MutatingAdmissionPolicy=true",
                "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
                "allow-privileged": "true",
                "profiling": "false",
            },
        )

    def controller_manager(self) -> list[str]:
        """All controllers, as one administrator: service accounts would have to be given tokens first."""
        return _command(
            self._programs.controller_manager,
            {
                "kubeconfig": self._client("kube-controller-manager", ADMINISTRATORS),
                "leader-elect": "false",
                "secure-port": "0",
                "root-ca-file": self.authority,
                "service-account-private-key-file": self._tokens.key,
                # Of a simulated machine only this computer can be slow.
                "node-monitor-grace-period": "10m",
                "profiling": "false",
            }
            | UNHURRIED,
        )

    def scheduler(self) -> list[str]:
        """The scheduler as it is by default."""
        client = self._client("system:kube-scheduler")
        return _command(
            self._programs.scheduler,
            {"kubeconfig": client, "leader-elect": "false", "secure-port": "0", "profiling": "false"}
            | UNHURRIED,
        )

    def kwok(self, configuration: Path) -> list[str]:
        """The kubelets of all nodes; `configuration` has the stages they play."""
        pair = self._authority.issue("kwok", ADMINISTRATORS)
        return _command(
            self._programs.kwok,
            {
                "kubeconfig": self._kubeconfig("kwok.kubeconfig", pair),
                "config": configuration,
                "manage-all-nodes": "true",
                "node-lease-duration-seconds": "200",
                "node-port": self._ports.kubelets,
                "server-address": f"127.0.0.1:{self._ports.kubelets}",
                "tls-cert-file": pair.certificate,
                "tls-private-key-file": pair.key,
            },
        )

    def _client(self, name: str, organization: str | None = None) -> Path:
        return self._kubeconfig(f"{name}.kubeconfig", self._authority.issue(name, organization))

    def _kubeconfig(self, name: str, user: KeyPair) -> Path:
        return write_kubeconfig(self._folder / name, url=self.url, authority=self.authority, user=user)


def _command(program: Sequence[str], flags: Mapping[str, object]) -> list[str]:
    return [*program, *(f"--{name}={value}" for name, value in flags.items())]
