"""Pods as the API server stores them."""

import pytest

from rig.apiclient import ApiError
from rig.cluster import load_manifests
from rig.proc import wait_until
from rig.tools import ROOT

ENABLED = {"deputy.dev/inject": "enabled"}
DISABLED = {"deputy.dev/inject": "disabled"}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def sidecar(pod: dict) -> dict | None:
    return next((c for c in pod["spec"].get("initContainers", []) if c["name"] == "deputy-agent"), None)


def variables(container: dict) -> dict:
    return {e["name"]: e.get("value", "") for e in container.get("env", [])}


def create(team, name: str = "app", service_account: str = "default", labels: dict | None = None, **parts) -> dict:
    body = {
        "metadata": {"name": name, "labels": labels or {}, "annotations": parts.pop("annotations", {})},
        "spec": {
            "serviceAccountName": service_account,
            "containers": [{"name": "app", "image": "app.invalid/app:1", **parts.pop("container", {})}],
            **parts,
        },
    }
    return team.admin.create(f"/api/v1/namespaces/{team.name}/pods", body)


def test_the_labels_of_pod_service_account_and_namespace_decide_in_this_order(scenario, new_team):
    plain, labelled = new_team(limit=False, inject=False), new_team(limit=False, inject=True)
    for team in (plain, labelled):
        scenario.cluster.create_service_account(team.name, "on", ENABLED)
        scenario.cluster.create_service_account(team.name, "off", DISABLED)
    cases = [
        (plain, "default", {}, False),
        (plain, "on", {}, True),
        (plain, "default", ENABLED, True),
        (plain, "on", DISABLED, False),
        (plain, "off", ENABLED, True),
        (labelled, "default", {}, True),
        (labelled, "default", DISABLED, False),
        (labelled, "on", {}, True),
        (labelled, "off", {}, False),
    ]
    for number, (team, account, labels, injected) in enumerate(cases):
        pod = create(team, f"p{number}", account, labels)
        assert (sidecar(pod) is not None) is injected, (team.name, account, labels)
        # The policy that stands in for the webhook can't see what a ServiceAccount declines: the webhook says so.
        declined = "skipped: disabled" if account == "off" and not labels else None
        says = pod["metadata"].get("annotations", {}).get("deputy.dev/injected")
        assert says == ("v1" if injected else declined)


def test_another_value_of_the_label_is_refused_wherever_it_stands(scenario, new_team):
    labelled, plain = new_team(limit=False, inject=True), new_team(limit=False, inject=False)
    for value in ("true", "Enabled", ""):
        wrong = {"deputy.dev/inject": value}
        for team in (labelled, plain):
            with pytest.raises(ApiError, match="of the pod is .*says enabled or disabled"):
                create(team, labels=wrong)
        with pytest.raises(ApiError, match="says enabled or disabled"):
            scenario.cluster.create_service_account(plain.name, "typo", wrong)
        with pytest.raises(ApiError, match="says enabled or disabled"):
            scenario.admin.patch(f"/api/v1/namespaces/{plain.name}", {"metadata": {"labels": wrong}})


def test_a_pod_of_a_service_account_made_a_moment_ago_is_injected(scenario, new_team):
    team = new_team(limit=False, inject=False)
    for i in range(5):
        scenario.cluster.create_service_account(team.name, f"new-{i}", ENABLED)
        assert sidecar(create(team, f"p{i}", f"new-{i}"))


def test_the_pod_as_stored(scenario, new_team):
    team = new_team(inject=True)
    team.granted()
    scenario.admin.patch(f"/api/v1/namespaces/{team.name}", {"metadata": {"labels": RESTRICTED}})
    template = load_manifests((ROOT / "examples/productionapp/30-deployment.yaml").read_text())[1]["spec"]["template"]
    body = {"metadata": {"name": "uploader-1", **template["metadata"]}, "spec": template["spec"]}
    body["spec"]["initContainers"] = [
        {**{k: v for k, v in body["spec"]["containers"][0].items() if k != "volumeMounts"}, "name": "prepare"}
    ]
    path = f"/api/v1/namespaces/{team.name}/pods"
    pod = scenario.admin.create(path, body)
    spec = pod["spec"]

    agent = sidecar(pod)
    assert [c["name"] for c in spec["initContainers"]] == ["deputy-agent", "prepare"]
    assert agent["restartPolicy"] == "Always" and agent["lifecycle"]["postStart"]["exec"]["command"][1] == "ready"
    assert agent["resources"] == {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    # The application has the token for the Kubernetes API; the agent has its own in that one's place.
    api_token = "/var/run/secrets/kubernetes.io/serviceaccount"
    mounts = {c["name"]: {m["mountPath"]: m["name"] for m in c["volumeMounts"]} for c in [agent, *spec["containers"]]}
    assert mounts.pop("deputy-agent")[api_token] == "deputy-token"
    assert all(of[api_token].startswith("kube-api-access") for of in mounts.values()), mounts
    env = variables(agent)
    assert env["DEPUTY_BROKER_URL"] == "https://deputy-broker.deputy-system.svc:7418"
    service = scenario.admin.get("/api/v1/namespaces/deputy-system/services/deputy-broker")
    assert env["DEPUTY_BROKER_ADDRESS"] == f"{service['spec']['clusterIP']}:7418"
    assert env["DEPUTY_BROKER_CA"] == scenario.deputy.broker_bundle()
    assert env["DEPUTY_BINDINGS"] == "" and env["DEPUTY_WAIT_FOR"] == "credential"

    for container in [spec["containers"][0], spec["initContainers"][1]]:
        env = variables(container)
        assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:7419/v1/credentials"
        token_file = "/var/run/secrets/deputy.dev/serviceaccount/token"
        assert env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] == token_file
        assert env["AWS_REGION"] == "ap-northeast-1" and env["AWS_EC2_METADATA_DISABLED"] == "true"
        mount = next(m for m in container["volumeMounts"] if m["name"] == "deputy-token")
        assert mount["readOnly"] and token_file == f"{mount['mountPath']}/token"
    volume = next(v for v in spec["volumes"] if v["name"] == "deputy-token")["projected"]
    assert volume["defaultMode"] == 0o444
    assert volume["sources"] == [
        {"serviceAccountToken": {"audience": "deputy", "expirationSeconds": 86400, "path": "token"}}
    ]

    # Created again from what is stored, nothing is added.
    again = {"metadata": {**pod["metadata"], "name": "again"}, "spec": {**spec}}
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        again["metadata"].pop(field, None)
    assert scenario.admin.create(path, again)["spec"] == spec


