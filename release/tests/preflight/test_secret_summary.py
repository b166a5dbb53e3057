"""Summaries of Secrets, which never contain a value."""

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
    """Returns a Secret as the API has it."""
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {"metadata": {"name": "app", **rest.pop("metadata", {})}, "data": data, **rest}


def certificate(*names: str, days: int = 30) -> bytes:
    """Returns a self-signed certificate for some names, in PEM."""
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
        alternatives = x509.SubjectAlternativeName([x509.DNSName(dns_name) for dns_name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, None).public_bytes(serialization.Encoding.PEM)


def test_no_value_is_in_a_summary() -> None:
    """The value is neither in plain text, in base64 nor as a hash without a key."""
    kept = repr(SecretSummarizer().summarize(secret({"PASSWORD": PASSWORD.encode()})))
    assert "PASSWORD" in kept
    assert PASSWORD not in kept
    assert base64.b64encode(PASSWORD.encode()).decode() not in kept


def test_fingerprints_are_equal_for_equal_values_of_one_summarizer_only() -> None:
    """Each summarizer has its own key."""
    summarizer = SecretSummarizer()
    summary = summarizer.summarize(secret({"a": b"SHA-256", "b": b"SHA-256", "c": b"PLAIN"}))
    assert (
        summary.keys["a"]
        == summary.keys["b"]
        == summarizer.fingerprints(["SHA-256"])["SHA-256"]
        != summary.keys["c"]
    )
    assert SecretSummarizer().fingerprints(["SHA-256"])["SHA-256"] != summary.keys["a"]


def test_summary_of_a_helm_record_has_its_labels_and_size() -> None:
    """The record's content is not part of the summary."""
    labels = {"owner": "helm", "name": "shop"}
    summary = SecretSummarizer().summarize(
        secret({"release": b"x" * 30}, type=HELM_RELEASE, metadata={"labels": labels})
    )
    assert (summary.keys, summary.labels, summary.size_bytes) == ({}, labels, 40)


def test_summary_of_a_tls_secret_has_names_and_expiry() -> None:
    """Both are public; a Secret without a valid certificate has None."""
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


def test_summary_of_a_pull_secret_has_its_registries() -> None:
    """Passwords are left out, and a damaged Secret has no registries."""
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
    """The API leaves out `data` of an empty Secret."""
    assert SecretSummarizer().summarize({"metadata": {"name": "empty"}}).keys == {}
