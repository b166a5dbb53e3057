"""Connections that go to another address than the one the URL names."""

from todo_release.environments.smoke.origin import HttpOrigin


def test_client_sends_the_name_of_the_url_wherever_it_connects(echo_port: int) -> None:
    """The ingress routes by that name, and cookies belong to it: they are sent back."""
    origin = HttpOrigin("http://shop.test", connect_to=("127.0.0.1", echo_port))
    with origin.client() as client:
        assert client.get("/").text == "shop.test None"
        assert client.get("/").text == "shop.test session=s1"
        assert [cookie.domain for cookie in client.cookies.jar] == ["shop.test"]
