"""Authentication: verifies the JWTs that the frontend's Better Auth issues.

Owns the checks of signature, issuer, audience and lifetime. Authorization is not decided here: every query of
a service is limited to `Principal.user_id`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import httpx2
import jwt
import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from todo_kit.jwks import KeySet
from todo_kit.problems import UnauthorizedError
from todo_kit.settings import JwtSettings

ALGORITHM = "EdDSA"
LEEWAY_SECONDS = 5  # how far apart the clocks of two pods may be
_REQUIRED_CLAIMS = ["exp", "iat", "sub", "iss", "aud"]


class InvalidTokenError(UnauthorizedError):
    """A token was sent and is not acceptable. The detail names the reason, never the token."""

    title = "Invalid token"
    challenge = 'Bearer error="invalid_token"'  # RFC 6750, section 3


@dataclass(frozen=True)
class Principal:
    """The user of a verified token, and when the token expires."""

    user_id: str
    expires_at: datetime


class TokenVerifier:
    """Verifies tokens against one issuer, one audience and a cached key set."""

    def __init__(
        self, issuer: str, audience: str, jwks_url: str, *, client: httpx2.AsyncClient | None = None
    ) -> None:
        """Prepares to verify; keys are fetched from `jwks_url` when the first token comes.

        The caller closes a `client` that it passes; without one the verifier opens its own (see `aclose`).
        """
        self._issuer = issuer
        self._audience = audience
        self._owns_client = client is None
        self._client = client or httpx2.AsyncClient()
        self._keys = KeySet(jwks_url, self._client)

    @classmethod
    def from_settings(cls, settings: JwtSettings) -> Self:
        """Returns the verifier that a service's settings describe."""
        return cls(settings.jwt_issuer, settings.jwt_audience, settings.jwks_url)

    async def verify(self, token: str) -> Principal:
        """Returns the user of `token`.

        Raises:
            InvalidTokenError: The token is not acceptable (401).
            KeysUnavailableError: The issuer's keys cannot be fetched, so the token cannot be checked (503).
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise InvalidTokenError("The token is not a JWT.") from error
        if header.get("alg") != ALGORITHM:
            raise InvalidTokenError(f"The token is not signed with {ALGORITHM}.")
        key_id = header.get("kid")
        key = await self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise InvalidTokenError("The token is signed with a key that the issuer does not publish.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.PyJWTError as error:
            raise InvalidTokenError(f"The token is refused: {error}.") from error
        return _principal(claims["sub"], claims["exp"])

    async def aclose(self) -> None:
        """Closes the HTTP client that the verifier opened."""
        if self._owns_client:
            await self._client.aclose()


def _principal(subject: Any, expires: Any) -> Principal:
    """Returns the user of two claims that were signed, but may have any JSON value."""
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise InvalidTokenError("The token names no user.")
    try:
        expires_at = datetime.fromtimestamp(expires, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidTokenError("The token's exp is not an instant.") from error
    return Principal(subject, expires_at)


_bearer = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="A token from GET /api/auth/token of the frontend."
)


async def current_principal(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """Returns the caller, as a FastAPI dependency; the verifier is `app.state.verifier`.

    Binds `user_id` for the request's log lines.
    """
    if credentials is None:
        raise UnauthorizedError("Send the header 'Authorization: Bearer <token>'.")
    verifier: TokenVerifier = request.app.state.verifier
    principal = await verifier.verify(credentials.credentials)
    structlog.contextvars.bind_contextvars(user_id=principal.user_id)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
