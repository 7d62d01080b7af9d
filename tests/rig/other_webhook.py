"""A mutating webhook of somebody else's, beside Deputy's."""

import base64
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .cluster import Cluster
from .pki import issue, make_ca
from .ports import free_port


class OtherWebhook:
    """Does `change` to every new pod of one namespace. The API server asks webhooks in the order of their names."""

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        name: str,
        namespace: str,
        change: Callable[[dict], None],
        again: bool = False,
    ) -> None:
        self.calls = 0
        self._cluster, self._name = cluster, name
        self._path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        folder.mkdir(parents=True, exist_ok=True)
        make_ca(folder, "ca")
        issue(folder, "other", "ca", "/CN=other", {"subjectAltName": "IP:127.0.0.1"})
        port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler(change))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "other.crt", folder / "other.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._configuration = {
            "metadata": {"name": name},
            "webhooks": [
                {
                    "name": "pods.other.example",
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{port}/",
                        "caBundle": base64.b64encode((folder / "ca.crt").read_bytes()).decode(),
                    },
                    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                    "admissionReviewVersions": ["v1"],
                    "reinvocationPolicy": "IfNeeded" if again else "Never",
                    "sideEffects": "None",
                }
            ],
        }

    def _handler(self, change: Callable[[dict], None]) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.calls += 1
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
                pod = request["object"]
                change(pod)
                patch = json.dumps([{"op": "replace", "path": "/spec", "value": pod["spec"]}])
                answer = {
                    "uid": request["uid"],
                    "allowed": True,
                    "patchType": "JSONPatch",
                    "patch": base64.b64encode(patch.encode()).decode(),
                }
                review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
                body = json.dumps(review).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def __enter__(self) -> "OtherWebhook":
        self._cluster.admin.create(self._path, self._configuration)
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.admin.delete(f"{self._path}/{self._name}")
        self._server.shutdown()
        self._server.server_close()
