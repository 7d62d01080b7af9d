"""From custom resources to working AWS credentials in a pod, on a real node. The tests are one story, in this order."""

import copy
import json
import os
from pathlib import Path

import pytest
import start_times
from installation import BUCKET, COMPONENTS, NAMESPACE, example, identities, roots, secrets, values
from k8s import (
    NODE,
    CommandFailed,
    apply,
    condition,
    get,
    helm,
    inside,
    items,
    kubectl,
    logs,
    run,
)

from rig.aws import Credentials
from rig.proc import wait_until
from rig.tools import ROOT, binary, has

APP = "uploader"
ON_NODE = "uploader-on-node"
TEAM = "payments"
WORKS = {"put": "ok", "get": "ok", "delete": "AccessDenied"}


@pytest.fixture(scope="module")
def objects(double):
    return example(double.control, double.data, (Path(__file__).parent / "app.py").read_text())


def app_pod(app: str = APP) -> dict:
    """The application's one pod."""
    (pod,) = items("pods", TEAM, f"app={app}")
    return pod


def status_of(pod: dict, container: str) -> dict:
    """The status of a container or init container, empty before there is one."""
    status = pod.get("status", {})
    found = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return next((c for c in found if c["name"] == container), {})


def told(pod: dict) -> str:
    """What an event says why the pod has no credential."""
    events = json.loads(kubectl("-n", TEAM, "get", "events", "-o", "json"))["items"]
    mine = [e for e in events if e["involvedObject"].get("uid") == pod["metadata"]["uid"]]
    return next((e["message"] for e in mine if e["reason"] == "CredentialsRefused"), "")


def rounds(app: str = APP) -> list[dict]:
    """What the application has logged."""
    return [json.loads(line) for line in logs(app_pod(app)["metadata"]["name"], APP, TEAM)]


def rounds_after(count: int, more: int = 3, app: str = APP) -> list[dict]:
    """The rounds after the first `count`, at least `more` of them."""
    return wait_until(
        lambda: (found := rounds(app)[count:]) and len(found) >= more and found, "more rounds", 30, 0.3
    )


def without_sidecar(deployment: dict, app: str, **spec: object) -> dict:
    """The application under another name, served by the agent on its node."""
    made = copy.deepcopy(deployment)
    template = made["spec"]["template"]
    made["metadata"]["name"] = app
    made["spec"]["selector"] = {"matchLabels": {"app": app}}
    template["metadata"]["labels"] = {"app": app, "deputy.dev/inject": "enabled"}
    template["metadata"]["annotations"] = {"deputy.dev/delivery": "Node"}
    template["spec"] |= spec
    return made


def test_the_chart_installs_and_every_process_becomes_ready(double, objects):
    aws = double.aws
    aws.client("s3").create_bucket(Bucket=BUCKET)
    credentials = identities(aws, objects["AWSAccount"])
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        roots(NAMESPACE, double.roots),
        *secrets(credentials),
    )
    helm(
        *("install", "deputy", ROOT / "charts" / "deputy", "--namespace", NAMESPACE, "--values", "-"),
        *("--wait", "--timeout", "120s"),
        stdin=values(credentials),
    )
    for component in COMPONENTS:
        assert len(items("pods", NAMESPACE, f"app.kubernetes.io/component={component}")) == 2


def test_a_role_is_made_within_its_limit(double, objects):
    apply(objects["AWSAccount"], objects["DelegationLimit"], objects["Namespace"])
    apply(roots(TEAM, double.roots), objects["ServiceAccount"], objects["AWSRole"])
    wait_until(
        lambda: condition("awsrole", APP, "Provisioned", TEAM).startswith("True/"), "the role", 60, 0.3
    )
    arn = get("awsrole", APP, TEAM)["status"]["roleARN"]
    role = double.aws.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
    assert role["Arn"] == arn
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"].rpartition("/")[2].startswith("deputy-limit.")


def test_a_role_beyond_its_limit_is_refused_with_a_request_that_proves_it():
    with pytest.raises(CommandFailed, match=r"customer-records") as refused:
        kubectl("apply", "-f", str(ROOT / "examples" / "refused" / "another-bucket.yaml"))
    assert "limit" in str(refused.value)


