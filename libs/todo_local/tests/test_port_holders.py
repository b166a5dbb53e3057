"""Ports in use, and which program holds them."""

import os
import socket
import sys

import pytest

from todo_embedded.ports import free_port
from todo_local.errors import PortTakenError
from todo_local.port_holders import port_holder, require_free


def test_free_ports_pass() -> None:
    """Nothing is said about ports nobody listens on."""
    require_free({free_port(): "backend", free_port(): "frontend"})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not name the holder")
def test_taken_ports_are_named_with_purpose_and_holder() -> None:
    """One error names every taken port, with its purpose and its holder."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = {first.getsockname()[1]: "backend", second.getsockname()[1]: "frontend", free_port(): "free"}
        with pytest.raises(PortTakenError) as raised:
            require_free(ports)
    for port, purpose in list(ports.items())[:2]:
        assert f"port {port} (for {purpose}) is in use by " in raised.value.problem
    assert raised.value.problem.count(f"(pid {os.getpid()})") == 2
    assert "free" not in raised.value.problem


def test_port_without_a_listener_has_no_holder() -> None:
    """Nobody is named."""
    assert port_holder(free_port()) is None
