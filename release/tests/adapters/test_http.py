"""Which proxy a pool of connections uses."""

import pytest
import urllib3

from todo_release.adapters import http


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets a proxy for every server."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.mark.parametrize(
    "server",
    ["http://127.0.0.1:5000", "https://127.5.5.5:6443", "https://[::1]:6443", "http://localhost:5000"],
)
def test_server_on_this_machine_is_reached_without_a_proxy(server: str) -> None:
    """No proxy could reach it, so the settings of the environment do not count."""
    assert not isinstance(http.pool(server, read_seconds=1), urllib3.ProxyManager)


@pytest.mark.parametrize("server", ["http://registry.test", "https://10.0.0.1:6443"])
def test_other_servers_are_reached_through_the_proxy(server: str) -> None:
    """The proxy of the environment is used for every other server."""
    assert isinstance(http.pool(server, read_seconds=1), urllib3.ProxyManager)
