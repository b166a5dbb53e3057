"""Keys and certificates of a control plane."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.verification import ClientVerifier, PolicyBuilder, Store, VerificationError

from todo_embedded.controlplane.pki import CertificateAuthority, KeyPair


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """Returns a certificate authority."""
    return CertificateAuthority(tmp_path / "pki")


def load(path: Path) -> x509.Certificate:
    """Returns the certificate in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def verifier(authority: CertificateAuthority) -> ClientVerifier:
    """Returns a check of client certificates against this authority."""
    return PolicyBuilder().store(Store([load(authority.certificate)])).build_client_verifier()


def test_certificate_serves_the_loopback_address(authority: CertificateAuthority) -> None:
    """A client that trusts the authority accepts the certificate from 127.0.0.1."""
    certificate = load(authority.issue("etcd").certificate)
    name = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    policy = PolicyBuilder().store(Store([load(authority.certificate)]))
    assert policy.build_server_verifier(name).verify(certificate, [])[0] == certificate


def test_certificate_names_user_and_group(authority: CertificateAuthority) -> None:
    """The user is the common name and the group is the organization, as Kubernetes reads them."""
    certificate = load(authority.issue("anna", "system:masters").certificate)
    verifier(authority).verify(certificate, [])
    assert certificate.subject.rfc4514_string() == "O=system:masters,CN=anna"


def test_certificate_of_another_authority_is_not_trusted(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    """A certificate with the same names from another control plane is refused."""
    other = CertificateAuthority(tmp_path / "other").issue("anna", "system:masters")
    with pytest.raises(VerificationError):
        verifier(authority).verify(load(other.certificate), [])


def test_certificate_is_valid_for_days_not_years(authority: CertificateAuthority) -> None:
    """A certificate expires within a month, so a leaked key is soon useless."""
    certificate = load(authority.issue("etcd").certificate)
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < now
    assert certificate.not_valid_after_utc < now + datetime.timedelta(days=31)


def test_keys_are_readable_by_their_owner_only(authority: CertificateAuthority) -> None:
    """Neither the folder nor a key is readable by others, and each key fits its public key."""
    pairs: list[KeyPair] = [authority.issue("etcd"), authority.signing_key("tokens")]
    assert [pair.key.stat().st_mode & 0o777 for pair in pairs] == [0o600, 0o600]
    assert authority.certificate.parent.stat().st_mode & 0o777 == 0o700
    certified, signing = (load_pem_private_key(pair.key.read_bytes(), None).public_key() for pair in pairs)
    assert load(pairs[0].certificate).public_key() == certified
    assert load_pem_public_key(pairs[1].certificate.read_bytes()) == signing
