"""A stand-in for the broker: the agent–broker protocol, version 1, and whatever can go wrong with it."""

import datetime
import json
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rig import pki

MESSAGE = "no AWSRoleBinding in namespace shop names ServiceAccount app"
"""What a 403 says."""
BUSY = "STS does not answer, and there is no session to give until it does"
"""What a 503 says."""


@dataclass
class Session:
    """What the broker gave."""

    access_key_id: str
    made: float
    expiration: datetime.datetime

    def body(self) -> dict[str, str]:
        """As the protocol has it."""
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": f"secret-of-{self.access_key_id}",
            "Token": f"token-of-{self.access_key_id}",
            "Expiration": f"{self.expiration:%Y-%m-%dT%H:%M:%SZ}",
            "AccountId": "123456789012",
        }


class Certificates:
    """The authority that agents trust, and the broker's certificate."""

    def __init__(self, folder: Path) -> None:
        pki.make_ca(folder, "broker-ca")
        names = {"subjectAltName": "IP:127.0.0.1", "extendedKeyUsage": "serverAuth"}
        pki.issue(folder, "broker", "broker-ca", "/CN=deputy-broker", names)
        self.authority = (folder / "broker-ca.crt").read_text()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "broker.crt", folder / "broker.key")


class Broker:
    """A server on loopback. Its attributes may be changed at any time."""

    def __init__(self, certificates: Certificates) -> None:
        self.mode = "normal"
        """`normal`, `refuse` (403), `busy` (503), `hang`, or `gone`: connections are closed, and new ones refused."""
        self.delay = 0.0
        """How long each answer takes, in seconds."""
        self.life = 3600.0
        """How long a new session lives, in seconds."""
        self.renew_after = 3600.0
        """How old a session may be when it is given once more, in seconds."""
        self.tokens: deque[str] = deque(maxlen=2)
        """Those that are accepted. A token of Kubernetes outlives the moment in which the kubelet writes the next one."""
        self.sessions: dict[str, Session] = {}
        """By access key id, in the order in which they were made."""
        self._lock = threading.Lock()
        self._context = certificates.context
        self._listen(0)

    @property
    def url(self) -> str:
        """What agents are told."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """The newest of the pod's tokens."""
        return self.tokens[-1]

    def change(self, mode: str) -> None:
        """Another mode. What hangs goes on hanging, as it would."""
        before, self.mode = self.mode, mode
        if "gone" in (before, mode) and before != mode:
            if mode == "gone":
                self.close()
            else:
                self._listen(self._port)

    def close(self) -> None:
        """No new connections; those that are there end with the next request on them."""
        self.mode = "gone"
        self._server.shutdown()
        self._server.server_close()

    def current(self) -> Session:
        """The session to give: the newest, or a new one."""
        with self._lock:
            newest = next(reversed(self.sessions.values()), None)
            if newest is None or time.monotonic() - newest.made > self.renew_after:
                until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.life)
                newest = Session(f"ASIA{self._port:05d}{len(self.sessions):07d}", time.monotonic(), until)
                self.sessions[newest.access_key_id] = newest
            return newest

    def _listen(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._server.context = self._context
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext

    def finish_request(self, request, client_address) -> None:
        # Here, in the connection's own thread: a client that is slow to greet holds up nobody.
        try:
            with self.context.wrap_socket(request, server_side=True) as secure:
                super().finish_request(secure, client_address)
        except OSError:
            pass


def _handler(broker: Broker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            mode = broker.mode
            if mode == "hang":
                time.sleep(20)
            if mode in ("hang", "gone"):
                self.close_connection = True
                return
            time.sleep(broker.delay)
            if self.headers["Authorization"] not in [f"Bearer {token}" for token in broker.tokens]:
                self.answer(401, {"Code": "InvalidToken", "Message": "the token is not accepted"})
            elif self.path != "/v1/credentials":
                self.answer(404, {"Code": "NotFound", "Message": "no such path"})
            elif mode == "refuse":
                self.answer(403, {"Code": "NoBinding", "Message": MESSAGE})
            elif mode == "busy":
                self.answer(503, {"Code": "Unavailable", "Message": BUSY}, **{"Retry-After": "1"})
            else:
                session = broker.current()
                etag = f'"{session.access_key_id}"'
                if self.headers["If-None-Match"] == etag:
                    self.answer(304, None, ETag=etag)
                else:
                    self.answer(200, session.body(), ETag=etag)

        def answer(self, status: int, body: dict | None, **headers: str) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Deputy-Protocol", "1")
            self.send_header("Cache-Control", "no-store")
            for name, value in headers.items():
                self.send_header(name, value)
            if body is not None:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing: the agents' logs have it."""

    return Handler
