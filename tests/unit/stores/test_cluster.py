"""What a cluster is given before it starts."""

from __future__ import annotations

import socket
import sys

import pytest

from seenby.stores.cluster import free_port, release_port


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port cannot be kept for somebody who comes later")
def test_a_free_port_stays_free_for_whoever_was_told_of_it() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    address = ("127.0.0.1", port)
    with socket.create_server(address) as server, socket.create_connection(address) as client:
        assert client.getpeername() == server.getsockname()
    other_port = free_port()
    release_port(other_port)
    release_port(other_port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", other_port))
    release_port(port)
