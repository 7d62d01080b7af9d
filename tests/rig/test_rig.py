"""The rig itself: what the suites take for granted about the API server and the AWS double."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.exceptions
import pytest

from rig import kube_render, rbac, tools
from rig.apiclient import ApiError
from rig.aws import ACCOUNT, Aws, Credentials, error_code, policy
from rig.cluster import Cluster, condition, service_account_user
from rig.egress import Egress
from rig.proc import NotReady, Process, wait_until

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "probes.rig.deputy.dev"},
    "spec": {
        "group": "rig.deputy.dev",
        "names": {"kind": "Probe", "plural": "probes"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def cluster():
    started = time.monotonic()
    with Cluster() as running:
        running.seconds_to_start = time.monotonic() - started
        yield running


@pytest.fixture(scope="module")
def running_aws():
    with Aws() as running:
        yield running


@pytest.fixture
def aws(running_aws):
    running_aws.reset()
    return running_aws


# --- the way to Services


@pytest.mark.parametrize("target", ["10.96.0.10:443", "192.0.2.1:7420", "kubernetes.default.svc:443"])
def test_no_connection_leaves_this_machine(tmp_path, target):
    egress = Egress()
    egress.listen(tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(tmp_path / "egress.sock"))
            connection.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 502 ")
    finally:
        egress.close()


# --- processes


def test_a_process_that_dies_early_shows_the_end_of_its_log(tmp_path):
    with Process("early", ["sh", "-c", "echo the reason; exit 7"], tmp_path / "log") as process:
        with pytest.raises(NotReady, match=r"ended with 7[\s\S]*the reason"):
            process.wait_ready(lambda: False, timeout=10)


def test_stop_ends_children_too(tmp_path):
    with Process("parent", ["sh", "-c", "sleep 1000 & echo $!; wait"], tmp_path / "log") as process:
        child = int(process.wait_ready(lambda: process.tail().strip()))
        assert process.stop() == -signal.SIGTERM
    wait_until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child), "child gone")


def test_a_killed_test_run_leaves_no_process_behind(tmp_path):
    script = (
        "import os, pathlib, signal, sys\n"
        f"sys.path.insert(0, {str(tools.ROOT / 'tests')!r})\n"
        "from rig.proc import Process\n"
        f"print(Process('p', ['sleep', '1000'], pathlib.Path({str(tmp_path / 'log')!r})).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    child = int(
        subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False).stdout
    )
    wait_until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child), "child gone")


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


# --- the API server


def test_the_cluster_starts_within_ten_seconds(cluster):
    assert cluster.seconds_to_start < 10


def test_a_custom_resource_is_served_and_kubectl_is_strict(cluster):
    cluster.apply([CRD])
    cluster.wait_established("probes.rig.deputy.dev")
    cluster.create_namespace("crd")
    cluster.apply(
        {"apiVersion": "rig.deputy.dev/v1", "kind": "Probe", "metadata": {"name": "p", "namespace": "crd"}}
    )
    assert "probe.rig.deputy.dev/p" in cluster.kubectl("get", "probes", "-n", "crd", "-o", "name").stdout
    crd = cluster.admin.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/probes.rig.deputy.dev")
    assert condition(crd, "Established") == "True"
    with pytest.raises(RuntimeError, match="exit code 1"):
        cluster.kubectl("get", "no-such-kind")


def test_a_pod_token_is_bound_to_its_pod_and_audience(cluster):
    cluster.create_namespace("tokens")
    cluster.create_service_account("tokens", "app")
    pod = cluster.create_pod("tokens", "one", "app")
    token = cluster.pod_token("tokens", "one")
    review = cluster.admin.review_token(token, "deputy")
    assert review["authenticated"] and review["audiences"] == ["deputy"]
    assert review["user"]["username"] == service_account_user("tokens", "app")
    assert review["user"]["extra"]["authentication.kubernetes.io/pod-uid"] == [pod["metadata"]["uid"]]
    assert not cluster.admin.review_token(token).get("authenticated"), (
        "another audience than the API server's"
    )


def test_the_audit_log_tells_refusals_from_use(cluster):
    cluster.create_namespace("audit")
    cluster.create_service_account("audit", "reader")
    rights = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "reader", "namespace": "audit"},
            "rules": [
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]},
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader", "namespace": "audit"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "audit"}],
        },
    ]
    cluster.apply(rights)
    reader = cluster.client_for_service_account("audit", "reader")
    path = "/api/v1/namespaces/audit/configmaps"
    assert wait_until(lambda: reader.get(path), "RBAC in force")["kind"] == "ConfigMapList"
    assert reader.watch(path) == []
    with pytest.raises(ApiError) as refused:
        reader.get("/api/v1/namespaces/audit/secrets/token")
    assert refused.value.code == 403

    user = service_account_user("audit", "reader")
    assert cluster.used_verbs(user) == {("list", "configmaps"), ("watch", "configmaps")}
    assert rbac.unused(cluster, rights, "audit", "reader") == {("get", "coordination.k8s.io/leases")}
    probe = [r for r in cluster.audit_forbidden("audit") if r.what == "secrets"]
    assert [str(r) for r in probe] == [f"{user}: get secrets audit/token -> 403"]


def test_kubectl_works_as_a_service_account(cluster):
    cluster.create_namespace("as-account")
    config = cluster.kubeconfig_for_service_account("as-account", "default")
    assert config.stat().st_mode & 0o077 == 0
    who = json.loads(cluster.kubectl("auth", "whoami", "-o", "json", kubeconfig=config).stdout)
    assert who["status"]["userInfo"]["username"] == service_account_user("as-account", "default")


def test_a_namespace_goes_when_its_finalizers_are_gone(cluster):
    cluster.create_namespace("going")
    cluster.create_pod("going", "p")
    held = {"metadata": {"name": "held", "finalizers": ["rig.deputy.dev/hold"]}}
    cluster.admin.create("/api/v1/namespaces/going/configmaps", held)
    with pytest.raises(NotReady, match="finalizers"):
        cluster.delete_namespace("going", timeout=1)
    cluster.admin.patch("/api/v1/namespaces/going/configmaps/held", {"metadata": {"finalizers": None}})
    cluster.delete_namespace("going")
    assert not cluster.admin.exists("/api/v1/namespaces/going")


@pytest.mark.skipif(
    not tools.has("kube-controller-manager"), reason="kube-controller-manager not built: make tools-node"
)
def test_with_the_controller_manager_namespaces_end_by_themselves():
    with Cluster(controller_manager=True) as cluster:
        cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": "short"}})
        account = "/api/v1/namespaces/short/serviceaccounts/default"
        wait_until(lambda: cluster.admin.exists(account), "ServiceAccount default", 30)
        cluster.delete_namespace("short", timeout=60)


# --- the chart


def test_rendering_moves_webhooks_to_urls_and_takes_workloads_out():
    rendered = kube_render.split(
        """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- {name: a.deputy.dev, clientConfig: {service: {name: s, namespace: n, path: /validate}}}
