"""Which requests are accepted, and the paths beside the tools."""

import pytest

from todo_kit.testing import DAPR_API_TOKEN, TokenIssuer, serving
from todo_mcp.app import create_app
from todo_mcp.settings import Settings

from .conftest import AUDIENCES, ToolServer

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = "application/json, text/event-stream"


def headers_of(token: str, **more: str) -> dict[str, str]:
    """Returns the headers of an agent's request."""
    return {"Authorization": f"Bearer {token}", "Accept": ACCEPT} | more


async def test_refusal_without_a_token_names_the_issuer(tool_server: ToolServer) -> None:
    """The 401 names the metadata, and the metadata names the issuer (RFC 9728)."""
    async with tool_server.http() as client:
        refused = await client.post("/mcp", json=INITIALIZE)
        metadata = await client.get("/.well-known/oauth-protected-resource/mcp")
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert 'resource_metadata="http://issuer.test/.well-known/oauth-protected-resource/mcp"' in challenge
    assert metadata.json()["resource"] == "http://issuer.test/mcp"
    assert metadata.json()["authorization_servers"] == ["http://issuer.test"]


@pytest.mark.parametrize("claims", [{"audience": "todo-api"}, {"audience": AUDIENCES, "ttl": -60}])
async def test_token_for_another_audience_or_expired_is_refused(
    tool_server: ToolServer, issuer: TokenIssuer, claims: dict[str, object]
) -> None:
    """A token must name this service and must not have expired."""
    async with tool_server.http(**headers_of(issuer.token("ann", **claims))) as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [("todo.example.com", 200), ("todo.example.com:8443", 200), ("localhost:8001", 200), ("evil.test", 421)],
)
async def test_only_configured_hosts_are_served(
    tool_server: ToolServer, issuer: TokenIssuer, host: str, status: int
) -> None:
    """A request with an unknown Host header is refused (DNS rebinding)."""
    token = issuer.token("ann", audience=AUDIENCES)
    async with tool_server.http(**headers_of(token, Host=host)) as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == status


async def test_request_of_another_origin_is_forbidden(tool_server: ToolServer, issuer: TokenIssuer) -> None:
    """A browser may send requests only from our own pages."""
    token = issuer.token("ann", audience=AUDIENCES)
    for origin, status in (("http://issuer.test", 200), ("http://evil.test", 403)):
        async with tool_server.http(**headers_of(token, Origin=origin)) as client:
            assert (await client.post("/mcp", json=INITIALIZE)).status_code == status


async def test_request_while_the_keys_are_unknown_is_answered_with_503(issuer: TokenIssuer) -> None:
    """While tokens cannot be checked, the agent is asked to try again and not to sign in."""
    settings = Settings(
        jwt_issuer=issuer.issuer, jwks_url="http://127.0.0.1:1/jwks", dapr_api_token=DAPR_API_TOKEN
    )
    async with serving(create_app(settings)) as url, ToolServer(url, issuer).http() as client:
        token = issuer.token("ann", audience=AUDIENCES)
        response = await client.post("/mcp", json=INITIALIZE, headers=headers_of(token))
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "5"


async def test_service_paths_need_no_token(tool_server: ToolServer) -> None:
    """Probes and Prometheus are served beside the tools."""
    async with tool_server.http() as client:
        health = await client.get("/healthz")
        ready = await client.get("/readyz")
        metrics = await client.get("/metrics")
    assert health.json() == {"status": "ok", "service": "mcp", "build": "build-1"}
    assert ready.json() == {"status": "ready", "checks": {}}
    assert metrics.status_code == 200


async def test_unknown_path_is_a_problem(tool_server: ToolServer) -> None:
    """A path that does not exist is answered with a problem, as in every service."""
    async with tool_server.http() as client:
        response = await client.get("/nowhere")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_metrics_name_the_tools_endpoint(tool_server: ToolServer) -> None:
    """Calls are counted under their route, as the dashboards of all services expect."""
    async with tool_server.agent_of("ann") as agent:
        await agent.list_tools()
    async with tool_server.http() as client:
        metrics = (await client.get("/metrics")).text
    assert 'http_requests_total{handler="/mcp",method="POST",status="2xx"}' in metrics


def test_public_hosts_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart passes the host names in one variable."""
    monkeypatch.setenv("PUBLIC_HOSTS", "todo.example.com, todo-app-mcp,")
    settings = Settings(
        jwt_issuer="http://issuer.test", jwks_url="http://issuer.test/jwks", dapr_api_token=DAPR_API_TOKEN
    )
    assert settings.public_hosts == ("todo.example.com", "todo-app-mcp")