def test_the_application_starts_only_after_its_first_credential(objects):
    apply(objects["ConfigMap"], objects["Deployment"])
    pod = wait_until(app_pod, "the pod", 30, 0.3)
    assert [c["name"] for c in pod["spec"]["initContainers"]] == ["deputy-agent"]
    # No binding: the hook of the sidecar waits, and the event says for what.
    said = wait_until(lambda: told(pod), "the broker's event", 60, 0.3)
    assert said.startswith("NoBinding: ")
    waiting = app_pod()
    assert not status_of(waiting, "deputy-agent")["started"]
    assert status_of(waiting, APP)["state"]["waiting"]["reason"] == "PodInitializing"
    # A pod that waits goes when it is told to, and does not wait for its hook.
    kubectl("-n", TEAM, "delete", "pod", pod["metadata"]["name"], "--timeout=40s")

    apply(objects["AWSRoleBinding"])
    kubectl("-n", TEAM, "rollout", "status", f"deployment/{APP}", "--timeout=60s")
    for line in rounds_after(0):
        assert line["kept"] == WORKS and line["fresh"] == WORKS, line


@pytest.mark.skipif("START_TIMES" not in os.environ, reason="START_TIMES=10 measures how long pods take to start")
def test_how_long_pods_take_to_start():
    rows = start_times.measure(TEAM, APP, int(os.environ["START_TIMES"]))
    print("\n".join(["", "| sidecar | median | from–to |", "|---|---|---|", *rows]))


def test_a_killed_sidecar_does_not_disturb_the_application():
    seen = len(rounds())
    container = status_of(app_pod(), "deputy-agent")["containerID"].removeprefix("containerd://")
    inside("ctr", "--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io",
           "tasks", "kill", "--signal", "SIGKILL", container)  # fmt: skip
    wait_until(
        lambda: (s := status_of(app_pod(), "deputy-agent"))["restartCount"] == 1 and s["started"],
        "the sidecar's second start",
        60,
        0.3,
    )
    back = len(rounds())
    assert all(line["kept"] == WORKS for line in rounds()[seen:])
    assert status_of(app_pod(), APP)["restartCount"] == 0
    for line in rounds_after(back):
        assert line["kept"] == WORKS and line["fresh"] == WORKS, line


def test_a_rotated_token_does_not_disturb_the_application():
    pod = app_pod()["metadata"]
    token = kubectl(
        *("create", "token", APP, "-n", TEAM, "--audience", "deputy", "--duration", "600s"),
        *("--bound-object-kind", "Pod", "--bound-object-name", pod["name"], "--bound-object-uid", pod["uid"]),
    ).strip()
    # As the kubelet does it: a new folder, and the link to it replaced in one step.
    volume = NODE / "kubelet" / "pods" / pod["uid"] / "volumes" / "kubernetes.io~projected" / "deputy-token"
    seen = len(rounds())
    inside(
        "sh",
        "-euc",
        'cd "$1"; mkdir ..new; printf %s "$2" > ..new/token; chmod 444 ..new/token; ln -s ..new ..link; mv -T ..link ..data',
        "rotate",
        str(volume),
        token,
    )
    # Longer than the agent goes without asking the broker.
    lines = rounds_after(seen, 16)
    assert all(line["kept"] == WORKS and line["fresh"] == WORKS for line in lines), lines


def test_the_application_does_not_notice_that_all_brokers_are_replaced():
    seen = len(rounds())
    kubectl("-n", NAMESPACE, "delete", "pod", "-l", "app.kubernetes.io/component=broker", "--timeout=60s")
    kubectl("-n", NAMESPACE, "rollout", "status", "deployment/deputy-broker", "--timeout=60s")
    lines = rounds_after(seen, len(rounds()) - seen + 3)
    assert all(line["kept"] == WORKS and line["fresh"] == WORKS for line in lines), lines


