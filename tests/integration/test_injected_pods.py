"""Pods that are particular, as the API server stores them: quotas, classes, other webhooks, stored pods, annotations."""

import copy

import pytest

from rig.apiclient import ApiError
from rig.other_webhook import OtherWebhook
from rig.proc import wait_until

from .test_injection import ENABLED, create, sidecar, variables

FULL = {"cpu": "1", "memory": "128Mi"}


def names(pod: dict) -> list[str]:
    return [c["name"] for c in pod["spec"]["initContainers"]]


def again(stored: dict, name: str) -> dict:
    """What `kubectl get -o yaml | kubectl create` and a backup make of a stored pod."""
    pod = copy.deepcopy(stored)
    pod["metadata"] = {k: v for k, v in pod["metadata"].items() if k in ("labels", "annotations")} | {"name": name}
    del pod["status"]
    return pod


# --- what the sidecar takes


def test_a_guaranteed_pod_stays_guaranteed(scenario, new_team):
    team = new_team(limit=False, inject=True)
    pod = create(team, container={"resources": {"requests": FULL, "limits": FULL}})
    assert pod["status"]["qosClass"] == "Guaranteed"
    own = sidecar(pod)["resources"]
    assert own["requests"] == own["limits"] == {"cpu": "50m", "memory": "64Mi"}
    pod = create(team, "burstable", container={"resources": {"requests": FULL}})
    assert pod["status"]["qosClass"] == "Burstable"


def test_a_pod_with_resources_as_a_whole_is_not_exceeded(scenario, new_team):
    team = new_team(limit=False, inject=True)
    for name, whole in (("used-up", FULL), ("small", {"cpu": "100m", "memory": "48Mi"})):
        amounts = {"requests": whole, "limits": whole}
        pod = create(team, name, container={"resources": amounts}, resources=amounts)
        assert "resources" not in sidecar(pod) or sidecar(pod)["resources"] == {}
        assert pod["status"]["qosClass"] == "Guaranteed"


def test_annotations_fit_the_sidecar_into_a_namespace_with_ranges(scenario, new_team):
    team = new_team(limit=False, inject=True)
    limits = [{"type": "Container", "min": {"memory": "32Mi"}, "maxLimitRequestRatio": {"memory": "2", "cpu": "2"}}]
    team.admin.create(
        f"/api/v1/namespaces/{team.name}/limitranges", {"metadata": {"name": "sizes"}, "spec": {"limits": limits}}
    )
    app = {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}}}
    fits = {"cpu-request": "10m", "cpu-limit": "20m", "memory-request": "32Mi", "memory-limit": "64Mi"}

    def refused() -> bool:
        try:
            create(team, "too-small", container=app)
        except ApiError as error:
            return "minimum memory usage per Container is 32Mi" in error.message
        team.admin.delete(f"/api/v1/namespaces/{team.name}/pods/too-small")
        return False

    wait_until(refused, "the range known", 10)
    pod = create(team, container=app, annotations={f"deputy.dev/agent-{k}": v for k, v in fits.items()})
    assert sidecar(pod)["resources"]["limits"] == {"cpu": "20m", "memory": "64Mi"}


def test_the_sidecar_runs_as_a_user_of_its_openshift_namespace(scenario, new_team):
    team = new_team(limit=False, inject=True)
    policies = "/apis/admissionregistration.k8s.io/v1"
    # What the security context constraint restricted-v2 asks of users.
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": team.name}},
            "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        },
        "validations": [
            {
                "expression": "(object.spec.containers + object.spec.?initContainers.orValue([])).all(c,"
                " c.?securityContext.?runAsUser.orValue(1000920000) in [1000920000])",
                "message": "runAsUser: must be in the range",
            }
        ],
    }
    policy = {"metadata": {"name": "users"}, "spec": spec}
    bound = {"metadata": {"name": "users"}, "spec": {"policyName": "users", "validationActions": ["Deny"]}}
    team.admin.create(f"{policies}/validatingadmissionpolicies", policy)
    team.admin.create(f"{policies}/validatingadmissionpolicybindings", bound)
    try:

        def held() -> bool:
            try:
                team.admin.create(
                    f"/api/v1/namespaces/{team.name}/pods?dryRun=All",
                    {
                        "metadata": {"name": "wrong", "labels": {"deputy.dev/inject": "disabled"}},
                        "spec": {"containers": [{"name": "a", "image": "a", "securityContext": {"runAsUser": 1}}]},
                    },
                )
            except ApiError as error:
                return "must be in the range" in error.message
            return False

        wait_until(held, "the policy holds", 10)
        with pytest.raises(ApiError, match="must be in the range"):
            create(team)
        users = {"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000920000/10000"}}}
        team.admin.patch(f"/api/v1/namespaces/{team.name}", users)

        def made() -> dict | None:
            try:
                return create(team)
            except ApiError:
                return None

        assert sidecar(wait_until(made, "the range known", 10))["securityContext"]["runAsUser"] == 1000920000
    finally:
        team.admin.delete(f"{policies}/validatingadmissionpolicybindings/users")
        team.admin.delete(f"{policies}/validatingadmissionpolicies/users")


