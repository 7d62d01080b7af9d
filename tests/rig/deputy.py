"""Deputy on the rig: the chart applied, its processes run beside the cluster with the chart's own ServiceAccounts.

Each process has the rights of its chart role and an AWS identity of its own, made from `deputy bootstrap aws`.
"""

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from . import extension
from .aws import Aws, Credentials
from .cluster import Cluster
from .kube_render import CHART, Rendered, helm_template, split
from .ports import free_port
from .proc import Process, wait_until
from .tools import cargo_binary

NAMESPACE = "deputy-system"
PROCESSES = ("limits", "controller", "broker", "webhook")
_LISTENS = {"webhook", "broker"}
PEOPLE_SERVICE = "v1alpha1.credentials.deputy.dev"
"""The APIService of the API for people."""
FEDERATION = "broker for federated users"
"""The identity of the federation user, of which the broker has the keys."""


def adapted_to_double(policy: Mapping) -> dict:
    """An identity's policy as ministack understands it: it ignores paths in IAM's ARNs, judges CreatePolicy against `*`, and
    never finds `iam:PermissionsBoundary` satisfied. Statements stay, resources get wider, that one condition goes.

    What the policies really say is proved elsewhere: every recorded call is judged by our own evaluator.
    """
    statements = []
    for statement in policy["Statement"]:
        statement = json.loads(json.dumps(statement))
        if statement["Effect"] == "Deny":
            condition = json.dumps(statement.get("Condition", {}))
            if "iam:PermissionsBoundary" in condition or "NotResource" in statement:
                continue
        else:
            statement["Resource"] = "*"
            for keys in statement.get("Condition", {}).values():
                for key in [k for k in keys if k.lower() == "iam:permissionsboundary" or "resourcetag" in k.lower()]:
                    del keys[key]
            statement["Condition"] = {o: k for o, k in statement.get("Condition", {}).items() if k}
            if not statement["Condition"]:
                del statement["Condition"]
        statements.append(statement)
    return {"Version": policy["Version"], "Statement": statements}


