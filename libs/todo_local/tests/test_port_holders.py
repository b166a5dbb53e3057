"""Ports in use, and by whom."""

import os
import socket
import sys

import pytest

from todo_embedded.ports import free_port
from todo_local.errors import PortTakenError
from todo_local.port_holders import port_holder, require_free


def test_free_ports_pass() -> None:
    """Nothing is said about ports nobody listens on."""
    require_free({free_port(): "one", free_port(): "another"})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell the holder")
def test_taken_ports_are_told_with_purpose_and_holder() -> None:
    """Every taken port is named at once, with what it is for and who has it."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = {one.getsockname()[1]: "backend", two.getsockname()[1]: "frontend", free_port(): "free"}
        with pytest.raises(PortTakenError) as raised:
            require_free(ports)
    for port, purpose in list(ports.items())[:2]:
        assert f"port {port} (for {purpose}) is in use by " in raised.value.problem
    assert raised.value.problem.count(f"(pid {os.getpid()})") == 2
    assert "free" not in raised.value.problem


def test_port_of_nobody_has_no_holder() -> None:
    """A port without a listener has no holder."""
    assert port_holder(free_port()) is None
