"""The wire carries, freezes, cuts and delays."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from rig.ports import free_port
from rig.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """In front of a server that says again what it hears."""
    with socket.create_server(("127.0.0.1", free_port())) as server:

        def echo(connection: socket.socket) -> None:
            try:
                while data := connection.recv(1024):
                    connection.sendall(data)
            except OSError:
                pass
            connection.close()

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        with Wire(server.getsockname()[1]) as made:
            yield made
        server.shutdown(socket.SHUT_RDWR)


def connected(wire: Wire) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", wire.port), timeout=5)
    connection.settimeout(5)
    return connection


def says(connection: socket.socket, text: bytes) -> bool:
    """Whether the server's answer comes at once."""
    connection.settimeout(0.3)
    try:
        connection.sendall(text)
        return connection.recv(1024) == text
    except TimeoutError:
        return False
    finally:
        connection.settimeout(5)


def test_it_carries_and_closes_what_the_other_side_closes(wire):
    with connected(wire) as one, connected(wire) as other:
        assert says(one, b"a") and says(other, b"b") and says(one, b"c")
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1024) == b""
        assert says(other, b"d")
    assert wire.accepted == 2


def test_what_is_frozen_comes_through_when_it_thaws(wire):
    with connected(wire) as old:
        assert says(old, b"a")
        with wire.frozen():
            assert not says(old, b"b")
            with connected(wire) as new:
                assert not says(new, b"c"), "it is taken, and nothing is carried"
                wire.thaw()
                assert (old.recv(1024), new.recv(1024)) == (b"b", b"c")


def test_what_is_cut_is_reset_until_it_is_mended(wire):
    with connected(wire) as old:
        assert says(old, b"a")
        wire.cut()
        with pytest.raises(ConnectionResetError):
            old.recv(1024)
    with pytest.raises(OSError), connected(wire) as new:  # noqa: PT011 - as it is connected, or a moment later
        new.sendall(b"b")
        if not new.recv(1024):
            raise ConnectionResetError
    wire.mend()
    with connected(wire) as again:
        assert says(again, b"c")


def test_what_is_silenced_stays_so_and_new_connections_are_as_before(wire):
    with connected(wire) as old:
        assert says(old, b"a")
        wire.silence()
        assert not says(old, b"b")
        with connected(wire) as new:
            assert says(new, b"c")
        assert not says(old, b"d")


def test_a_delay_counts_each_way(wire):
    with connected(wire) as one:
        assert says(one, b"a")
        wire.delay(0.1)
        began = time.monotonic()
        one.sendall(b"b")
        assert one.recv(1024) == b"b" and 0.2 <= time.monotonic() - began < 2
