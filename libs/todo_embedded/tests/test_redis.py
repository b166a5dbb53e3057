"""The Redis server, started and stopped."""

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from todo_embedded.redis import redis_server

ONCE = Retry(NoBackoff(), 0)


def test_redis_serves_with_its_password_only() -> None:
    """The server accepts its URL, refuses clients without the password, and is gone after the block."""
    with redis_server() as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("key", "value")
            assert client.get("key") == b"value"
        with redis.Redis(port=server.port, retry=ONCE) as client, pytest.raises(redis.AuthenticationError):
            client.get("key")
        assert server.password not in repr(server)
    with redis.Redis.from_url(server.url, retry=ONCE) as client, pytest.raises(redis.ConnectionError):
        client.ping()
