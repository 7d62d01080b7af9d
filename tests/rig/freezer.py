"""A TCP proxy whose connections can be frozen: they stay open, take what is sent, and say nothing any more, as after a
load balancer or a node that vanished without a word."""

import socket
import threading

from .ports import free_port


class Freezer:
    """In front of `port` of 127.0.0.1, on a port of its own."""

    def __init__(self, port: int) -> None:
        self.target, self.port = port, free_port()
        self._generation = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Nothing more comes through what is connected now; new connections are as before."""
        self._generation += 1

    def close(self) -> None:
        """Ends the listener and all connections."""
        for one in [self._listener, *self._sockets]:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self._sockets += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(*pair, self._generation), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, generation: int) -> None:
        try:
            while data := source.recv(65536):
                if generation == self._generation:
                    sink.sendall(data)
            if generation == self._generation:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