# --- other webhooks


def vault(pod: dict) -> None:
    init = pod["spec"].setdefault("initContainers", [])
    if not any(c["name"] == "vault-agent-init" for c in init):
        init.insert(0, {"name": "vault-agent-init", "image": "vault.invalid/vault:1"})


def istio(pod: dict) -> None:
    init = pod["spec"].setdefault("initContainers", [])
    if not any(c["name"] == "istio-proxy" for c in init):
        init.insert(0, {"name": "istio-proxy", "image": "istio.invalid/proxy:1", "restartPolicy": "Always"})


def irsa(pod: dict) -> None:
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        env = container.setdefault("env", [])
        if not any(e["name"] == "AWS_ROLE_ARN" for e in env):
            env += [
                {"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::123456789012:role/irsa"},
                {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/secrets/irsa/token"},
            ]


def mirror(pod: dict) -> None:
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        if not container["image"].startswith("mirror.invalid/"):
            container["image"] = f"mirror.invalid/{container['image']}"


OTHERS = {
    "vault": (vault, ["deputy-agent", "vault-agent-init", "migrate"]),
    "istio": (istio, ["istio-proxy", "deputy-agent", "migrate"]),
    "mirror": (mirror, ["deputy-agent", "migrate"]),
}


@pytest.mark.parametrize("asked", ["before", "after"])
@pytest.mark.parametrize("what", OTHERS)
def test_beside_another_webhook_the_sidecar_is_there_once_and_in_its_place(scenario, new_team, tmp_path, what, asked):
    change, order = OTHERS[what]
    team = new_team(limit=False, inject=True)
    migrate = {"name": "migrate", "image": "app.invalid/migrate:1"}
    name = "a-other" if asked == "before" else "z-other"
    with OtherWebhook(scenario.cluster, tmp_path, name, team.name, change) as other:

        def made() -> dict | None:
            pod = create(team, f"app-{other.calls}", initContainers=[migrate])
            return pod if other.calls else None

        pod = wait_until(made, "the other webhook asked", 10)
    assert names(pod) == order
    for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
        env = variables(container)
        if container["name"] != "deputy-agent":
            assert list(env)[0] == "AWS_CONTAINER_CREDENTIALS_FULL_URI", env
    # A webhook that is asked after us, and we are asked once more only when it changed something.
    image = sidecar(pod)["image"]
    assert image.startswith("mirror.invalid/") is (what == "mirror" and asked == "after"), image


@pytest.mark.parametrize("asked", ["before", "after"])
@pytest.mark.parametrize("announced", [True, False])
def test_of_two_providers_of_credentials_a_pod_has_one(scenario, new_team, tmp_path, announced, asked):
    team = new_team(limit=False, inject=True)
    scenario.cluster.create_service_account(team.name, "irsa")
    if announced:
        role = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/irsa"}}}
        team.admin.patch(f"/api/v1/namespaces/{team.name}/serviceaccounts/irsa", role)
    name = "a-other" if asked == "before" else "z-other"
    with OtherWebhook(scenario.cluster, tmp_path, name, team.name, irsa) as other:

        def made() -> dict | None:
            pod = create(team, f"app-{other.calls}", "irsa")
            return pod if other.calls and (not announced or sidecar(pod) is None) else None

        pod = wait_until(made, "the other webhook asked", 10)
    assert pod["metadata"]["annotations"]["deputy.dev/injected"] == "skipped: irsa"
    assert "deputy" not in str(pod["spec"]), pod["spec"]
    assert "AWS_ROLE_ARN" in variables(pod["spec"]["containers"][0])


# --- stored pods


def test_a_stored_pod_that_is_created_again_gets_todays_sidecar(scenario, new_team):
    team = new_team(limit=False, inject=True)
    path = f"/api/v1/namespaces/{team.name}/pods"
    stored = create(team)
    today = sidecar(stored)

    old = again(stored, "of-an-earlier-release")
    agent = sidecar(old)
    agent["image"] = "deputy.invalid/deputy:0.0.9"
    agent["env"] = [e for e in agent["env"] if e["name"] != "DEPUTY_LISTEN"]
    old["metadata"]["annotations"] = {"deputy.dev/injected": "v1"}
    other = again(stored, "of-another-cluster")
    for e in sidecar(other)["env"]:
        if e["name"] in ("DEPUTY_BROKER_CA", "DEPUTY_BROKER_ADDRESS"):
            e["value"] = "of another cluster"
    for pod in (old, other):
        made = team.admin.create(path, pod)
        assert sidecar(made) == today and names(made) == ["deputy-agent"], made["metadata"]["name"]
    # kubectl debug --copy-to drops labels; where only those asked, nothing of ours may be left.
    plain = new_team(limit=False, inject=False)
    copied = again(create(plain, labels=ENABLED), "copied")
    del copied["metadata"]["labels"]
    made = plain.admin.create(f"/api/v1/namespaces/{plain.name}/pods", copied)
    assert "deputy" not in str(made["spec"])


# --- annotations, ports, single containers


def test_an_annotation_for_a_container_that_is_not_there_is_refused(scenario, new_team):
    team = new_team(limit=False, inject=True)
    with pytest.raises(ApiError, match="deputy.dev/binding.wroker: the pod has no such container"):
        create(team, annotations={"deputy.dev/binding.wroker": "reader"})
    assert create(team, annotations={"deputy.dev/binding.app": "reader"})
    with pytest.raises(ApiError, match="deputy.dev/bindings: there is no such annotation"):
        create(team, "other", annotations={"deputy.dev/bindings": "reader"})


def test_the_agents_port_can_be_moved_and_a_clash_is_refused(scenario, new_team):
    team = new_team(limit=False, inject=True)
    port = {"ports": [{"containerPort": 7419}]}
    with pytest.raises(ApiError, match="containerPort 7419.*deputy.dev/agent-port"):
        create(team, container=port)
    pod = create(team, container=port, annotations={"deputy.dev/agent-port": "17419"})
    assert variables(sidecar(pod))["DEPUTY_LISTEN"] == "127.0.0.1:17419"
    uri = variables(pod["spec"]["containers"][0])["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    assert uri == "http://127.0.0.1:17419/v1/credentials"


def test_irsas_variables_in_one_container_leave_only_that_one_alone(scenario, new_team):
    team = new_team(limit=False, inject=True)
    theirs = [{"name": "AWS_ROLE_ARN", "value": "x"}, {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/t"}]
    two = [{"name": "app", "image": "a"}, {"name": "old", "image": "a", "env": theirs}]
    body = {"metadata": {"name": "two"}, "spec": {"containers": two}}
    pod = team.admin.create(f"/api/v1/namespaces/{team.name}/pods", body)
    app, old = pod["spec"]["containers"]
    assert sidecar(pod) and "AWS_CONTAINER_CREDENTIALS_FULL_URI" in variables(app)
    assert old["env"] == theirs
    assert "container old is left as it is" in pod["metadata"]["annotations"]["deputy.dev/injected-warnings"]


# --- who is told


def test_a_warning_is_an_annotation_and_an_event_on_the_owner(scenario, new_team):
    team = new_team(limit=False, inject=True)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-1", "uid": "a-uid", "controller": True}
    body = {
        "metadata": {"name": "owned", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "app", "image": "a", "env": [{"name": "AWS_PROFILE", "value": "x"}]}]},
    }
    path = f"/api/v1/namespaces/{team.name}/pods"
    warnings = team.admin.warnings("POST", f"{path}?dryRun=All", body)
    assert any("sets AWS_PROFILE" in w for w in warnings), warnings
    events = f"/apis/events.k8s.io/v1/namespaces/{team.name}/events"
    pods = [team.admin.create(path, body)]
    body["metadata"]["name"] = "owned-too"
    pods.append(team.admin.create(path, body))
    for pod in pods:
        assert "sets AWS_PROFILE" in pod["metadata"]["annotations"]["deputy.dev/injected-warnings"]

    def told() -> list[dict]:
        return [e for e in team.admin.get(events)["items"] if e["reason"] == "InjectionWarning"]

    wait_until(told, "an event", 10)
    # Of three pods, one a dry run, the owner is told once.
    (event,) = told()
    assert "sets AWS_PROFILE" in event["note"] and event["regarding"]["uid"] == "a-uid"
    assert event["type"] == "Warning" and event["reportingController"] == "deputy-webhook"


# --- without the webhook


def test_without_the_webhook_the_label_of_a_service_account_holds(scenario, new_team):
    team = new_team(limit=False, inject=False)
    scenario.cluster.create_service_account(team.name, "on", ENABLED)
    assert sidecar(create(team, "known", "on"))
    scenario.deputy.processes["webhook"].stop()

    def refused() -> bool:
        try:
            create(team, "asks", "on")
        except ApiError as error:
            return "label deputy.dev/inject of ServiceAccount on) but was not injected" in error.message
        team.admin.delete(f"/api/v1/namespaces/{team.name}/pods/asks")
        return False

    wait_until(refused, "the policy knows the ServiceAccount", 15)
    # Others of its namespace start, and so does who declines itself.
    assert sidecar(create(team, "other")) is None
    assert sidecar(create(team, "declines", "on", {"deputy.dev/inject": "disabled"})) is None