def test_a_named_binding_is_asked_for_by_annotation(scenario, new_team):
    team = new_team(limit=False, inject=True)
    pod = create(team, annotations={"deputy.dev/binding": "reader", "deputy.dev/wait-for": "listener"})
    env = variables(pod["spec"]["containers"][0])
    assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:7419/v1/credentials/reader"
    agent = variables(sidecar(pod))
    assert agent["DEPUTY_BINDINGS"] == "reader" and agent["DEPUTY_WAIT_FOR"] == "listener"
    assert "AWS_REGION" not in env, "the binding is not known yet"


def test_what_the_user_set_is_kept(scenario, new_team):
    team = new_team(limit=False, inject=True)
    mine = [{"name": "AWS_REGION", "value": "eu-north-1"}, {"name": "AWS_EC2_METADATA_DISABLED", "value": "false"}]
    pod = create(team, container={"env": mine})
    env = variables(pod["spec"]["containers"][0])
    assert env["AWS_REGION"] == "eu-north-1" and env["AWS_EC2_METADATA_DISABLED"] == "false"
    assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    pod = create(team, "default-region", container={"env": [{"name": "AWS_DEFAULT_REGION", "value": "eu-north-1"}]})
    assert variables(pod["spec"]["containers"][0])["AWS_REGION"] == "eu-north-1"
    pod = create(team, "env-from", container={"envFrom": [{"configMapRef": {"name": "settings"}}]})
    env = variables(pod["spec"]["containers"][0])
    assert not {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"} & set(env), env


def test_a_pod_with_irsa_variables_is_left_alone(scenario, new_team):
    team = new_team(limit=False, inject=True)
    irsa = [
        {"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::123456789012:role/x"},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"},
    ]
    pod = create(team, container={"env": irsa})
    assert sidecar(pod) is None
    assert pod["metadata"]["annotations"]["deputy.dev/injected"] == "skipped: irsa"


def test_a_pod_in_the_network_of_its_node_is_not_injected_and_says_so(scenario, new_team):
    team = new_team(limit=False, inject=True)
    pod = create(team, hostNetwork=True)
    assert sidecar(pod) is None
    assert pod["metadata"]["annotations"]["deputy.dev/injected"] == "skipped: host-network"
    with pytest.raises(ApiError, match="can't be injected: it uses the network of its node"):
        create(team, "asks", labels=ENABLED, hostNetwork=True)


def test_in_kube_system_only_pods_that_ask_themselves(scenario):
    system = type("Place", (), {"name": "kube-system", "admin": scenario.admin})
    scenario.cluster.create_service_account("kube-system", "default")
    scenario.admin.patch("/api/v1/namespaces/kube-system", {"metadata": {"labels": ENABLED}})
    try:
        assert sidecar(create(system, "plain")) is None
        assert sidecar(create(system, "asks", labels=ENABLED))
    finally:
        scenario.admin.patch("/api/v1/namespaces/kube-system", {"metadata": {"labels": {"deputy.dev/inject": None}}})


def test_without_the_webhook_no_labelled_pod_starts_without_the_sidecar(scenario, new_team):
    labelled, plain = new_team(limit=False, inject=True), new_team(limit=False, inject=False)
    scenario.deputy.processes["webhook"].stop()
    # A pod that asks for nothing starts whatever Deputy does.
    assert sidecar(create(plain)) is None
    for team, labels in ((labelled, {}), (plain, ENABLED)):
        with pytest.raises(ApiError, match="was not injected. Does the Deputy webhook run?"):
            create(team, "asks", labels=labels)
    assert sidecar(create(labelled, "declines", labels=DISABLED)) is None
    scenario.deputy.start_process("webhook")
    wait_until(lambda: sidecar(create(labelled, "later")), "pods are injected again", 10)
