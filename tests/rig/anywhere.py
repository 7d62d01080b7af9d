"""IAM Roles Anywhere: `CreateSession` on loopback, which verifies all that AWS verifies of a request, and a certificate authority for it.

Everything is read and verified by the command line of openssl, not by what is under test. What AWS does: the User Guide of IAM Roles
Anywhere, "Authentication" and "CreateSession".
"""

import base64
import datetime
import hashlib
import json
import re
import subprocess
import tempfile
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import pki
from .aws import ACCOUNT, Credentials

REGION = "eu-west-1"
_ID = "8f3d1a52-2c3e-4f0e-9d9b-1f2e3d4c5b6a"
TRUST_ANCHOR = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/{_ID}"
PROFILE = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:profile/{_ID}"
_AUTHORIZATION = re.compile(
    r"(AWS4-X509-(?:RSA|ECDSA)-SHA256) Credential=(\d+)/(\d{8})/([a-z0-9-]+)/rolesanywhere/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]+)"
)
_SIGNED = ("content-type", "host", "x-amz-date", "x-amz-x509")


class Refused(Exception):
    """What AWS would not take, by its code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def _openssl(folder: Path, *args: str) -> str:
    done = subprocess.run(["openssl", *args], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(403, "AccessDeniedException", f"openssl {args[0]}: {done.stdout} {done.stderr}".strip())
    return done.stdout


@dataclass
class SessionCall:
    """One request whose signature is that of its certificate."""

    serial: int
    algorithm: str
    role: str
    duration: int
    chain: int
    """Intermediate certificates that came with it."""


@dataclass
class RolesAnywhere:
    """A server, as a context manager."""

    folder: Path
    """Takes the authority: `root`, which is the trust anchor, and `middle`, which signs."""
    session_of: Callable[[], Credentials]
    """What it gives."""
    lifetime: datetime.timedelta = datetime.timedelta(hours=1)
    """How long the next sessions live by their answer."""
    refusal: Refused | None = None
    """Instead of every session."""
    calls: list[SessionCall] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What was not taken, and why."""

    def __enter__(self) -> "RolesAnywhere":
        pki.make_ca(self.folder, "root")
        authority = {"basicConstraints": "critical,CA:TRUE", "keyUsage": "critical,keyCertSign"}
        pki.issue(self.folder, "middle", "root", "/CN=middle", authority)
        anywhere = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status, answer, code = 201, anywhere.answer(self, body), None
                except Refused as refused:
                    anywhere.refused.append(str(refused))
                    status, answer, code = refused.status, {"message": str(refused)}, refused.code
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if code:
                    self.send_header("x-amzn-ErrorType", f"{code}:http://internal.amazon.com/coral/")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Nothing: `calls` has it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, role: str, certificate: Path) -> dict[str, str]:
        """What the chart gives a process that has its identity from here."""
        return {
            "DEPUTY_ROLES_ANYWHERE_TRUST_ANCHOR": TRUST_ANCHOR,
            "DEPUTY_ROLES_ANYWHERE_PROFILE": PROFILE,
            "DEPUTY_ROLES_ANYWHERE_ROLE": role,
            "DEPUTY_ROLES_ANYWHERE_CERTIFICATE": str(certificate),
            "DEPUTY_ROLES_ANYWHERE_ENDPOINT": self.url,
        }

    # --- certificates

    def issue(self, mount: Path, name: str, key: str = "ec", days: int = 2) -> int:
        """A certificate of this common name in the folder `mount`, as a Secret's volume has it: swapped as a whole. Its serial number."""
        new = Path(tempfile.mkdtemp(dir=self.folder))
        kind = ["ecparam", "-name", "prime256v1", "-genkey", "-noout"] if key == "ec" else ["genrsa", "-traditional"]
        _openssl(new, *kind, "-out", "tls.key", *(["2048"] if key == "rsa" else []))
        _openssl(new, "req", "-new", "-key", "tls.key", "-subj", f"/CN={name}", "-out", "csr")
        (new / "ext").write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n")
        signer = ["-CA", "../middle.crt", "-CAkey", "../middle.key", "-CAcreateserial"]
        _openssl(new, "x509", "-req", "-in", "csr", *signer, "-days", str(days), "-extfile", "ext", "-out", "leaf.crt")
        chain = (new / "leaf.crt").read_text() + (self.folder / "middle.crt").read_text()
        (new / "tls.crt").write_text(chain)
        mount.mkdir(exist_ok=True)
        data = mount / "..data.new"
        data.symlink_to(new)
        data.rename(mount / "..data")
        for file in ("tls.crt", "tls.key"):
            if not (mount / file).is_symlink():
                (mount / file).symlink_to(Path("..data") / file)
        return int(_openssl(new, "x509", "-in", "leaf.crt", "-noout", "-serial").strip().removeprefix("serial="), 16)

    # --- requests

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> dict:
        """The session, for a request that is as AWS wants it."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            call = self._verified(Path(scratch), request, body)
        self.calls.append(call)
        if self.refusal:
            raise self.refusal
        session = self.session_of()
        expiration = datetime.datetime.now(datetime.timezone.utc) + self.lifetime
        credentials = {
            "accessKeyId": session.access_key_id,
            "secretAccessKey": session.secret_access_key,
            "sessionToken": session.session_token or "none",
            "expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        one = {"credentials": credentials, "roleArn": call.role, "packedPolicySize": 0, "sourceIdentity": "CN"}
        return {"credentialSet": [one], "subjectArn": f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:subject/{_ID}"}

    def _verified(self, scratch: Path, request: BaseHTTPRequestHandler, body: bytes) -> SessionCall:
        found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if not found:
            raise Refused(403, "AccessDeniedException", "no signature of a certificate")
        algorithm, serial, date, region, signed, signature = found.groups()
        names = signed.split(";")
        if names != sorted(names) or not set(_SIGNED) <= set(names):
            raise Refused(403, "AccessDeniedException", f"signed headers {signed}")
        sent = request.headers["X-Amz-Date"]
        now = datetime.datetime.now(datetime.timezone.utc)
        at = datetime.datetime.strptime(sent, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs(now - at) > datetime.timedelta(minutes=5) or date != sent[:8] or region != REGION:
            raise Refused(403, "AccessDeniedException", f"signed at {sent} in {region}")
        chain = self._certificates(scratch, request, int(serial), algorithm)
        url = urllib.parse.urlsplit(request.path)
        query = urllib.parse.parse_qsl(url.query, strict_parsing=True)
        quoted = [f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in sorted(query)]
        headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
        canonical = "\n".join(
            ["POST", url.path, "&".join(quoted), headers, signed, hashlib.sha256(body).hexdigest()]
        )
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        scope = f"{date}/{region}/rolesanywhere/aws4_request"
        (scratch / "signed").write_text("\n".join([algorithm, sent, scope, hashed]))
        (scratch / "signature").write_bytes(bytes.fromhex(signature))
        (scratch / "public").write_text(_openssl(scratch, "x509", "-in", "leaf.pem", "-pubkey", "-noout"))
        _openssl(scratch, "dgst", "-sha256", "-verify", "public", "-signature", "signature", "signed")
        asked = dict(query)
        if (url.path, asked.get("trustAnchorArn"), asked.get("profileArn")) != ("/sessions", TRUST_ANCHOR, PROFILE):
            raise Refused(404, "ResourceNotFoundException", f"{url.path} {asked}")
        duration = json.loads(body)["durationSeconds"]
        return SessionCall(int(serial), algorithm, asked["roleArn"], duration, chain)

    def _certificates(self, scratch: Path, request: BaseHTTPRequestHandler, serial: int, algorithm: str) -> int:
        """Whether the certificates of the request lead to the trust anchor, now; how many there are beside the first one."""
        chain = [c for c in request.headers.get("X-Amz-X509-Chain", "").split(",") if c]
        for name, certificates in (("leaf", [request.headers["X-Amz-X509"]]), ("chain", chain)):
            pem = ""
            for certificate in certificates:
                (scratch / "der").write_bytes(base64.b64decode(certificate, validate=True))
                pem += _openssl(scratch, "x509", "-inform", "DER", "-in", "der")
            (scratch / f"{name}.pem").write_text(pem)
        untrusted = ["-untrusted", "chain.pem"] if chain else []
        _openssl(scratch, "verify", "-x509_strict", "-CAfile", str(self.folder / "root.crt"), *untrusted, "leaf.pem")
        said = _openssl(scratch, "x509", "-in", "leaf.pem", "-noout", "-serial", "-text")
        if int(re.search(r"serial=([0-9A-F]+)", said)[1], 16) != serial:
            raise Refused(403, "AccessDeniedException", "the serial number is that of another certificate")
        if ("id-ecPublicKey" in said) != ("ECDSA" in algorithm):
            raise Refused(403, "AccessDeniedException", f"{algorithm} is not the algorithm of the key")
        return len(chain)
