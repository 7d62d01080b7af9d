"""How the API server reaches Services here, where there is no pod network: it asks a proxy, which knows ports of this machine."""

import socket
import threading
from pathlib import Path

import yaml


class Egress:
    """A proxy for CONNECT, as kube-apiserver's egress selector uses one. `routes` says which port of 127.0.0.1 stands for a port of a
    Service. Addresses of this machine are connected to as they are, and nothing else is connected to: a network in which somebody
    answers for any address would be taken for the Service, for as long as the connection lives."""

    def __init__(self) -> None:
        self.routes: dict[int, int] = {}
        self._listener: socket.socket | None = None

    def listen(self, folder: Path) -> None:
        """Begins to, with socket and configuration in a folder."""
        path, self._file = folder / "egress.sock", folder / "egress.yaml"
        connection = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(path)}}}
        configuration = {
            "apiVersion": "apiserver.k8s.io/v1beta1",
            "kind": "EgressSelectorConfiguration",
            "egressSelections": [{"name": "cluster", "connection": connection}],
        }
        self._file.write_text(yaml.safe_dump(configuration))
        self._listener = socket.create_server(str(path), family=socket.AF_UNIX)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def flags(self) -> list[str]:
        """What makes kube-apiserver use it."""
        return [f"--egress-selector-config-file={self._file}"]

    def close(self) -> None:
        """No new connections."""
        if self._listener:
            self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            head = b""
            # No more than the head comes before it is answered.
            while b"\r\n\r\n" not in head:
                if not (data := client.recv(4096)):
                    return
                head += data
            host, _, port = head.split()[1].decode().rpartition(":")
            port = self.routes.get(int(port), int(port) if host == "127.0.0.1" else None)
            try:
                if port is None:
                    raise ConnectionRefusedError(host)
                server = socket.create_connection(("127.0.0.1", port), timeout=10)
            except OSError:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            server.settimeout(None)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            back.start()
            self._pass(client, server)
            back.join()
            server.close()
        except OSError:
            pass
        finally:
            client.close()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            try:
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass
