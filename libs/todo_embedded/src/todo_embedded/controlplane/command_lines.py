"""The command lines of a control plane's programs, which listen on 127.0.0.1 only, with TLS.

The flags suit a short life: no sync to disk, no leader election, no client throttling. What the programs
decide (admission, quotas, scheduling) keeps its defaults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from todo_embedded.controlplane.binaries import ControlPlaneBinaries
from todo_embedded.controlplane.kubeconfig import write_kubeconfig
from todo_embedded.controlplane.pki import CertificateAuthority, KeyPair
from todo_embedded.ports import free_port

SERVICE_CLUSTER_IP_RANGE = "10.245.0.0/16"
ADMINISTRATORS = "system:masters"  # the group to which Kubernetes allows everything
NO_CLIENT_THROTTLING = {"kube-api-qps": "1000", "kube-api-burst": "2000"}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the programs listen."""

    etcd: int
    etcd_peer: int
    api_server: int
    kubelets: int

    @classmethod
    def free(cls) -> "Ports":
        """Returns ports that nobody listens on."""
        return cls(free_port(), free_port(), free_port(), free_port())


class CommandLines:
    """The commands of one control plane, which keeps its keys, data and settings in one folder."""

    def __init__(self, binaries: ControlPlaneBinaries, folder: Path, ports: Ports) -> None:
        """Creates the keys and certificates."""
        self._binaries = binaries
        self._folder = folder
        self._ports = ports
        self._authority = CertificateAuthority(folder / "pki")
        self._token_keys = self._authority.signing_key("service-accounts")
        self.administrator = self._authority.issue("rehearsal-admin", ADMINISTRATORS)
        self.url = f"https://127.0.0.1:{ports.api_server}"
        self.kubeconfig = self._kubeconfig("kubeconfig", self.administrator)

    @property
    def authority(self) -> Path:
        """Certificate of the authority that signed all the others."""
        return self._authority.certificate

    def etcd(self) -> list[str]:
        """Returns the command of etcd: one member, without sync to disk."""
        pair = self._authority.issue("etcd")
        clients, peers = (f"https://127.0.0.1:{port}" for port in (self._ports.etcd, self._ports.etcd_peer))
        identity = {
            "cert-file": pair.certificate,
            "key-file": pair.key,
            "trusted-ca-file": self.authority,
            "client-cert-auth": "true",
        }
        return _command(
            self._binaries.etcd,
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
        """Returns the command of the API server, with default admission and, beta in 1.34, CEL mutation."""
        pair = self._authority.issue("kube-apiserver", ADMINISTRATORS)
        return _command(
            self._binaries.api_server,
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
                "kubelet-preferred-address-types": "InternalDNS",  # the nodes' InternalIP does not exist
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": self._token_keys.certificate,
                "service-account-signing-key-file": self._token_keys.key,
                "service-cluster-ip-range": SERVICE_CLUSTER_IP_RANGE,
                "endpoint-reconciler-type": "none",  # a loopback address is not a valid endpoint
                "feature-gates": "MutatingAdmissionPolicy=true",
                "runtime-config": "admissionregistration.k8s.io/v1beta1=true",
                "allow-privileged": "true",
                "profiling": "false",
            },
        )

    def controller_manager(self) -> list[str]:
        """Returns the command of all controllers; they share an administrator, as accounts have no tokens."""
        return _command(
            self._binaries.controller_manager,
            {
                "kubeconfig": self._client("kube-controller-manager", ADMINISTRATORS),
                "leader-elect": "false",
                "secure-port": "0",
                "root-ca-file": self.authority,
                "service-account-private-key-file": self._token_keys.key,
                # A simulated node never fails; a slow computer must not make it look so.
                "node-monitor-grace-period": "10m",
                "profiling": "false",
            }
            | NO_CLIENT_THROTTLING,
        )

    def scheduler(self) -> list[str]:
        """Returns the command of the default scheduler."""
        client = self._client("system:kube-scheduler")
        return _command(
            self._binaries.scheduler,
            {"kubeconfig": client, "leader-elect": "false", "secure-port": "0", "profiling": "false"}
            | NO_CLIENT_THROTTLING,
        )

    def kwok(self, configuration: Path) -> list[str]:
        """Returns the command of kwok, the kubelet of all nodes; `configuration` holds its Stage objects."""
        pair = self._authority.issue("kwok", ADMINISTRATORS)
        return _command(
            self._binaries.kwok,
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