---
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: broker}
spec: {template: {spec: {containers: [{name: c, args: [broker, --x]}]}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: awsroles.deputy.dev}
""",
        "https://127.0.0.1:9443",
    )
    assert rendered.crd_names() == ["awsroles.deputy.dev"]
    assert [o["kind"] for o in rendered.objects] == ["RoleBinding", "ValidatingWebhookConfiguration"]
    assert rendered.objects[1]["webhooks"][0]["clientConfig"] == {"url": "https://127.0.0.1:9443/validate"}
    assert rendered.container_args("broker") == ["broker", "--x"]


# --- the AWS double


def test_the_chain_of_identities_is_enforced(aws):
    external_id, tags = (
        "demo/payments/AWSRole/uploader",
        {"deputy-cluster": "demo", "deputy-namespace": "payments"},
    )
    role = f"arn:aws:iam::{ACCOUNT}:role/deputy/demo/deputy.payments.uploader"
    ceiling = policy(
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::app/*",
        }
    )
    broker = aws.create_user(
        "broker", {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": role}
    )
    stranger = aws.create_user("stranger", {"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    writer = aws.create_user("writer", {"Effect": "Allow", "Action": "iam:CreatePolicy", "Resource": "*"})
    provisioner = aws.create_user(
        "provisioner",
        {"Effect": "Allow", "Action": "iam:*", "Resource": f"arn:aws:iam::{ACCOUNT}:role/deputy.*"},
        {"Effect": "Deny", "Action": "iam:CreatePolicy", "Resource": "*"},
    )
    boundary = {"PolicyName": "limit", "Path": "/deputy/demo/limits/", "PolicyDocument": ceiling}
    assert error_code(aws.client("iam", provisioner).create_policy, **boundary) == "AccessDenied"
    boundary_arn = aws.client("iam", writer).create_policy(**boundary)["Policy"]["Arn"]

    principal = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    is_broker = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/broker"}}
    with_tags = {f"aws:RequestTag/{k}": v for k, v in tags.items()}
    trust = policy(
        {
            **principal,
            "Action": "sts:AssumeRole",
            "Condition": {**is_broker, "StringEquals": {"sts:ExternalId": external_id, **with_tags}},
        },
        {**principal, "Action": "sts:TagSession", "Condition": {**is_broker, "StringEquals": with_tags}},
    )
    iam, name = aws.client("iam", provisioner, recorded=True), "deputy.payments.uploader"
    iam.create_role(
        RoleName=name, Path="/deputy/demo/", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary_arn
    )
    iam.put_role_policy(RoleName=name, PolicyName="deputy", PolicyDocument=ceiling)

    def assume(caller: Credentials = broker, external_id: str = external_id, **tag: str) -> Credentials:
        request = [{"Key": k.replace("_", "-"), "Value": v} for k, v in {**tags, **tag}.items()]
        narrow = policy(
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::app/*"}
        )
        return aws.assume_role(
            caller, role, "payments.uploader", ExternalId=external_id, Tags=request, Policy=narrow
        )

    assert error_code(assume, external_id="other") == "AccessDenied"
    assert error_code(assume, **{"deputy-namespace": "other"}) == "AccessDenied"
    assert error_code(assume, caller=stranger) == "AccessDenied"

    aws.client("s3").create_bucket(Bucket="app")
    session = aws.client("s3", assume())
    assert error_code(session.put_object, Bucket="app", Key="k", Body=b"x") is None
    assert error_code(session.get_object, Bucket="app", Key="k") is None
    assert error_code(session.delete_object, Bucket="app", Key="k") == "AccessDenied", (
        "the session policy leaves it out"
    )

    revoke = {"DateLessThan": {"aws:TokenIssueTime": "2099-01-01T00:00:00Z"}}
    deny = policy({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": revoke})
    iam.put_role_policy(RoleName=name, PolicyName="deputy-revoke", PolicyDocument=deny)
    assert error_code(session.get_object, Bucket="app", Key="k") == "AccessDenied"
    assert error_code(iam.delete_role, RoleName=name) == "DeleteConflict"
    recorded = [(c.action, c.error_code) for c in aws.recorder.calls()]
    assert recorded == [
        ("CreateRole", ""),
        ("PutRolePolicy", ""),
        ("PutRolePolicy", ""),
        ("DeleteRole", "DeleteConflict"),
    ]


def test_signatures_are_checked_behind_the_proxy(aws):
    user = aws.create_user("user", {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"})
    assert error_code(aws.client("iam", user, recorded=True).get_user, UserName="user") is None
    forged = Credentials(user.access_key_id, "wrong")
    assert (
        error_code(aws.client("iam", forged, recorded=True).get_user, UserName="user")
        == "SignatureDoesNotMatch"
    )
    good, bad = aws.recorder.calls("GetUser")
    assert (good.service, good.access_key_id, good.status, good.applied) == (
        "iam",
        user.access_key_id,
        200,
        True,
    )
    assert (bad.status, bad.error_code, bad.applied) == (403, "SignatureDoesNotMatch", False)
    assert good.parameters["UserName"] == "user"
    lines = (aws.folder / "aws-calls.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["error_code"] == "SignatureDoesNotMatch"


def test_faults_hit_the_chosen_calls_as_often_as_asked(aws):
    iam = aws.client("iam", recorded=True)
    throttled = aws.recorder.inject(
        "CreateUser", code="Throttling", times=2, when=lambda p: p["UserName"] == "a"
    )
    assert error_code(iam.create_user, UserName="b") is None
    assert [error_code(iam.create_user, UserName="a") for _ in range(3)] == ["Throttling", "Throttling", None]
    assert throttled.hits == 2

    aws.recorder.inject("DeleteUser", drop=True, times=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        iam.delete_user(UserName="a")
    assert error_code(iam.get_user, UserName="a") is None, "dropped before it was applied"

    aws.recorder.inject("DeleteUser", lose_response=True, times=1)
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        iam.delete_user(UserName="a")
    assert error_code(iam.get_user, UserName="a") == "NoSuchEntity", "applied, and only the answer was lost"
    dropped, lost = aws.recorder.calls("DeleteUser")
    assert (dropped.status, dropped.applied, lost.status, lost.applied) == (0, False, 0, True)


def test_a_gate_holds_calls_until_it_opens(aws):
    gate = threading.Event()
    held = aws.recorder.inject("GetCallerIdentity", gate=gate)
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(aws.client("sts", recorded=True).get_caller_identity) for _ in range(5)]
        held.wait_held(5)
        assert not any(a.done() for a in answers)
        gate.set()
        assert {a.result()["Account"] for a in answers} == {ACCOUNT}


def test_the_proxy_refuses_a_body_it_would_have_to_guess(aws):
    connection = http.client.HTTPConnection("127.0.0.1", int(aws.url.rpartition(":")[2]))
    # The head alone: it is refused before the body comes, and a body on its way would meet a closed connection.
    connection.putrequest("POST", "/")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
