"""Secrets reduced to what may be known of them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from todo_release.preflight.secret_summary import HELM_RELEASE, PULL, TLS, SecretSummarizer

PASSWORD = "hunter2-and-more"


def secret(values: dict[str, bytes], **rest: Any) -> dict[str, Any]:
    """A Secret as the API gives it."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"metadata": {"name": "app", **rest.pop("metadata", {})}, "data": data, **rest}


def certificate(*names: str, days: int = 30) -> bytes:
    """A self-signed certificate for some names, in PEM."""
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, None).public_bytes(serialization.Encoding.PEM)


def test_no_value_is_in_what_is_kept() -> None:
    """Not as text, not in base64, not as a plain hash that could be looked up."""
    kept = repr(SecretSummarizer().summarize(secret({"PASSWORD": PASSWORD.encode()})))
    assert "PASSWORD" in kept
    assert PASSWORD not in kept
    assert base64.b64encode(PASSWORD.encode()).decode() not in kept


def test_fingerprints_tell_equal_values_apart_from_others_within_one_reading_only() -> None:
    """The key of one reading is known to nobody after it."""
    summarizer = SecretSummarizer()
    summary = summarizer.summarize(secret({"a": b"SHA-256", "b": b"SHA-256", "c": b"PLAIN"}))
    assert (
        summary.keys["a"]
        == summary.keys["b"]
        == summarizer.fingerprints(["SHA-256"])["SHA-256"]
        != summary.keys["c"]
    )
    assert SecretSummarizer().fingerprints(["SHA-256"])["SHA-256"] != summary.keys["a"]


def test_record_of_helm_is_reduced_to_its_labels_and_size() -> None:
    """What was deployed is read elsewhere."""
    labels = {"owner": "helm", "name": "shop"}
    summary = SecretSummarizer().summarize(
        secret({"release": b"x" * 30}, type=HELM_RELEASE, metadata={"labels": labels})
    )
    assert (summary.keys, summary.labels, summary.size_bytes) == ({}, labels, 40)


def test_certificate_is_read_for_its_names_and_its_end() -> None:
    """Both are public; a Secret that holds none is known as such."""
    summary = SecretSummarizer().summarize(
        secret({"tls.crt": certificate("shop.test", "*.shop.test"), "tls.key": b"k"}, type=TLS)
    )
    assert summary.certificate is not None
    assert summary.certificate.names == ("shop.test", "*.shop.test")
    assert timedelta(days=29) < summary.certificate.expires_at - datetime.now(UTC) < timedelta(days=31)
    bare = SecretSummarizer().summarize(secret({"tls.crt": certificate()}, type=TLS)).certificate
    assert bare is not None
    assert bare.names == ()
    assert SecretSummarizer().summarize(secret({"tls.crt": b"nothing"}, type=TLS)).certificate is None


def test_pull_secret_is_read_for_its_hosts() -> None:
    """Never for its passwords; damaged ones are for no host."""
    auths = {"auths": {"ghcr.io": {"auth": base64.b64encode(f"robot:{PASSWORD}".encode()).decode()}}}
    summary = SecretSummarizer().summarize(
        secret({".dockerconfigjson": json.dumps(auths).encode()}, type=PULL)
    )
    assert summary.registries == frozenset({"ghcr.io"})
    assert (
        SecretSummarizer().summarize(secret({".dockerconfigjson": b"odd"}, type=PULL)).registries
        == frozenset()
    )


def test_empty_secret_has_no_keys() -> None:
    """The API leaves `data` out then."""
    assert SecretSummarizer().summarize({"metadata": {"name": "empty"}}).keys == {}
