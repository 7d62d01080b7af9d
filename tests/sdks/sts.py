"""A stand-in for STS and S3, which says whose access key signed, and a proxy that writes down what it is asked for.

They check no signature: that the SDKs can sign is not in question here, but with which session they do is."""

import http.client
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SIGNED = re.compile(r"Credential=([^/]+)/")
_HOP = {"connection", "proxy-connection", "keep-alive", "host", "proxy-authorization"}


class _OnLoopback:
    """A server in a thread of its own, as a context manager."""

    handler: type[BaseHTTPRequestHandler]

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status: int, kind: str, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Answers(_Quiet):
    def arn(self) -> str | None:
        """Of the session that signed, when the session's token came along."""
        signed = _SIGNED.search(self.headers.get("Authorization", ""))
        fits = signed and self.headers.get("X-Amz-Security-Token") == f"token-of-{signed[1]}"
        return f"arn:aws:sts::123456789012:assumed-role/app/{signed[1]}" if fits else None

    def do_POST(self) -> None:
        """GetCallerIdentity, the only action."""
        self.body()
        if not (arn := self.arn()):
            error = "<Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>unknown</Message></Error>"
            text = f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{error}</ErrorResponse>'
            return self.send(403, "text/xml", text.encode())
        result = f"<Arn>{arn}</Arn><UserId>AROAEXAMPLE:app</UserId><Account>123456789012</Account>"
        text = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"{result}</GetCallerIdentityResult><ResponseMetadata><RequestId>request-7</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>"
        )
        return self.send(200, "text/xml", text.encode())

    def do_GET(self) -> None:
        """An object of S3, whatever its name: it holds the ARN of who asks."""
        data = (self.arn() or "").encode()
        if not data:
            return self.send(403, "application/xml", b"<Error><Code>InvalidAccessKeyId</Code></Error>")
        date = "Mon, 02 Nov 2026 00:00:00 GMT"
        return self.send(200, "text/plain", data, ETag='"1"', Last_Modified=date, Accept_Ranges="bytes")

    do_HEAD = do_GET


class Sts(_OnLoopback):
    """STS and S3."""

    handler = _Answers


class Proxy(_OnLoopback):
    """A proxy for HTTP that reaches `target` and nothing else."""

    def __init__(self, target: str) -> None:
        proxy = self
        self.target = target
        self.asked: set[str] = set()
        """HOST:PORT of everything that it was asked for."""

        class Handler(_Quiet):
            def forward(self) -> None:
                url = urllib.parse.urlsplit(self.path)
                proxy.asked.add(url.netloc)
                body = self.body()
                if url.netloc != proxy.target:
                    return self.send(502, "text/plain", b"")
                headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
                connection = http.client.HTTPConnection(proxy.target, timeout=10)
                connection.request(self.command, url.path or "/", body, {**headers, "Host": proxy.target})
                answer = connection.getresponse()
                return self.send(answer.status, answer.headers["Content-Type"], answer.read())

            do_GET = do_POST = do_PUT = do_HEAD = forward

            def do_CONNECT(self) -> None:
                proxy.asked.add(self.path)
                self.send(502, "text/plain", b"")

        self.handler = Handler
