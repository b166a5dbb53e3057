"""Connections that go to another address than the one the URL names."""

import pytest

from todo_synthetic_user.origin import Origin, parse_address


def test_client_sends_the_name_of_the_url_wherever_it_connects(echo_port: int) -> None:
    """The ingress routes by that name, and cookies belong to it: they are sent back."""
    origin = Origin("http://shop.test", connect_to=("127.0.0.1", echo_port))
    with origin.client() as client:
        assert client.get("/").text == "shop.test None"
        assert client.get("/").text == "shop.test session=s1"
        assert [cookie.domain for cookie in client.cookies.jar] == ["shop.test"]


@pytest.mark.parametrize(
    ("text", "address"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:8443", ("::1", 8443))]
)
def test_address_is_parsed(text: str, address: tuple[str, int]) -> None:
    """An IPv6 address stands in brackets."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["localhost", ":80", "localhost:http"])
def test_address_without_host_or_port_is_refused(text: str) -> None:
    """The text that is wrong is in the message."""
    with pytest.raises(ValueError, match=text):
        parse_address(text)
