"""Summarises Secrets without their values. No part of a value leaves this module.

Values are compared by fingerprints: keyed hashes whose key exists only as long as one summarizer. Equal
fingerprints mean equal values, and nobody can try out what a value might be.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.preflight.snapshot import Certificate, SecretSummary

TLS = "kubernetes.io/tls"
PULL = "kubernetes.io/dockerconfigjson"
HELM_RELEASE = "helm.sh/release.v1"
FINGERPRINT_BYTES = 16


class SecretSummarizer:
    """Summarises the Secrets of one snapshot; its fingerprints can only be compared with each other."""

    def __init__(self) -> None:
        """Creates a random key, which is stored nowhere else."""
        self._key = secrets.token_bytes(32)

    def fingerprints(self, words: Iterable[str]) -> dict[str, str]:
        """Returns the fingerprints of words that are not secret."""
        return {word: self._fingerprint(word.encode()) for word in words}

    def summarize(self, secret: JsonObject) -> SecretSummary:
        """Returns what may be known about a Secret."""
        kind = secret.get("type", "Opaque")
        encoded: Mapping[str, str] = secret.get("data") or {}
        labels = secret["metadata"].get("labels") or {}
        name = secret["metadata"]["name"]
        if kind == HELM_RELEASE:  # holds what was deployed; `environments` reads it elsewhere
            size = sum(len(value) for value in encoded.values())
            return SecretSummary(name=name, type=kind, labels=labels, size_bytes=size)
        values = {key: base64.b64decode(value) for key, value in encoded.items()}
        return SecretSummary(
            name=name,
            type=kind,
            labels=labels,
            keys={key: self._fingerprint(value) for key, value in values.items()},
            certificate=_certificate(values.get("tls.crt", b"")) if kind == TLS else None,
            registries=_registries(values.get(".dockerconfigjson", b"")) if kind == PULL else frozenset(),
        )

    def _fingerprint(self, value: bytes) -> str:
        return hashlib.blake2b(value, key=self._key, digest_size=FINGERPRINT_BYTES).hexdigest()


def _certificate(pem: bytes) -> Certificate | None:
    from cryptography import x509  # takes 60 ms, and most namespaces have no TLS Secret of their own

    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(extension.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    return Certificate(names=names, expires_at=certificate.not_valid_after_utc.astimezone(UTC))


def _registries(docker_config: bytes) -> frozenset[str]:
    try:
        return frozenset(json.loads(docker_config)["auths"])
    except (ValueError, KeyError, TypeError):
        return frozenset()
