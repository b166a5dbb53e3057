"""Authentication of agents, in the interfaces of the MCP SDK."""

import structlog
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from todo_kit.auth import InvalidTokenError, TokenVerifier
from todo_kit.logging import get_logger
from todo_mcp.settings import Settings

_log = get_logger(__name__)


class UserTokenVerifier:
    """Accepts the tokens that the frontend issues to users, for the audience `todo-mcp`.

    The same token also names the audience `todo-api`, so a tool passes it on to the backend, which verifies
    it again. Authorization is therefore decided by the backend alone, and this service has no rights of its
    own.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        """Verifies with `verifier`."""
        self._verifier = verifier

    async def verify_token(self, token: str) -> AccessToken | None:
        """Returns the user of the token, or None, which the SDK answers with 401.

        Raises:
            KeysUnavailableError: The token cannot be checked, because the issuer's keys are unknown (503).
        """
        try:
            principal = await self._verifier.verify(token)
        except InvalidTokenError as error:
            _log.info("token_refused", reason=error.detail)
            return None
        structlog.contextvars.bind_contextvars(user_id=principal.user_id)
        return AccessToken(
            token=token,
            client_id=principal.user_id,  # tokens of users name no client
            scopes=[],
            expires_at=int(principal.expires_at.timestamp()),
            subject=principal.user_id,
        )


def auth_settings(settings: Settings) -> AuthSettings:
    """Returns what the SDK publishes as RFC 9728 metadata: this resource and the issuer of its tokens."""
    return (
        AuthSettings.model_validate(  # from strings, because a URL object would append a slash to the issuer
            {
                "issuer_url": settings.jwt_issuer,
                "resource_server_url": f"{settings.jwt_issuer.rstrip('/')}/mcp",
                "validate_token_resource": False,  # the verifier checks the audience
            }
        )
    )


def caller() -> AccessToken:
    """Returns the verified token of the request that is being answered."""
    access = get_access_token()
    if access is None:
        raise RuntimeError("a tool ran without a verified token: is it served without authentication?")
    return access