def test_the_agent_on_the_node_serves_a_pod_without_a_sidecar(objects):
    # The agent is in the network of its node, which the standard `restricted` does not admit.
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    helm(
        *("install", "deputy-agent", ROOT / "charts" / "deputy-agent", "--namespace", NAMESPACE),
        *("--set", "image.repository=localhost/e2e/agent,image.pullPolicy=Never", "--set-string", "image.tag=1"),
        *("--wait", "--timeout", "120s"),
    )
    helm(
        *("upgrade", "deputy", ROOT / "charts" / "deputy", "--namespace", NAMESPACE, "--reuse-values"),
        *("--set", "injection.node.enabled=true", "--wait", "--timeout", "120s"),
    )
    apply(without_sidecar(objects["Deployment"], ON_NODE))
    kubectl("-n", TEAM, "rollout", "status", f"deployment/{ON_NODE}", "--timeout=60s")
    assert "initContainers" not in app_pod(ON_NODE)["spec"]
    for line in rounds_after(2, app=ON_NODE):
        assert line["kept"] == WORKS and line["fresh"] == WORKS, line


def test_an_application_does_not_notice_that_the_agent_of_its_node_is_replaced():
    seen = len(rounds(ON_NODE))
    kubectl("-n", NAMESPACE, "rollout", "restart", "daemonset/deputy-agent")
    kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/deputy-agent", "--timeout=90s")
    lines = rounds_after(seen, len(rounds(ON_NODE)) - seen + 5, ON_NODE)
    assert all(line["kept"] == WORKS and line["fresh"] == WORKS for line in lines), lines


def test_a_pod_in_the_network_of_its_node_is_served_by_a_limits_leave(objects):
    app, on_host = "uploader-on-host", {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    made = without_sidecar(objects["Deployment"], app, **on_host)
    pod = {"apiVersion": "v1", "kind": "Pod", **made["spec"]["template"]}
    pod["metadata"] |= {"name": app, "namespace": TEAM}
    # The standard `restricted` admits no such pod.
    kubectl("label", "namespace", TEAM, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
    with pytest.raises(CommandFailed, match=r"allowHostNetwork"):
        apply(pod)
    limit = objects["DelegationLimit"]["metadata"]["name"]
    kubectl("patch", "delegationlimit", limit, "--type=merge", "-p", '{"spec": {"pods": {"allowHostNetwork": true}}}')
    wait_until(lambda: applied(pod), "leave for the pod", 30, 0.3)
    for line in rounds_after(2, app=app):
        assert line["kept"] == WORKS and line["fresh"] == WORKS, line
    kubectl("-n", TEAM, "delete", "pod", app, "--timeout=40s")


def applied(manifest: dict) -> bool:
    """Whether the API server takes it by now."""
    try:
        apply(manifest)
    except CommandFailed as refused:
        if "allowHostNetwork" not in str(refused):
            raise
        return False
    return True


def test_a_person_gets_a_session_by_the_clusters_own_authentication(double):
    person, binding = "alice@example.com", "reader"
    api = "credentials.deputy.dev/v1alpha1"
    kubectl("wait", "--for=condition=Available", "apiservice/v1alpha1.credentials.deputy.dev", "--timeout=60s")

    def ask() -> dict:
        request = json.dumps({"apiVersion": api, "kind": "CredentialRequest"})
        path = f"/apis/{api}/namespaces/{TEAM}/awsrolebindings/{binding}/credentials"
        return json.loads(kubectl("create", "--raw", path, "-f", "-", "--as", person, stdin=request))

    with pytest.raises(CommandFailed, match=r"alice@example\.com.*cannot create resource"):
        ask()
    group = "rbac.authorization.k8s.io"
    apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "people", "namespace": TEAM},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "deputy-credentials"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": person}],
        }
    )
    with pytest.raises(CommandFailed, match=r"there is no AWSRoleBinding payments/reader"):
        ask()
    apply(
        {
            "apiVersion": "deputy.dev/v1alpha1",
            "kind": "AWSRoleBinding",
            "metadata": {"name": binding, "namespace": TEAM},
            "spec": {
                "roleRef": {"kind": "AWSRole", "name": APP},
                "subjects": [{"kind": "User", "name": person}],
            },
        }
    )
    kubectl("-n", TEAM, "wait", "--for=condition=Ready", f"awsrolebinding/{binding}", "--timeout=60s")
    # The broker has the record of whom the role names a moment after the binding is ready.
    got = wait_until(lambda: answered(ask), "the session", 30, 0.3)["status"]
    session = Credentials(got["accessKeyID"], got["secretAccessKey"], got["sessionToken"])
    assert double.aws.client("sts", session).get_caller_identity()["Arn"].endswith(f"/{person}")


