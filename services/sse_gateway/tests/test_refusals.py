"""Requests that are answered with a problem instead of a stream."""

import httpx2
import pytest

from todo_sse_gateway.limits import Limits

from .conftest import Gateway


async def test_request_without_token_is_unauthorized(gateway: Gateway) -> None:
    """A request without a token gets a problem with a challenge and a request id."""
    async with gateway.request({}) as response:
        problem = await response.aread()
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] in problem.decode()


async def test_token_for_another_audience_is_unauthorized(gateway: Gateway) -> None:
    """A token that names another audience is refused."""
    token = gateway.issuer.token("ann", audience="another-audience")
    async with gateway.request({"Authorization": f"Bearer {token}"}) as response:
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_token_in_the_query_is_ignored(gateway: Gateway) -> None:
    """URLs are stored in logs and browser histories, so a token in the query is not accepted."""
    async with httpx2.AsyncClient(base_url=gateway.url) as client:
        response = await client.get("/sse/tasks", params={"token": gateway.issuer.token("ann")})
    assert response.status_code == 401


@pytest.mark.parametrize("limits", [Limits(streams_per_user=1)])
async def test_stream_beyond_the_limit_is_refused(gateway: Gateway) -> None:
    """The refusal of a further stream says when to try again."""
    async with gateway.stream("ann"):
        headers = {"Authorization": f"Bearer {gateway.issuer.token('ann')}"}
        async with gateway.request(headers) as response:
            assert response.status_code == 429
            assert response.headers["retry-after"] == "30"
            assert response.headers["content-type"] == "application/problem+json"


async def test_gateway_that_accepts_no_connection_opens_no_stream(gateway: Gateway) -> None:
    """A client on a connection that is still open is asked to reconnect, which leads to another replica."""
    gateway.app.state.drain.close()
    headers = {"Authorization": f"Bearer {gateway.issuer.token('ann')}"}
    async with gateway.request(headers) as response:
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"


async def test_other_method_is_not_allowed(gateway: Gateway) -> None:
    """The stream can only be read with GET."""
    async with httpx2.AsyncClient(base_url=gateway.url) as client:
        response = await client.post("/sse/tasks")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"


async def test_path_below_the_stream_is_not_found(gateway: Gateway) -> None:
    """Only the exact path is the stream."""
    async with httpx2.AsyncClient(base_url=gateway.url) as client:
        assert (await client.get("/sse/tasks/1")).status_code == 404
