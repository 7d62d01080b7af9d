"""`deputy credentials role` and `config`: by boto3 over TLS, on an API server where nothing is set up yet, and with a broker behind it."""

import base64
import datetime
import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from rig import people, pki
from rig.aws import Credentials
from rig.cluster import Cluster
from rig.proc import wait_until
from rig.sts import session_of
from rig.tools import binary, cargo_binary

from .scenario import LIST, READ, binding
from .test_revocation import may_read, wait_cut

GROUP = "credentials.deputy.dev"
BINDING = "payments/reports"


class Person:
    """Somebody with a home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.program = cargo_binary("deputy")
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        home.mkdir(parents=True)

    def logs_in(self, server: str, authority: bytes, user: dict) -> None:
        """From now on there, by this user of a kubeconfig."""
        cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
        context = {"cluster": "c", "user": "alice", "namespace": "payments"}
        kubeconfig = {
            "current-context": "production",
            "clusters": [{"name": "c", "cluster": cluster}],
            "contexts": [{"name": "production", "context": context}],
            "users": [{"name": "alice", "user": user}],
        }
        (self.home / ".kube").mkdir(exist_ok=True)
        (self.home / ".kube/config").write_text(json.dumps(kubeconfig))

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess:
        """`deputy credentials …`."""
        return subprocess.run(
            [self.program, "credentials", *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def boto(self, profile: str) -> str:
        """The access key id that boto3 has of a profile, in a process of its own."""
        code = f"import boto3; print(boto3.Session(profile_name={profile!r}).get_credentials().access_key)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def alice(tmp_path):
    """A person who is logged in nowhere yet."""
    return Person(tmp_path / "home")


@pytest.fixture
def api(tmp_path):
    """The API over TLS, which answers to whoever shows a client certificate: with it, and the names of those who asked."""
    pki.make_ca(tmp_path, "ca")
    pki.issue(tmp_path, "server", "ca", "/CN=server", {"subjectAltName": "DNS:api.example.com"})
    pki.issue(tmp_path, "alice", "ca", "/CN=alice@example.com", {"extendedKeyUsage": "clientAuth"})
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            subject = dict(pair for [pair] in self.connection.getpeercert()["subject"])
            asked.append(subject["commonName"])
            until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
            status = {
                "accessKeyID": f"ASIASESSION{len(asked)}",
                "secretAccessKey": "hunter2-key",
                "sessionToken": "hunter2-token",
                "expirationTimestamp": f"{until:%Y-%m-%dT%H:%M:%SZ}",
            }
            body = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "CredentialRequest", "status": status}
            text = json.dumps(body).encode()
            self.send_response(201)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing: `asked` has it."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    tls.load_verify_locations(tmp_path / "ca.crt")
    tls.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def _certificate(folder: Path) -> dict:
    shown = {name: (folder / f"alice.{name}").read_bytes() for name in ("crt", "key")}
    return {
        "client-certificate-data": base64.b64encode(shown["crt"]).decode(),
        "client-key-data": base64.b64encode(shown["key"]).decode(),
    }


def test_an_sdk_has_the_session_by_the_profile_that_config_writes(api, alice, tmp_path):
    url, asked = api
    alice.logs_in(url, (tmp_path / "ca.crt").read_bytes(), _certificate(tmp_path))
    kubeconfig = json.loads((alice.home / ".kube/config").read_text())
    kubeconfig["clusters"][0]["cluster"]["tls-server-name"] = "api.example.com"
    spaced = alice.home / "my cluster"
    spaced.write_text(json.dumps(kubeconfig))
    (alice.home / ".aws").mkdir()
    (alice.home / ".aws/config").write_text("[default]\nregion = eu-west-1\n")
    done = alice.run("config", "reports", "--kubeconfig", "my cluster", "--duration", "1h")
    assert done.returncode == 0, done.stderr
    assert (alice.home / ".aws/config").read_text().startswith("[default]\nregion = eu-west-1\n\n[profile payments-reports]\n")
    # Two processes of it, and one request.
    assert [alice.boto("payments-reports"), alice.boto("payments-reports")] == ["ASIASESSION1"] * 2
    assert asked == ["alice@example.com"]


def test_a_server_that_is_another_one_gets_nothing(api, alice, tmp_path):
    url, asked = api
    # Its certificate is for another name, and then of another authority.
    pki.make_ca(tmp_path, "other")
    for authority in ("ca", "other"):
        alice.logs_in(url, (tmp_path / f"{authority}.crt").read_bytes(), _certificate(tmp_path))
        done = alice.run("role", BINDING)
        assert (done.returncode, done.stdout) == (3, "") and "invalid peer certificate" in done.stderr
    assert not asked


def test_a_login_program_may_answer_with_a_certificate(api, alice, tmp_path):
    url, asked = api
    version = "client.authentication.k8s.io/v1"
    status = {
        "clientCertificateData": (tmp_path / "alice.crt").read_text(),
        "clientKeyData": (tmp_path / "alice.key").read_text(),
    }
    (alice.home / "answer").write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
    exec_plugin = {"apiVersion": version, "interactiveMode": "Never", "command": "cat", "args": [str(alice.home / "answer")]}
    alice.logs_in(url, (tmp_path / "ca.crt").read_bytes(), {"exec": exec_plugin})
    kubeconfig = alice.home / ".kube/config"
    kubeconfig.write_text(kubeconfig.read_text().replace('"server":', '"tls-server-name": "api.example.com", "server":'))
    done = alice.run("role", "reports")
    assert (done.returncode, done.stderr) == (0, "")
    assert (session_of(done.stdout), asked) == ("ASIASESSION1", ["alice@example.com"])


def test_a_real_api_server_refuses_and_what_is_printed_helps(alice, tmp_path):
    with Cluster() as cluster:
        cluster.create_namespace("payments")
        _, kubeconfig = cluster.person("alice@example.com")
        ask = ("role", BINDING, "--kubeconfig", kubeconfig)
        done = alice.run(*ask)
        assert (done.returncode, done.stdout) == (1, "")
        assert "RBAC does not let user alice@example.com ask for credentials" in done.stderr
        rule = {"apiGroups": [GROUP], "resources": ["awsrolebindings/credentials"], "verbs": ["create"]}
        cluster.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "deputy-credentials"},
                "rules": [rule],
            }
        )
        manifest = tmp_path / "rolebinding.yaml"
        manifest.write_text(done.stderr.partition("to apply this:\n")[2])
        cluster.kubectl("apply", "-f", str(manifest))
        # Now it is asked, and there is no such API.
        done = alice.run(*ask)
        assert (done.returncode, done.stdout) == (3, "") and "with the value people.enabled" in done.stderr, done.stderr
        stranger = yaml.safe_load(kubeconfig.read_text())
        stranger["users"][0]["user"] = {"token": "hunter2"}
        (tmp_path / "stranger").write_text(json.dumps(stranger))
        done = alice.run("role", BINDING, "--kubeconfig", tmp_path / "stranger")
        assert (done.returncode, done.stdout) == (1, "") and "Log in to the cluster again" in done.stderr
        assert "hunter2" not in done.stderr
        # kubectl reads what is read here.
        shown = subprocess.run(
            [binary("kubectl"), "--kubeconfig", kubeconfig, "auth", "whoami"], capture_output=True, text=True, check=True
        )
        assert "alice@example.com" in shown.stdout


# --- with Deputy


def test_a_person_has_the_session_of_a_binding_until_it_names_them_no_more(scenario, new_team, alice):
    team = new_team(people={"users": ["*@example.com"], "mfaGroups": ["mfa"]})
    team.role("uploader", LIST, READ)
    manifest = binding(team.name, "reports", "uploader")
    manifest["spec"]["subjects"] = [{"kind": "User", "name": f"{name}@example.com"} for name in ("alice", "carol")]
    scenario.create(manifest)
    team.wait_binding("reports")
    persons = [("alice@example.com", "mfa"), ("bob@example.com", "mfa"), ("alice@example.com",)]
    named, other, weak = (people.Person.of(scenario.deputy, *who) for who in persons)

    def role(person: people.Person, *more: str, name: str = "reports") -> subprocess.CompletedProcess:
        return alice.run("role", f"{team.name}/{name}", "--kubeconfig", person.kubeconfig, *more)

    assert "RBAC does not let user alice@example.com" in role(named).stderr
    for person in (named, other):
        person.may_ask(team.name)
    wait_until(lambda: role(named).returncode == 0, "a session", 20)
    answer = json.loads(role(named).stdout)
    scenario.deputy.secrets |= {answer["SecretAccessKey"], answer["SessionToken"]}
    keys = Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])
    s3 = team.aws.client("s3", keys)
    assert may_read(s3)
    # The broker gives the same one again, and the cache another person's to nobody.
    assert session_of(role(named, "--refresh").stdout) == keys.access_key_id
    for done, code, says in [
        (role(other), 1, 'to add {kind: User, name: "bob@example.com"}'),
        (role(weak), 1, "the limit wants a second factor"),
        (role(named, name="none"), 1, "there is no such binding"),
        (role(named, "--duration", "12h"), 2, "--duration: 12h is longer than 1h"),
    ]:
        assert (done.returncode, done.stdout) == (code, "") and says in done.stderr, done.stderr
    carol = [{"kind": "User", "name": "carol@example.com"}]
    scenario.admin.patch(team.binding_path("reports"), {"spec": {"subjects": carol}})
    wait_cut(s3, "the session of who was removed")
    # What is kept is worth nothing any more; that is learned by asking.
    done = role(named, "--refresh")
    assert done.returncode == 1 and "the binding does not name you" in done.stderr, done.stderr
