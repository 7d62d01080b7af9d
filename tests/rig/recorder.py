"""An HTTP proxy in front of AWS that records every call and breaks those it is told to."""

import http.client
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import protocols
from .ports import free_port
from .proc import wait_until

_MAX_BODY = 1 << 20
# Of one connection, not of the request: not to be passed on (RFC 9110, section 7.6.1).
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    # Answered here.
    "expect",
}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
# The double's root user, whose signature it does not check.
_AS_ROOT = "AWS4-HMAC-SHA256 Credential=test/20000101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
_DETAILS = "GetAccountAuthorizationDetails"
_ROLE_OF_DETAILS = re.compile(rb"<member><RoleName>(?P<name>[^<]*)</RoleName>(?=<RoleId>)")
_SECRET = re.compile(rb"<(?:SecretAccessKey|SessionToken)>([^<]+)</")
_BOUNDARY = re.compile(rb"<PermissionsBoundary>.*?</PermissionsBoundary>", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One request and what became of it."""

    time: float
    """Seconds since the epoch at which the request had arrived."""
    service: str
    region: str
    action: str
    parameters: dict[str, str]
    """All parameters of the request, `Action` included; of the query protocol `Version`, too."""
    access_key_id: str
    status: int
    """Of the answer the caller got; 0 when it got none."""
    error_code: str
    applied: bool
    """Whether the request reached the service and was not refused there."""
    fault: str
    """The name of the fault that hit it, or empty."""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the caller heard of success."""
        return 200 <= self.status < 300


@dataclass
class Fault:
    """What to do to calls of `actions` (all when empty), `times` times (for ever when None). Parts combine.

    `when` narrows further, by the parameters. `delay` (seconds) and `gate` (an event that must be set first) hold the
    call before it is forwarded. Then either `drop` closes the connection without forwarding, or `code` answers with
    that AWS error and `status` without forwarding, or `lose_response` forwards, and closes without answering.
    """

    actions: Collection[str] = ()
    times: int | None = None
    when: Callable[[dict[str, str]], bool] | None = None
    delay: float = 0
    gate: threading.Event | None = None
    drop: bool = False
    code: str = ""
    status: int = 400
    message: str = "injected by the test"
    lose_response: bool = False
    name: str = "fault"
    hits: int = 0
    held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0), repr=False)

    def matches(self, call: dict[str, str]) -> bool:
        """Whether it is still active and meant for a call with these parameters."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.actions and call.get("Action", "") not in self.actions:
            return False
        return self.when is None or self.when(call)

    def wait_held(self, calls: int = 1, timeout: float = 10) -> None:
        """Waits until that many (more) calls have arrived at the gate."""
        for _ in range(calls):
            if not self.held.acquire(timeout=timeout):
                raise TimeoutError(f"{self.name}: no call at the gate within {timeout:g} s")


class Recorder:
    """The proxy. `calls` is what happened so far; the same goes to `log` as one JSON object a line."""

    def __init__(self, upstream: str, log: Path) -> None:
        parts = urllib.parse.urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._log_path = log
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._faults: list[Fault] = []
        self._server: ThreadingHTTPServer | None = None
        self.secrets: set[str] = set()
        """Each secret key and session token that was in an answer."""
        self.url = ""

    def start(self) -> "Recorder":
        """Listens on a free port of 127.0.0.1."""
        recorder = self

        class Handler(_Handler):
            owner = recorder

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """A caller that went away is nothing to print a traceback about."""

        self._log = self._log_path.open("a", encoding="utf-8")
        self._server = Server(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Closes the port and the log."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            with self._lock:
                self._log.close()

    def __enter__(self) -> "Recorder":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- the record

    def calls(self, *actions: str, since: int = 0) -> list[Call]:
        """All calls in the order of their answers, or those of some actions; `since` skips the first ones of all."""
        with self._lock:
            return [c for c in self._calls[since:] if not actions or c.action in actions]

    def mark(self) -> int:
        """How many calls there are: what to give to `since`."""
        with self._lock:
            return len(self._calls)

    def wait_for(self, action: str, count: int = 1, since: int = 0, timeout: float = 10) -> list[Call]:
        """Waits until an action was called that often, and returns those calls."""
        return wait_until(
            lambda: (found := self.calls(action, since=since)) and len(found) >= count and found,
            f"{count} calls of {action}",
            timeout,
        )

    def reset(self) -> None:
        """Forgets the calls (the log keeps them) and the faults."""
        with self._lock:
            self._calls.clear()
        self.clear_faults()

    # --- faults

    def inject(self, *actions: str, **what: object) -> Fault:
        """Switches a fault on, before those already on; `what` are the fields of Fault. Its `hits` count."""
        fault = Fault(actions=actions, **what)
        with self._lock:
            self._faults.insert(0, fault)
        return fault

    def clear_faults(self) -> None:
        """Switches all faults off and lets the calls at gates go."""
        with self._lock:
            faults, self._faults = self._faults, []
        for fault in faults:
            if fault.gate:
                fault.gate.set()

    # --- for the handler

    def take_fault(self, parameters: dict[str, str]) -> Fault | None:
        """The first fault that matches, counted as used."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(parameters):
                    fault.hits += 1
                    return fault
        return None

    def forward(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes):
        """Sends the request on as it came, Host included (the signature covers it)."""
        connection = http.client.HTTPConnection(*self._upstream, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def record(self, call: Call) -> None:
        """Adds a call to the record."""
        with self._lock:
            self._calls.append(call)
            if not self._log.closed:
                print(json.dumps(asdict(call)), file=self._log, flush=True)


class _Handler(BaseHTTPRequestHandler):
    owner: Recorder
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        arrived, started = time.time(), time.monotonic()
        length = int(self.headers.get("Content-Length", 0))
        if length > _MAX_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.send_error(413)
            return
        body = self.rfile.read(length)
        key, region, service = _scope(self.headers.get("Authorization", ""))
        parameters = protocols.parameters(service, self.command, self.path, self.headers, body)
        fault = self.owner.take_fault(parameters)
        status, headers, answer, applied = self._answer(service, parameters.get("Action", ""), fault, body)

        self.owner.secrets.update(secret.decode() for secret in _SECRET.findall(answer))
        lost = fault is not None and (fault.drop or fault.lose_response)
        self.owner.record(
            Call(
                time=arrived,
                service=service,
                region=region,
                action=parameters.get("Action", ""),
                parameters=parameters,
                access_key_id=key,
                status=0 if lost else status,
                error_code=protocols.error_code(answer) if status >= 400 else "",
                applied=applied,
                fault=fault.name if fault else "",
                seconds=time.monotonic() - started,
            )
        )
        if lost:
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

    def _answer(
        self, service: str, action: str, fault: Fault | None, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes, bool]:
        if fault:
            if fault.gate:
                fault.held.release()
                fault.gate.wait(60)
            time.sleep(fault.delay)
            if fault.drop:
                return 0, [], b"", False
            if fault.code:
                kind, text = protocols.error(service, fault.status, fault.code, fault.message)
                return fault.status, [("Content-Type", kind)], text, False
        try:
            status, headers, answer = self.owner.forward(self.command, self.path, self.headers.items(), body)
        except OSError as error:
            kind, text = protocols.error(service, 502, "UpstreamUnreachable", str(error))
            return 502, [("Content-Type", kind)], text, False
        if action == _DETAILS and status == 200:
            answer = self._with_boundaries(answer)
        return status, headers, answer, status < 400

    def _with_boundaries(self, answer: bytes) -> bytes:
        """AWS has the permissions boundary of each role in it, the double only in GetRole."""

        def complete(role: re.Match[bytes]) -> bytes:
            name = role["name"].decode()
            query = urllib.parse.urlencode({"Action": "GetRole", "Version": "2010-05-08", "RoleName": name})
            headers = [("Host", self.headers["Host"]), ("Authorization", _AS_ROOT), ("Content-Length", str(len(query)))]
            _, _, shown = self.owner.forward("POST", "/", headers, query.encode())
            found = _BOUNDARY.search(shown)
            return role[0] + found[0] if found else role[0]

        return _ROLE_OF_DETAILS.sub(complete, answer)

    def log_message(self, *_: object) -> None:
        """The record says it all."""


def _scope(authorization: str) -> tuple[str, str, str]:
    found = _CREDENTIAL.search(authorization)
    return (found.group(1), found.group(2), found.group(3)) if found else ("", "", "")
