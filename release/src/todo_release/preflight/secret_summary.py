"""Reduces Secrets to what may be known of them. Nothing of a value leaves this module.

Values are compared by fingerprints: keyed hashes whose key is made for one reading and kept by nobody, so
that two of them show whether two values are equal and nobody can try out what a value might be.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC

from todo_release.adapters.kubernetes.objects import JsonObject
from todo_release.preflight.snapshot import Certificate, SecretFacts

TLS = "kubernetes.io/tls"
PULL = "kubernetes.io/dockerconfigjson"
HELM_RELEASE = "helm.sh/release.v1"
FINGERPRINT_BYTES = 16


class Reducer:
    """Reduces the Secrets of one reading; its fingerprints can be compared with each other only."""

    def __init__(self) -> None:
        """With a key of its own, which ends with it."""
        self._key = secrets.token_bytes(32)

    def words(self, words: Iterable[str]) -> dict[str, str]:
        """Fingerprints of words that are no secrets."""
        return {word: self._fingerprint(word.encode()) for word in words}

    def reduce(self, secret: JsonObject) -> SecretFacts:
        """What may be known of a Secret."""
        kind = secret.get("type", "Opaque")
        encoded: Mapping[str, str] = secret.get("data") or {}
        labels = secret["metadata"].get("labels") or {}
        name = secret["metadata"]["name"]
        if kind == HELM_RELEASE:  # Helm's records hold what was deployed, not what was secret about it
            size = sum(len(value) for value in encoded.values())
            return SecretFacts(name=name, type=kind, labels=labels, size_bytes=size)
        values = {key: base64.b64decode(value) for key, value in encoded.items()}
        return SecretFacts(
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
    from cryptography import x509  # 60 ms, and most namespaces have no TLS Secret of their own

    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(extension.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    return Certificate(names=names, expires_at=found.not_valid_after_utc.astimezone(UTC))


def _registries(document: bytes) -> frozenset[str]:
    try:
        return frozenset(json.loads(document)["auths"])
    except (ValueError, KeyError, TypeError):
        return frozenset()