def answered(ask) -> dict | None:
    """What a person is answered; nothing while the answer is that another try may bring it."""
    try:
        return ask()
    except CommandFailed as refused:
        if "ServiceUnavailable" in str(refused) or "NotReady" in str(refused):
            return None
        raise


def test_an_upgrade_takes_nothing_of_what_deputy_filled_in():
    def filled() -> list:
        webhooks = get("validatingwebhookconfiguration", "deputy")["webhooks"]
        secrets = [get("secret", f"deputy-{name}-ca", NAMESPACE)["data"] for name in ("webhook", "broker")]
        bundle = get("configmap", "deputy-broker-bundle", NAMESPACE)["data"]
        people = get("apiservice", "v1alpha1.credentials.deputy.dev")["spec"]["caBundle"]
        return [*secrets, bundle, people, *(w["clientConfig"]["caBundle"] for w in webhooks)]

    before = filled()
    helm(
        *("upgrade", "deputy", ROOT / "charts" / "deputy", "--namespace", NAMESPACE, "--reuse-values"),
        *("--set", "webhook.objects.timeoutSeconds=9", "--wait"),
    )
    assert get("validatingwebhookconfiguration", "deputy")["webhooks"][0]["timeoutSeconds"] == 9
    assert filled() == before


def test_a_pod_starts_injected_or_not_at_all_while_the_webhook_is_down():
    bare = ["-n", "default", "run", "bare", "--image=localhost/e2e/python:1", "--dry-run=server"]
    kubectl("-n", NAMESPACE, "scale", "deployment/deputy-webhook", "--replicas=0")
    kubectl("-n", NAMESPACE, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=webhook", "--timeout=60s")  # fmt: skip
    try:
        with pytest.raises(CommandFailed, match="was not injected"):
            kubectl(*bare, "--labels=deputy.dev/inject=enabled")
        kubectl(*bare)
    finally:
        kubectl("-n", NAMESPACE, "scale", "deployment/deputy-webhook", "--replicas=2")
        kubectl("-n", NAMESPACE, "rollout", "status", "deployment/deputy-webhook", "--timeout=60s")


@pytest.mark.skipif(not has("helm4"), reason="Helm 4 is not built: hack/tools/tool build helm4")
def test_a_newer_helm_upgrades_and_rolls_back_what_an_older_one_installed():
    def timeout() -> int:
        return get("validatingwebhookconfiguration", "deputy")["webhooks"][0]["timeoutSeconds"]

    for seconds in (8, 7):
        run(
            *(binary("helm4"), "upgrade", "deputy", ROOT / "charts" / "deputy", "--namespace", NAMESPACE, "--reset-then-reuse-values"),
            *("--set", f"webhook.objects.timeoutSeconds={seconds}", "--wait"),
            timeout=240,
        )
        assert timeout() == seconds
    run(binary("helm4"), "rollback", "deputy", "--namespace", NAMESPACE, "--wait", timeout=240)
    assert timeout() == 8
    helm("rollback", "deputy", "--namespace", NAMESPACE, "--wait")
    assert timeout() == 7, "the revision before that"


def test_nothing_is_uninstalled_while_something_is_left(objects):
    with pytest.raises(CommandFailed) as refused:
        helm("uninstall", "deputy", "--namespace", NAMESPACE, "--timeout", "120s")
    for part in ("Deputy is not removed", "AWSRole", f"{TEAM}/", "uninstall.policy=Retain"):
        assert part in str(refused.value), refused.value
    for component in COMPONENTS:
        assert len(items("pods", NAMESPACE, f"app.kubernetes.io/component={component}")) == 2
    assert get("clusterrole", "deputy-controller")


def test_what_is_deleted_is_gone_from_aws(double, objects):
    kubectl("delete", "namespace", TEAM, "--timeout=60s", timeout=90)
    kubectl("delete", "delegationlimit", objects["DelegationLimit"]["metadata"]["name"], "--timeout=60s")
    iam = double.aws.client("iam")
    wait_until(lambda: not iam.list_roles()["Roles"], "the end of the roles", 30, 0.3)
    wait_until(lambda: not iam.list_policies(Scope="Local")["Policies"], "the end of the policies", 30, 0.3)
    for release in ("deputy-agent", "deputy"):
        helm("uninstall", release, "--namespace", NAMESPACE, "--wait", "--timeout", "120s")
