"""Keys and certificates of a plane."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.verification import ClientVerifier, PolicyBuilder, Store, VerificationError

from todo_embedded.controlplane.pki import Authority, KeyPair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority with a folder of its own."""
    return Authority(tmp_path / "pki")


def load(path: Path) -> x509.Certificate:
    """The certificate in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def verifier(authority: Authority) -> ClientVerifier:
    """Checks certificates of clients of this authority."""
    return PolicyBuilder().store(Store([load(authority.certificate)])).build_client_verifier()


def test_certificate_serves_the_loopback_address(authority: Authority) -> None:
    """A client that trusts the authority and asks 127.0.0.1 accepts it."""
    certificate = load(authority.issue("etcd").certificate)
    name = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    policy = PolicyBuilder().store(Store([load(authority.certificate)]))
    assert policy.build_server_verifier(name).verify(certificate, [])[0] == certificate


def test_certificate_names_user_and_group(authority: Authority) -> None:
    """Kubernetes takes the user from the common name and the group from the organization."""
    certificate = load(authority.issue("anna", "system:masters").certificate)
    verifier(authority).verify(certificate, [])
    assert certificate.subject.rfc4514_string() == "O=system:masters,CN=anna"


def test_stranger_of_the_same_name_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    """A certificate of another plane is worth nothing here."""
    stranger = Authority(tmp_path / "other").issue("anna", "system:masters")
    with pytest.raises(VerificationError):
        verifier(authority).verify(load(stranger.certificate), [])


def test_certificate_is_valid_for_days_not_years(authority: Authority) -> None:
    """A key that was left behind is soon worth nothing."""
    certificate = load(authority.issue("etcd").certificate)
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < now
    assert certificate.not_valid_after_utc < now + datetime.timedelta(days=31)


def test_keys_are_for_their_owner(authority: Authority) -> None:
    """Neither the folder nor a key may be read by others, and each key belongs to its public half."""
    pairs: list[KeyPair] = [authority.issue("etcd"), authority.signing_key("tokens")]
    assert [pair.key.stat().st_mode & 0o777 for pair in pairs] == [0o600, 0o600]
    assert authority.certificate.parent.stat().st_mode & 0o777 == 0o700
    certified, signing = (load_pem_private_key(pair.key.read_bytes(), None).public_key() for pair in pairs)
    assert load(pairs[0].certificate).public_key() == certified
    assert load_pem_public_key(pairs[1].certificate.read_bytes()) == signing