class Deputy:
    """The four processes. `start` runs them all; each can be stopped, killed and started again by its name."""

    def __init__(
        self,
        cluster: Cluster,
        aws: Aws,
        folder: Path,
        cluster_name: str = "demo",
        profile: str = "debug",
        people: bool = False,
    ) -> None:
        """`profile` is that of cargo's with which the program was built; `people` has the API for people served."""
        self.cluster, self.aws, self.folder, self.cluster_name = cluster, aws, folder, cluster_name
        self.program, self.chart = cargo_binary("deputy", profile), CHART
        self.agent_program: Path | None = None
        """Where it is not the one that was built last."""
        self.processes: dict[str, Process] = {}
        self.identities: dict[str, Credentials] = {}
        self.former_keys: dict[str, str] = {}
        """Access key ids of before, and whose they were."""
        self.bootstrap: dict = {}
        self.secrets: set[str] = set()
        """Every secret key and token that the broker or an agent handed out, and every pod token shown to them."""
        self.rendered: Rendered
        self.people = people
        self._ports = {name: free_port() for name in (*_LISTENS, "people")}
        self._admin: dict[str, int] = {}
        self._probes: dict[str, int] = {}

    @property
    def broker_address(self) -> str:
        """Where the broker listens: what an agent outside the cluster's network dials."""
        return f"127.0.0.1:{self._ports['broker']}"

    def port(self, name: str) -> int:
        """The TLS port of webhook or broker, or the broker's for people (`people`)."""
        return self._ports[name]

    @property
    def federation_keys(self) -> Path:
        """The folder with the keys of federation users, as a Secret is mounted."""
        return self.folder / "federation"

    @property
    def issuer_arn(self) -> str:
        """The broker's AWS identity: a user, because ministack gives role sessions another aws:PrincipalArn than AWS."""
        return f"arn:aws:iam::{self.aws.account}:user/deputy-broker"

    def on_this_double(self, manifest: dict) -> dict:
        """An AWSAccount of the examples, pointed at ministack and at the broker's identity there. Suites and stories take away what they
        made, which is more at once than anybody deletes who does not say so."""
        if manifest["kind"] == "AWSAccount":
            manifest["metadata"].setdefault("annotations", {})["deputy.dev/accept-removing-orphans"] = "100000"
            manifest["spec"]["issuer"]["principalARN"] = self.issuer_arn
            manifest["spec"]["endpoints"] = dict.fromkeys(("iam", "sts", "s3", "sqs", "sns"), self.aws.url)
        return manifest

    # --- installation

    def install(self, values: Mapping | None = None) -> None:
        """Applies the chart: definitions, RBAC, webhooks by URL, everything but the workloads."""
        said = {"clusterName": self.cluster_name, "image": {"repository": "deputy.invalid/deputy"}, **(values or {})}
        if self.people:
            said["people"] = {"enabled": True}
        text = helm_template(said, namespace=NAMESPACE, chart=self.chart)
        self.rendered = split(text, f"https://127.0.0.1:{self._ports['webhook']}")
        if not self.cluster.admin.exists(f"/api/v1/namespaces/{NAMESPACE}"):
            self.cluster.create_namespace(NAMESPACE)
        self.cluster.apply(self.rendered.definitions)
        self.cluster.wait_established(*self.rendered.crd_names())
        self.cluster.apply(self.rendered.objects)
        if self.people:
            extension.serve_by(self.cluster, NAMESPACE, "deputy-broker", 7420, "people", self._ports["people"])

    def bootstrap_of(self, manifests: str) -> list[dict]:
        """What `deputy bootstrap aws` prints: an entry for each AWS account."""
        done = subprocess.run(
            [self.program, "bootstrap", "aws", "--cluster-name", self.cluster_name, "-f", "-"],
            input=manifests,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"deputy bootstrap aws: {done.stderr}")
        return json.loads(done.stdout)["accounts"]

    def bootstrap_aws(self, account_manifest: str) -> None:
        """Makes one AWS user for each process with what `deputy bootstrap aws` prints."""
        [self.bootstrap] = self.bootstrap_of(account_manifest)
        for identity in self.bootstrap["identities"]:
            statements = adapted_to_double(identity["policy"])["Statement"]
            self.identities[identity["process"].removeprefix("deputy ")] = self.aws.create_user(
                identity["name"], *statements
            )
        if FEDERATION in self.identities:
            self._write_federation_keys(self.identities[FEDERATION])

    def bootstrap_federation(self, manifests: str) -> dict:
        """Makes the federation user of an account alone, of what `deputy bootstrap aws` prints, and gives the broker its keys. What was
        printed."""
        [account] = self.bootstrap_of(manifests)
        user = next(i for i in account["identities"] if i["process"].removeprefix("deputy ") == FEDERATION)
        keys = self.aws.create_user(user["name"], *adapted_to_double(user["policy"])["Statement"])
        self.identities[FEDERATION] = keys
        self._write_federation_keys(keys)
        return user

    def widen_controller(self, manifests: str, *sids: str) -> list[dict]:
        """Gives the user of `deputy controller` the statements of these names besides, as `deputy bootstrap aws` prints them for an account.
        What was printed."""
        [account] = self.bootstrap_of(manifests)
        controller = next(i for i in account["identities"] if i["process"] == "deputy controller")
        printed = [s for s in controller["policy"]["Statement"] if s.get("Sid") in sids]
        document = json.dumps(adapted_to_double({**controller["policy"], "Statement": printed}))
        self.aws.client("iam").put_user_policy(UserName=controller["name"], PolicyName="more", PolicyDocument=document)
        return printed

    def rotate_federation_keys(self) -> Credentials:
        """Gives the federation user other keys, as whoever replaces the Secret does; the old ones stay valid."""
        old = self.identities[FEDERATION]
        self.former_keys[old.access_key_id] = FEDERATION
        self.secrets.add(old.secret_access_key)
        made = self.aws.client("iam").create_access_key(UserName="deputy-federation")
        self.identities[FEDERATION] = Credentials.of(made["AccessKey"])
        self._write_federation_keys(self.identities[FEDERATION])
        return self.identities[FEDERATION]

    def _write_federation_keys(self, keys: Credentials) -> None:
        """What `aws iam create-access-key` prints, put in place by renaming, as the kubelet does."""
        self.federation_keys.mkdir(exist_ok=True)
        pair = {"AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key}
        new = self.federation_keys / ".new"
        new.write_text(json.dumps({"AccessKey": {"UserName": "deputy-federation", "Status": "Active", **pair}}))
        new.rename(self.federation_keys / "production")

    # --- processes

    def start(self) -> "Deputy":
        """Starts all processes and waits until each is ready."""
        for name in PROCESSES:
            self.start_process(name, wait=False)
        for name in PROCESSES:
            self.wait_ready(name)
        if self.people:
            extension.wait_available(self.cluster, PEOPLE_SERVICE)
        return self

    def environment(self, name: str, replica: str = "") -> dict[str, str]:
        """What the chart gives the process, with addresses of this machine, its kubeconfig and its AWS identity."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DEPUTY_", "KUBE"))}
        container = self.rendered.pod_spec(f"deputy-{name}")["containers"][0]
        env |= {e["name"]: e["value"] for e in container["env"] if "value" in e}
        account = self.rendered.pod_spec(f"deputy-{name}")["serviceAccountName"]
        env |= {
            "POD_NAMESPACE": NAMESPACE,
            # The same after a crash, as for a container that the kubelet starts again.
            "POD_NAME": f"deputy-{name}-{replica or '0'}",
            "KUBECONFIG": str(self.cluster.kubeconfig_for_service_account(NAMESPACE, account)),
            "DEPUTY_ADMIN_ADDRESS": f"127.0.0.1:{self._admin.setdefault(name + replica, free_port())}",
            "DEPUTY_PROBES_ADDRESS": f"127.0.0.1:{self._probes.setdefault(name + replica, free_port())}",
            "DEPUTY_DRAIN_SECONDS": "0",
            # No identity of this machine's owner, whatever is configured.
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if name in _LISTENS:
            env["DEPUTY_LISTEN"] = f"127.0.0.1:{self._ports[name]}"
            env["DEPUTY_EXTRA_SANS"] = "127.0.0.1"
        if name == "broker":
            env["DEPUTY_FEDERATION_KEYS"] = str(self.federation_keys)
            if "DEPUTY_PEOPLE_LISTEN" in env:
                env["DEPUTY_PEOPLE_LISTEN"] = f"127.0.0.1:{self._ports['people']}"
        if identity := self.identities.get(name):
            env |= identity.environment()
        return env

    def start_process(self, name: str, wait: bool = True, replica: str = "", **more: str | None) -> Process:
        """Starts one process; `more` is added to its environment, or taken from it where it is None. A second one at a time is a `replica` of another name,
        and is known as `name` + `replica` from then on."""
        program = [self.program, *self.rendered.container_args(f"deputy-{name}")[-1:]]
        log = self.folder / f"{name}{replica}.log"
        env = {key: value for key, value in {**self.environment(name, replica), **more}.items() if value is not None}
        process = Process(f"deputy {name}{replica}", program, log, env, cwd=self.folder)
        self.processes[name + replica] = process
        if wait:
            self.wait_ready(name + replica)
        return process

    def wait_ready(self, name: str, timeout: float = 40) -> None:
        """Waits until the process says it is ready; its log is shown when it never is."""
        self.processes[name].wait_ready(lambda: self.unready(name) == {}, timeout)

    def unready(self, name: str) -> dict | None:
        """What keeps a process from being ready; None while it does not answer at all."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._admin[name]}/readyz", timeout=2) as answer:
                return json.load(answer)["notReady"]
        except urllib.error.HTTPError as error:
            return json.load(error)["notReady"]
        except OSError:
            return None

    def metrics(self, name: str) -> str:
        """The metrics page of a process."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin[name]}/metrics", timeout=2) as answer:
            return answer.read().decode()

    def restart(self, name: str) -> None:
        """Ends a process as a signal does, and starts it again."""
        self.processes[name].stop()
        self.start_process(name)

    def start_ended(self, wait: bool = True) -> None:
        """Starts what does not run any more, as the kubelet does."""
        for name in PROCESSES:
            if self.processes[name].returncode is not None:
                self.start_process(name, wait=wait)

    def kill(self, name: str) -> None:
        """Ends a process as a crash does."""
        self.processes[name].kill()

    def log(self, name: str) -> list[dict]:
        """What a process logged in all its lives: its JSON lines."""
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def audit_lines(self) -> list[dict]:
        """The broker's audit log."""
        return [line for line in self.log("broker") if line.get("target") == "audit"]

    def review(self, path: str, body: bytes, content_type: str = "application/json") -> tuple[int, dict]:
        """A request to the webhook as the API server makes it: status and body."""
        found = self.cluster.admin.get(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/deputy"
        )
        bundle = base64.b64decode(found["webhooks"][0]["clientConfig"]["caBundle"]).decode()
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._ports["webhook"], timeout=20, context=ssl.create_default_context(cadata=bundle)
        )
        try:
            connection.request("POST", path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text else {}

    def stop(self) -> None:
        """Ends all processes."""
        for process in self.processes.values():
            process.stop()

    def ask_broker(
        self, token: str, path: str = "/v1/credentials", bundle: str | None = None, **headers: str
    ) -> tuple[int, dict, dict]:
        """A request to the broker as an agent makes it: status, headers, body. `bundle` is what it trusts, where the API server can't be
        asked for that."""
        context = ssl.create_default_context(cadata=bundle or self.broker_bundle())
        self.secrets.add(token)
        request = urllib.request.Request(f"https://{self.broker_address}{path}")
        request.add_header("Authorization", f"Bearer {token}")
        for key, value in headers.items():
            request.add_header(key.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=5, context=context) as answer:
                body = json.load(answer)
                self.secrets |= {body["SecretAccessKey"], body["Token"]}
                return answer.status, dict(answer.headers), body
        except urllib.error.HTTPError as error:
            body = error.read()
            return error.code, dict(error.headers), json.loads(body) if body else {}

    def broker_bundle(self) -> str:
        """The broker's public bundle, as the webhook inlines it into sidecars."""
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/deputy-broker-bundle"
        return self.cluster.admin.get(path)["data"]["ca.crt"]

    def start_agent(self, pod: Mapping, **more: str) -> "Agent":
        """The pod's sidecar, as the webhook injected it, with the pod's own token."""
        return Agent(self, pod, more)


class Agent:
    """`deputy-agent` of one pod, run with what the webhook put into it; only paths and ports are this machine's."""

    def __init__(self, deputy: Deputy, pod: Mapping, more: Mapping[str, str]) -> None:
        self.pod = pod
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        folder = deputy.folder / f"agent-{namespace}-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        self.token_file = folder / "token"
        self._deputy, self.port = deputy, free_port()
        self.rotate_token()
        sidecar = next(c for c in pod["spec"]["initContainers"] if c["name"] == "deputy-agent")
        env = {e["name"]: e.get("value", "") for e in sidecar["env"]}
        # There is no pod network here: the Service's address leads nowhere, and this port is one of many.
        env |= {
            "DEPUTY_BROKER_ADDRESS": deputy.broker_address,
            "DEPUTY_LISTEN": f"127.0.0.1:{self.port}",
            "DEPUTY_TOKEN_FILE": str(self.token_file),
            **more,
        }
        self._env, self._folder = env, folder
        self._program = deputy.agent_program or cargo_binary("deputy-agent")
        self.begin()

    def begin(self) -> None:
        """Starts its process, again after it ended, as the kubelet does."""
        log = self._folder / "agent.log"
        self.process = Process("deputy-agent", [self._program], log, self._env, cwd=self._folder)

    def rotate_token(self) -> None:
        """A new token of the pod, as the kubelet replaces the old one: by renaming."""
        meta = self.pod["metadata"]
        new = self.token_file.with_suffix(".new")
        token = self._deputy.cluster.pod_token(meta["namespace"], meta["name"])
        self._deputy.secrets.add(token)
        new.write_text(token)
        new.rename(self.token_file)

    def is_ready(self) -> bool:
        """What the hook of the sidecar waits for, which the kubelet runs."""
        return self.not_ready() is None

    def is_listening(self) -> bool:
        """Whether it takes connections, whatever it has."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2):
            return True

    def not_ready(self) -> str | None:
        """Why the application may not start; None when it may."""
        done = subprocess.run(
            [self._program, "ready"], env=self._env, capture_output=True, text=True, timeout=5, check=False
        )
        return done.stderr if done.returncode else None

    def wait_ready(self, timeout: float = 20) -> None:
        """Waits until the application may start."""
        self.process.wait_ready(self.is_ready, timeout)

    def environment(self, container: str) -> dict[str, str]:
        """The environment of one of the pod's containers, as injected, with this machine's port and path."""
        spec = self.pod["spec"]
        found = next(c for c in [*spec["containers"], *spec["initContainers"]] if c["name"] == container)
        env = {e["name"]: e["value"] for e in found.get("env", []) if "value" in e}
        uri = env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = uri.replace("127.0.0.1:7419", f"127.0.0.1:{self.port}")
        env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(self.token_file)
        return env

    def get(self, path: str = "/v1/credentials", method: str = "GET", **headers: str) -> tuple[int, dict]:
        """A request to the agent as an SDK makes it: status and body. An empty header is left out."""
        headers = {"Authorization": self.token_file.read_text(), **headers}
        return _ask_agent(self._deputy, self.port, path, method, headers)

    def stop(self) -> None:
        """Ends the sidecar."""
        self.process.stop()


class NodeAgent:
    """`deputy-agent node` as the pod of a DaemonSet on a node, with that pod's own token; it listens on loopback here."""

    def __init__(self, deputy: Deputy, pod: Mapping, **more: str) -> None:
        self._deputy, self.port = deputy, free_port()
        meta, node = pod["metadata"], pod["spec"]["nodeName"]
        folder = deputy.folder / f"agent-of-{node}"
        folder.mkdir(parents=True, exist_ok=True)
        self.token = deputy.cluster.pod_token(meta["namespace"], meta["name"])
        deputy.secrets.add(self.token)
        (folder / "token").write_text(self.token)
        (folder / "ca.crt").write_text(deputy.broker_bundle())
        self._env = {
            "DEPUTY_BROKER_URL": f"https://{deputy.broker_address}",
            "DEPUTY_BROKER_CA_FILE": str(folder / "ca.crt"),
            "DEPUTY_LISTEN": f"127.0.0.1:{self.port}",
            "DEPUTY_TOKEN_FILE": str(folder / "token"),
            "DEPUTY_READY_FILE": str(folder / "ready"),
            "NODE_NAME": node,
            **more,
        }
        self._program = deputy.agent_program or cargo_binary("deputy-agent")
        self.process = Process("deputy-agent node", [self._program, "node"], folder / "agent.log", self._env, cwd=folder)

    def wait_ready(self, timeout: float = 20) -> None:
        """Waits until its probe, which the kubelet runs, says that it serves."""

        def is_ready() -> bool:
            probe = subprocess.run([self._program, "node-ready"], env=self._env, capture_output=True, timeout=5, check=False)
            return probe.returncode == 0

        self.process.wait_ready(is_ready, timeout)

    def get(self, token: str, path: str = "/v1/credentials") -> tuple[int, dict]:
        """A request to the agent as the SDK of a pod makes it: status and body."""
        self._deputy.secrets.add(token)
        return _ask_agent(self._deputy, self.port, path, "GET", {"Authorization": token})

    def stop(self) -> None:
        """Ends it."""
        self.process.stop()


def _ask_agent(deputy: Deputy, port: int, path: str, method: str, headers: Mapping[str, str]) -> tuple[int, dict]:
    """A request to an agent: status and body. An empty header is left out."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    for key, value in headers.items():
        if value:
            request.add_header(key.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            body = json.load(answer)
            deputy.secrets |= {body[key] for key in ("SecretAccessKey", "Token") if key in body}
            return answer.status, body
    except urllib.error.HTTPError as error:
        body = error.read()
        return error.code, json.loads(body) if body else {}


def wait_condition(cluster: Cluster, path: str, kind: str, status: str, reason: str | None = None, timeout: float = 30) -> dict:
    """Waits until an object's condition is as told, for its present generation; gives the condition."""

    def look() -> dict | None:
        if not cluster.admin.exists(path):
            return None
        found = cluster.admin.get(path)
        for entry in found.get("status", {}).get("conditions", []):
            current = entry.get("observedGeneration") == found["metadata"]["generation"]
            if entry["type"] == kind and entry["status"] == status and current and reason in (None, entry["reason"]):
                return entry
        return None

    return wait_until(look, f"{path}: {kind}={status} {reason or ''}", timeout)
