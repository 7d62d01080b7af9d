"""A TCP proxy before one server, which carries, freezes, cuts or delays what goes through it: a network with the troubles that the test wants."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .ports import free_port

_CHUNK = 65536
# Closing sends a reset, as from a host that knows nothing of the connection.
_RESET = struct.pack("ii", 1, 0)


class Wire:
    """In front of `target` of 127.0.0.1, on a port of its own. As a context manager it is closed in the end."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.accepted = 0
        """How many connections were made to it so far."""
        self._changed = threading.Condition()
        self._frozen = self._cut = self._closed = False
        self._delay = 0.0
        self._generation = 0
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address, for a server without TLS."""
        return f"http://127.0.0.1:{self.port}"

    # --- what it does

    def freeze(self) -> None:
        """From now on connections are taken and stay open, and nothing is carried. What is sent meanwhile comes through after `thaw`."""
        self._set(frozen=True)

    def thaw(self) -> None:
        """Carries again, what waited first."""
        self._set(frozen=False)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While it is frozen."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def cut(self) -> None:
        """Resets all connections, and each new one at once."""
        self._set(cut=True)
        for one in self._take_sockets():
            _reset(one)

    def mend(self) -> None:
        """Takes connections again."""
        self._set(cut=False)

    def delay(self, seconds: float) -> None:
        """Carries each piece so much later, each way; 0 at once."""
        self._delay = seconds

    def silence(self) -> None:
        """What is connected now stays open, and nothing more ever comes through it, as after a load balancer or a node that vanished
        without a word. New connections are as before."""
        with self._changed:
            self._generation += 1

    def close(self) -> None:
        """Ends the listener and all connections."""
        self._set(closed=True)
        # Wakes who waits in accept; closing alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._take_sockets():
            one.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- how

    def _set(self, frozen: bool | None = None, cut: bool | None = None, closed: bool = False) -> None:
        with self._changed:
            self._frozen = self._frozen if frozen is None else frozen
            self._cut = self._cut if cut is None else cut
            self._closed = self._closed or closed
            self._changed.notify_all()

    def _take_sockets(self) -> set[socket.socket]:
        with self._changed:
            taken, self._sockets = self._sockets, set()
        return taken

    def _pass_on(self) -> bool:
        """Waits while it is frozen; whether there is anything to carry afterwards."""
        with self._changed:
            self._changed.wait_for(lambda: not self._frozen or self._cut or self._closed)
            return not self._cut and not self._closed

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.accepted += 1
                generation, cut = self._generation, self._cut
                if not cut:
                    self._sockets.add(client)
            if cut:
                _reset(client)
            else:
                threading.Thread(target=self._connect, args=(client, generation), daemon=True).start()

    def _connect(self, client: socket.socket, generation: int) -> None:
        if not self._pass_on():
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            _reset(client)
            return
        with self._changed:
            self._sockets.add(server)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._carry, args=(server, client, generation), daemon=True).start()
        self._carry(client, server, generation)

    def _carry(self, source: socket.socket, sink: socket.socket, generation: int) -> None:
        try:
            while True:
                data = source.recv(_CHUNK)
                time.sleep(self._delay)
                if not self._pass_on():
                    return
                if generation != self._generation:
                    # Taken, and lost.
                    if not data:
                        return
                    continue
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
        except OSError:
            if self._cut:
                # Both sides are being reset, which an orderly end must not come before.
                return
            # One side is gone: the other one hears of it.
            for one in (source, sink):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        one.shutdown(socket.SHUT_RD)
    one.close()
