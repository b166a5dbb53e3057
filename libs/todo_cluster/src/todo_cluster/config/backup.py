"""Settings of backups: where they go, who can open them, and which database and Secrets are in them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from todo_release.config.base import Model
from todo_release.config.model import DnsLabel, DnsName


class NamedSecret(Model):
    """A Secret outside the environments' namespaces that Git does not have."""

    namespace: DnsLabel
    name: DnsName


class BackupSettings(Model):
    """How `inv backup` works."""

    target: str | None = Field(
        default=None,
        description="Folder, or s3://BUCKET/PREFIX with credentials in AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY. A relative path starts at the repository's root. --target overrides it.",
    )
    endpoint: str | None = Field(default=None, description="URL of an S3-compatible service other than AWS.")
    region: str = Field(default="us-east-1", description="Region of the bucket.")
    recipients: tuple[Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]{50,}$")], ...] = Field(
        default=(),
        description="Public age keys that backups are encrypted to; the private ones (`age-keygen`) must "
        "never be in the cluster or in Git.",
    )
    secret: DnsName = Field(default="app-secrets", description="Secret with the URL of the database.")
    key: str = Field(
        default="FRONTEND_DATABASE_URL", description="Its key with the direct, unpooled URL of the database."
    )
    secrets: tuple[NamedSecret, ...] = Field(
        default=(), description="Further Secrets that are saved with every environment."
    )
