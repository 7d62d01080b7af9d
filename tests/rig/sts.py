"""STS as far as no double has it: MFA, SAML, answers that come late. It records what it is asked, and checks no signature."""

import datetime
import json
import re
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CREDENTIAL = re.compile(r"Credential=([^/]+)/")
MFA_DEVICE = "arn:aws:iam::123456789012:mfa/alice"
GOOD_CODE = "123456"


@dataclass
class StsCall:
    """One request."""

    action: str
    parameters: Mapping[str, str]
    access_key_id: str
    """Of whoever signed; empty of who did not."""


@dataclass
class Sts:
    """A server on loopback, as a context manager."""

    lifetime: datetime.timedelta = datetime.timedelta(hours=1)
    """How long the next sessions live, whatever is asked for."""
    refusal: tuple[int, str, str] | None = None
    """Status, code and message of every answer, instead of a session."""
    gate: threading.Event | None = None
    """Each answer waits for it."""
    identity: str = ""
    """The ARN of whoever asks who they are."""
    calls: list[StsCall] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    """Set by the first request."""

    def __enter__(self) -> "Sts":
        sts = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                parameters = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
                signed = _CREDENTIAL.search(self.headers.get("Authorization", ""))
                status, text = sts.answer(parameters, signed[1] if signed else "")
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("x-amzn-RequestId", "request-7")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Nothing: `calls` has it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, parameters: Mapping[str, str], access_key_id: str) -> tuple[int, bytes]:
        """Status and body of the answer to a request."""
        action = parameters["Action"]
        self.calls.append(StsCall(action, parameters, access_key_id))
        number = len(self.calls)
        self.asked.set()
        if self.gate:
            self.gate.wait(30)
        if self.refusal:
            return _error(*self.refusal)
        if action == "GetCallerIdentity":
            return 200, _identity(self.identity)
        if "SerialNumber" in parameters and (
            (parameters["SerialNumber"], parameters.get("TokenCode")) != (MFA_DEVICE, GOOD_CODE)
        ):
            return _error(403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
        until = datetime.datetime.now(datetime.UTC) + self.lifetime
        credentials = (
            f"<AccessKeyId>ASIASESSION{number}</AccessKeyId><SecretAccessKey>secret-{number}</SecretAccessKey>"
            f"<SessionToken>token-{number}</SessionToken><Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        )
        role = parameters.get("RoleArn", "").rpartition("/")[2]
        user = (
            f"<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:x</AssumedRoleId>"
            f"<Arn>arn:aws:sts::123456789012:assumed-role/{role}/x</Arn></AssumedRoleUser>"
        )
        return 200, (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>'
            f"<Credentials>{credentials}</Credentials>{user if role else ''}</{action}Result></{action}Response>"
        ).encode()

    def actions(self) -> list[str]:
        """What was asked, in order."""
        return [call.action for call in self.calls]


def _identity(arn: str) -> bytes:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{arn.split(':')[4]}</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>"
    ).encode()


def _error(status: int, code: str, message: str) -> tuple[int, bytes]:
    return status, (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>request-7</RequestId></ErrorResponse>"
    ).encode()


def session_of(printed: str) -> str:
    """The access key id of what a `credential_process` printed, after a look at its form."""
    answer = json.loads(printed)
    assert set(answer) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert answer["Version"] == 1
    return answer["AccessKeyId"]
