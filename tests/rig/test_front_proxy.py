"""The API server hands requests on to an extension API server beside it, and shows who it is; that identity can be replaced."""

import base64
import http.client
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rig import extension, pki
from rig.apiclient import ApiError
from rig.cluster import Cluster
from rig.front_proxy import CONFIG_MAP, NAME
from rig.ports import free_port
from rig.proc import wait_until

GROUP = "/apis/beside.rig.deputy.dev/v1"
SECRET = "a secret that only its reader gets"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as running:
        yield running


class Server:
    """An extension API server that answers everything with a secret, to who shows a certificate of an authority it was told of."""

    def __init__(self, folder, cluster) -> None:
        self.port, self.folder, self.cluster = free_port(), folder, cluster
        self.callers: list[tuple[str, str, list[str], str]] = []
        """Issuer of the certificate, user, groups and path of each request."""
        pki.make_ca(folder, "ca")
        pki.issue(folder, "beside", "ca", "/CN=beside", {"subjectAltName": "DNS:beside.default.svc"})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.socket = self._context().wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def bundle(self) -> str:
        return base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()

    def last_of(self, user: str) -> tuple[str, list[str], str]:
        """Issuer of the certificate, groups and path of a user's last request. The API server has questions of its own, too."""
        return next((issuer, groups, path) for issuer, who, groups, path in reversed(self.callers) if who == user)

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "beside.crt", self.folder / "beside.key")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.cluster.admin.get(CONFIG_MAP)["data"]["requestheader-client-ca-file"])
        # The newest authorities for each new connection, as whoever watches the ConfigMap has them.
        context.sni_callback = self._renew
        return context

    def _renew(self, connection: ssl.SSLSocket, _name: str, _context: ssl.SSLContext) -> None:
        connection.context = self._context()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                subject = self.connection.getpeercert()
                issuer = dict(part[0] for part in subject["issuer"])["commonName"]
                user, groups = self.headers["X-Remote-User"], self.headers.get_all("X-Remote-Group", [])
                outer.callers.append((issuer, user, groups, self.path))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                resources = [{"name": "things", "namespaced": True, "kind": "Thing", "verbs": ["create"]}]
                body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP[6:], "resources": resources}
                text = json.dumps({**body, "secret": SECRET}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture(scope="module")
def server(cluster, tmp_path_factory):
    beside = Server(tmp_path_factory.mktemp("beside"), cluster)
    meta = {"name": "beside", "namespace": "default"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"name": "api", "port": 7000}]}}
    spec = {"group": "beside.rig.deputy.dev", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10}
    registration = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.beside.rig.deputy.dev"},
        "spec": {**spec, "service": {**meta, "port": 7000}, "caBundle": beside.bundle},
    }
    extension.serve_by(cluster, "default", "beside", 7000, "api", beside.port)
    cluster.apply([service, registration])
    extension.wait_available(cluster, "v1.beside.rig.deputy.dev")
    return beside


def test_a_person_reaches_the_server_beside_as_who_they_are(cluster, server):
    client, kubeconfig = cluster.person("alice@example.com", "sre", "mfa")
    assert wait_until(lambda: client.get(GROUP), "discovery")["secret"] == SECRET
    issuer, groups, path = server.last_of("alice@example.com")
    assert (issuer, path) == ("front-proxy-ca-1", GROUP)
    assert groups == ["sre", "mfa", "system:authenticated"]
    assert "things" in cluster.kubectl("api-resources", "--api-group", GROUP[6:-3], kubeconfig=kubeconfig).stdout
    with pytest.raises(ApiError, match='User "alice@example.com" cannot create resource "things"'):
        client.create(f"{GROUP}/namespaces/default/things", {})


def test_the_audit_log_has_no_bodies_of_what_is_handed_on(cluster, server):
    path = f"{GROUP}/namespaces/default/things"
    assert cluster.admin.create(path, {"spec": {"asked": "also between the two"}})["secret"] == SECRET
    assert any(r.path == path and r.verb == "create" and r.code == 200 for r in cluster.audited("admin"))
    text = cluster.audit_log.read_text()
    assert SECRET not in text and "between the two" not in text


def reached(server, certificate) -> bool:
    """Whether the server answers who shows this certificate."""
    context = ssl.create_default_context(cafile=str(server.folder / "ca.crt"))
    context.check_hostname = False
    context.load_cert_chain(*certificate)
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=context)
    try:
        connection.request("GET", GROUP)
        return connection.getresponse().status == 200
    except ssl.SSLError:
        return False
    finally:
        connection.close()


def test_the_identity_of_the_api_server_is_replaced_under_everybody(cluster, server):
    proxy = cluster.front_proxy

    def asked_by(issuer: str) -> bool:
        cluster.admin.get(GROUP)
        return server.last_of("admin")[0] == issuer

    assert asked_by("front-proxy-ca-1")
    proxy.trust_another_authority(cluster)
    assert asked_by("front-proxy-ca-1"), "both count, and the certificate is the old one"
    proxy.replace_certificate()
    wait_until(lambda: asked_by("front-proxy-ca-2"), "the new certificate in use")
    old = proxy.certificate(authority="front-proxy-ca-1")
    assert reached(server, old)
    assert proxy.forget_the_old_authority(cluster) == "front-proxy-ca-1"
    assert proxy.told(cluster) == {"front-proxy-ca-2"}
    assert not reached(server, old) and reached(server, proxy.certificate())
    assert cluster.admin.get(CONFIG_MAP)["data"]["requestheader-allowed-names"] == f'["{NAME}"]'
    assert asked_by("front-proxy-ca-2")
