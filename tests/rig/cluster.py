"""A Kubernetes API server with etcd on 127.0.0.1: real admission, RBAC and tokens; no node, and controllers on request."""

import base64
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from . import audit, pki
from .apiclient import ApiClient, ApiError
from .egress import Egress
from .front_proxy import FrontProxy
from .ports import free_port
from .proc import Process, wait_until
from .tools import binary

ISSUER = "https://kubernetes.default.svc.cluster.local"
FORMER_ISSUER = "https://former.example"
_MASTERS = "system:masters"


class Cluster:
    """Started by `start`, ended by `stop` or as a context manager. Its folder goes with it unless one was given."""

    def __init__(self, folder: Path | None = None, controller_manager: bool = False) -> None:
        """`controller_manager` also runs kube-controller-manager (`make tools-node`): namespaces then finish deleting,
        owners' dependents go and ServiceAccounts `default` appear by themselves."""
        self._own_folder = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="deputy-rig-")) if folder is None else folder
        self._controller_manager = controller_manager
        self._processes: list[Process] = []
        self._admin_token = secrets.token_hex(16)
        self._manager_token = secrets.token_hex(16)
        self.port = 0
        self._signing_keys = ["service-accounts"]
        self.tokens: set[str] = set()
        """Every token of a ServiceAccount that was asked for here."""
        self.admin: ApiClient
        """Requests as a member of system:masters."""
        self.front_proxy: FrontProxy
        """Who the API server is towards extension API servers."""
        self.egress = Egress()
        """How it reaches Services."""

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority behind the API server's certificate."""
        return self.folder / "pki" / "ca.crt"

    @property
    def audit_log(self) -> Path:
        """The audit log, one JSON event a line."""
        return self.folder / "audit.log"

    # --- life

    def start(self) -> "Cluster":
        """Starts etcd and kube-apiserver and waits until RBAC's bootstrap roles are there."""
        self._write_files()
        etcd_port, peer_port, self.port = free_port(), free_port(), free_port()
        etcd_url, peer_url = f"http://127.0.0.1:{etcd_port}", f"http://127.0.0.1:{peer_port}"
        try:
            # --unsafe-no-fsync: a cluster that does not outlive its test needs no durable writes.
            self._run(
                "etcd",
                *(f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync", "--log-level=warn"),
                *(f"--listen-client-urls={etcd_url}", f"--advertise-client-urls={etcd_url}"),
                *(f"--listen-peer-urls={peer_url}", f"--initial-advertise-peer-urls={peer_url}"),
                f"--initial-cluster=default={peer_url}",
            )
            self._etcd_url = etcd_url
            server = self._start_api_server(etcd_url)
            self.admin = ApiClient(self.url, self.ca_file, self._admin_token)
            self.kubeconfig = self.write_kubeconfig("admin", self._admin_token)
            server.wait_ready(lambda: self.admin.call("GET", "/readyz"), timeout=60)
            if self._controller_manager:
                self._start_controller_manager()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the processes and removes the folder, if it was made here."""
        for process in reversed(self._processes):
            process.kill()  # nothing in it is kept, so nothing needs an orderly end
        self._processes.clear()
        self.egress.close()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def without_api_server(self, compact: bool = False) -> Iterator[None]:
        """While no API server runs. With `compact`, the one that starts afterwards has no history: every watch that goes on from where it
        was is answered with 410 Gone."""
        old = next(p for p in self._processes if p.name == "kube-apiserver")
        self._processes.remove(old)
        old.kill()
        try:
            yield
        finally:
            if compact:
                self._compact_history()
            server = self._start_api_server(self._etcd_url)
            server.wait_ready(lambda: self.admin.call("GET", "/readyz"), timeout=60)

    def restart_api_server(self, compact: bool = False) -> None:
        """Kills the API server and starts it again."""
        with self.without_api_server(compact):
            pass

    def rotate_signing_key(self) -> None:
        """Another key signs tokens from now on, and those of the former ones are accepted still. The API server begins anew with it."""
        self._signing_keys.append(f"service-accounts-{len(self._signing_keys) + 1}")
        pki.make_signing_key(self.folder / "pki", self._signing_keys[-1])
        self.restart_api_server()

    def _compact_history(self) -> None:
        """Has etcd forget all but the newest version of everything."""

        def ask(what: str, body: dict) -> dict:
            request = urllib.request.Request(f"{self._etcd_url}/v3/kv/{what}", json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)

        revision = ask("range", {"key": base64.b64encode(b"/").decode(), "limit": 1})["header"]["revision"]
        ask("compaction", {"revision": revision, "physical": True})

    def __enter__(self) -> "Cluster":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write_files(self) -> None:
        keys = self.folder / "pki"
        keys.mkdir(parents=True, exist_ok=True)
        pki.make_ca(keys, "ca")
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        alternatives = ",".join([*(f"DNS:{n}" for n in names), "IP:127.0.0.1", "IP:10.96.0.1"])
        pki.issue(
            keys,
            "apiserver",
            "ca",
            "/CN=kube-apiserver",
            {"extendedKeyUsage": "serverAuth", "subjectAltName": alternatives},
        )
        pki.make_signing_key(keys, self._signing_keys[-1])
        self.front_proxy = FrontProxy(keys)
        self.egress.listen(self.folder)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            f'{self._admin_token},admin,admin,"{_MASTERS}"\n'
            f"{self._manager_token},system:kube-controller-manager,system:kube-controller-manager\n"
        )
        tokens.chmod(0o600)
        (self.folder / "audit-policy.yaml").write_text(yaml.safe_dump(audit.POLICY))

    def _start_api_server(self, etcd_url: str) -> Process:
        keys = self.folder / "pki"
        return self._run(
            "kube-apiserver",
            *(f"--etcd-servers={etcd_url}", "--bind-address=127.0.0.1", f"--secure-port={self.port}"),
            *(f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key"),
            *(f"--client-ca-file={keys}/ca.crt", f"--token-auth-file={self.folder}/tokens.csv"),
            *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
            *("--allow-privileged=true", "--service-cluster-ip-range=10.96.0.0/16"),
            *(
                f"--service-account-issuer={ISSUER}",
                # As after a change of the name: tokens by the former one are accepted still.
                f"--service-account-issuer={FORMER_ISSUER}",
                *(f"--service-account-key-file={keys}/{name}.pub" for name in self._signing_keys),
            ),
            f"--service-account-signing-key-file={keys}/{self._signing_keys[-1]}.key",
            # A loopback address can't be an endpoint of the Service `kubernetes`.
            "--endpoint-reconciler-type=none",
            *(f"--audit-policy-file={self.folder}/audit-policy.yaml", f"--audit-log-path={self.audit_log}"),
            # No rotation: a rotated log would hide refusals.
            "--audit-log-maxsize=10000",
            # Written before the response goes out, so that a test finds what it just did.
            "--audit-log-mode=blocking-strict",
            *("--profiling=false", "--shutdown-delay-duration=0s"),
            *(*self.front_proxy.flags, *self.egress.flags),
        )

    def _start_controller_manager(self) -> None:
        port, keys = free_port(), self.folder / "pki"
        config = self.write_kubeconfig("controller-manager", self._manager_token)
        self._run(
            "kube-controller-manager",
            *(f"--kubeconfig={config}", "--bind-address=127.0.0.1", f"--secure-port={port}"),
            *("--leader-elect=false", "--use-service-account-credentials=true"),
            *(
                f"--root-ca-file={self.ca_file}",
                f"--service-account-private-key-file={keys}/service-accounts.key",
            ),
            "--controllers=namespace-controller,serviceaccount-controller,garbage-collector-controller,"
            "root-ca-certificate-publisher-controller,clusterrole-aggregation-controller",
            # With the default of 20 requests a second, discovery alone holds a namespace's deletion up by seconds.
            *("--kube-api-qps=500", "--kube-api-burst=1000", "--profiling=false"),
        )

    def _run(self, program: str, *args: str) -> Process:
        logs = self.folder / "log"
        logs.mkdir(exist_ok=True)
        process = Process(program, [binary(program), *args], logs / f"{program}.log")
        self._processes.append(process)
        return process

    # --- clients

    def write_kubeconfig(self, name: str, token: str, namespace: str = "default") -> Path:
        """A kubeconfig file with a bearer token, readable by its owner only."""
        return self._write_kubeconfig(name, {"token": token}, namespace)

    def person(self, name: str, *groups: str) -> tuple[ApiClient, Path]:
        """Somebody of this name in these groups, who shows a client certificate: their requests, and their kubeconfig."""
        keys, file = self.folder / "pki", "-".join(["person", name, *groups])
        subject = "".join([*(f"/O={group}" for group in groups), f"/CN={name}"])
        pki.issue(keys, file, "ca", subject, {"extendedKeyUsage": "clientAuth"})
        certificate, key = keys / f"{file}.crt", keys / f"{file}.key"
        shown = {
            "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
            "client-key-data": base64.b64encode(key.read_bytes()).decode(),
        }
        client = ApiClient(self.url, self.ca_file, certificate=(certificate, key))
        return client, self._write_kubeconfig(file, shown, "default")

    def _write_kubeconfig(self, name: str, user: Mapping, namespace: str) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "rig",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority-data": base64.b64encode(self.ca_file.read_bytes()).decode(),
                    },
                }
            ],
            "users": [{"name": name, "user": dict(user)}],
            "contexts": [
                {"name": "rig", "context": {"cluster": "rig", "user": name, "namespace": namespace}}
            ],
            "current-context": "rig",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path

    def kubectl(
        self, *args: str, input: str | None = None, kubeconfig: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl, as the administrator unless another kubeconfig is given. With `check` a failure raises."""
        env = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "kubectl-cache"),
        }
        done = subprocess.run(
            [binary("kubectl"), *args], input=input, env=env, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise RuntimeError(
                f"kubectl {' '.join(args)}: exit code {done.returncode}\n{done.stderr}{done.stdout}"
            )
        return done

    def apply(self, manifests: str | Mapping | Iterable[Mapping], server_side: bool = True) -> str:
        """`kubectl apply` of YAML text, one object or several; returns kubectl's output."""
        if isinstance(manifests, str):
            text = manifests
        else:
            text = yaml.safe_dump_all([manifests] if isinstance(manifests, Mapping) else list(manifests))
        flags = ["--server-side", "--force-conflicts"] if server_side else []
        return self.kubectl("apply", *flags, "-f", "-", input=text).stdout

    def wait_established(self, *crds: str, timeout: float = 20) -> None:
        """Waits until the API server serves these CustomResourceDefinitions (`awsroles.deputy.dev`)."""
        for name in crds:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            wait_until(
                lambda p=path: condition(self.admin.get(p), "Established") == "True",
                f"{name} established",
                timeout,
            )

    # --- identities

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        """A namespace with the ServiceAccount `default`, which pods need and no controller makes here."""
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels or {})}})
        self.create_service_account(name, "default")

    def create_service_account(
        self, namespace: str, name: str, labels: Mapping[str, str] | None = None
    ) -> None:
        """A ServiceAccount; one that is already there stays as it is."""
        meta = {"metadata": {"name": name, "labels": dict(labels or {})}}
        try:
            self.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", meta)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def create_pod(self, namespace: str, name: str, service_account: str = "default", **spec: object) -> dict:
        """A pod with one container, which nobody schedules; returns what the API server stored."""
        body = {
            "metadata": {"name": name},
            "spec": {
                "serviceAccountName": service_account,
                "containers": [{"name": "app", "image": "app.invalid/app:1"}],
                **spec,
            },
        }
        return self.admin.create(f"/api/v1/namespaces/{namespace}/pods", body)

    def service_account_token(
        self,
        namespace: str,
        name: str,
        audience: str | None = None,
        pod: Mapping | None = None,
        seconds: int = 3600,
    ) -> str:
        """A token by TokenRequest: for the API server unless an audience is given, bound to `pod` when one is given."""
        spec: dict[str, object] = {"expirationSeconds": seconds}
        if audience is not None:
            spec["audiences"] = [audience]
        if pod is not None:
            meta = pod["metadata"]
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": meta["name"],
                "uid": meta["uid"],
            }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.admin.create(path, {"spec": spec})["status"]["token"]
        self.tokens.add(token)
        return token

    def pod_token(self, namespace: str, pod: str, audience: str = "deputy", seconds: int = 3600) -> str:
        """What kubelet would project into this pod: a token of its ServiceAccount bound to it."""
        found = self.admin.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")
        return self.service_account_token(
            namespace, found["spec"]["serviceAccountName"], audience, found, seconds
        )

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig file with a token of that ServiceAccount for the API server, valid for a day."""
        token = self.service_account_token(namespace, name, seconds=86400)
        return self.write_kubeconfig(f"{namespace}.{name}", token, namespace)

    def client_for_service_account(self, namespace: str, name: str) -> ApiClient:
        """Requests as that ServiceAccount."""
        return ApiClient(self.url, self.ca_file, self.service_account_token(namespace, name))

    # --- ends

    def delete_namespace(self, name: str, timeout: float = 30) -> None:
        """Deletes a namespace as the namespace controller does: contents first, finalizers respected, then itself."""
        self.admin.delete(f"/api/v1/namespaces/{name}")
        if not self._controller_manager:
            wait_until(
                lambda: self._emptied(name), f"namespace {name} empty (finalizers?)", timeout, every=0.2
            )
            self.finalize_namespace(name)
        wait_until(
            lambda: not self.admin.exists(f"/api/v1/namespaces/{name}"), f"namespace {name} gone", timeout
        )

    def finalize_namespace(self, name: str) -> None:
        """Drops the namespace's own finalizer: a terminating one is gone at once, whatever is still in it."""
        namespace = self.admin.get(f"/api/v1/namespaces/{name}")
        namespace["spec"]["finalizers"] = []
        self.admin.call("PUT", f"/api/v1/namespaces/{name}/finalize", namespace)

    def _emptied(self, namespace: str) -> bool:
        left = 0
        for prefix, resource in self.admin.namespaced_resources("deletecollection"):
            path = f"{prefix}/namespaces/{namespace}/{resource}"
            if self.admin.get(path)["items"]:
                # No node confirms the end of a pod, so it can't have a grace period.
                self.admin.call(
                    "DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
                )
                left += len(self.admin.get(path)["items"])
        return left == 0

    # --- audit

    def audited(self, user: str | None = None) -> list[audit.Request]:
        """All requests so far, or those of one user (`system:serviceaccount:<namespace>:<name>`)."""
        return [r for r in audit.read(self.audit_log) if user is None or r.user == user]

    def audit_forbidden(self, namespace: str | None = None) -> list[audit.Request]:
        """Requests of ServiceAccounts (of one namespace) that authorization refused, the suite's own probes included."""
        prefix = "system:serviceaccount:" + (f"{namespace}:" if namespace else "")
        return [r for r in audit.read(self.audit_log) if r.user.startswith(prefix) and not r.allowed]

    def used_verbs(self, user: str) -> set[tuple[str, str]]:
        """What a user was allowed and did: pairs such as `("watch", "deputy.dev/awsroles")` or `("get", "/version")`."""
        return {(r.verb, r.what) for r in self.audited(user) if r.allowed}


def condition(obj: Mapping, kind: str) -> str | None:
    """The status of a condition of an object (`True`, `False`, `Unknown`), None when it is not there."""
    for entry in obj.get("status", {}).get("conditions", []):
        if entry["type"] == kind:
            return entry["status"]
    return None


def service_account_user(namespace: str, name: str) -> str:
    """The user name of a ServiceAccount, as RBAC and the audit log spell it."""
    return f"system:serviceaccount:{namespace}:{name}"


def load_manifests(text: str) -> list[dict]:
    """The objects of a YAML stream, empty documents left out."""
    return [doc for doc in yaml.safe_load_all(text) if doc]
