"""Pods that the agent on their node serves, and pods in their node's network, as the API server stores them; and what the policy that
stands in for the webhook lets in of them."""

import copy

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .test_injected_pods import again
from .test_injection import DISABLED, ENABLED, create, sidecar, variables

NODE = {"deputy.dev/delivery": "Node"}
URI = "http://169.254.170.23:7419/v1/credentials"


def says(pod: dict) -> str | None:
    return pod["metadata"].get("annotations", {}).get("deputy.dev/injected")


def put(team, body: dict) -> dict:
    return team.admin.create(f"/api/v1/namespaces/{team.name}/pods", body)


def annotate(team, word: str | None) -> None:
    team.admin.patch(f"/api/v1/namespaces/{team.name}", {"metadata": {"annotations": {"deputy.dev/delivery": word}}})


def test_the_pods_word_decides_before_its_namespaces(scenario, new_team):
    team = new_team(limit=False, inject=True)
    pod = create(team, "node", annotations=NODE, initContainers=[{"name": "prepare", "image": "app.invalid/app:1"}])
    assert sidecar(pod) is None and says(pod) == "node"
    for container in pod["spec"]["containers"] + pod["spec"]["initContainers"]:
        env = variables(container)
        assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == URI
        token_file = env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        mount = next(m for m in container["volumeMounts"] if m["name"] == "deputy-token")
        assert mount["readOnly"] and token_file == f"{mount['mountPath']}/token"
    # Created again from what is stored, nothing is added, and nothing is where the namespace does not ask.
    assert put(team, again(pod, "again"))["spec"] == pod["spec"]
    annotate(team, "Node")
    # The webhook hears of that a moment later.
    wait_until(lambda: _is_served_by_the_node(team), "the namespace's word counts", 10)
    assert sidecar(create(team, "own", annotations={"deputy.dev/delivery": "Sidecar"}))
    named = create(team, "named", annotations={"deputy.dev/binding": "reader"})
    assert variables(named["spec"]["containers"][0])["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"{URI}/reader"


def _is_served_by_the_node(team) -> bool:
    pod = create(team, "probe")
    team.admin.call("DELETE", f"/api/v1/namespaces/{team.name}/pods/probe", {"gracePeriodSeconds": 0})
    return says(pod) == "node"


def test_another_word_is_refused_where_it_is_written(scenario, new_team):
    team = new_team(limit=False, inject=True)
    with pytest.raises(ApiError, match="of the pod: .*neither Sidecar nor Node"):
        create(team, annotations={"deputy.dev/delivery": "node"})
    with pytest.raises(ApiError, match="it says Sidecar or Node"):
        annotate(team, "DaemonSet")


def test_a_stored_pod_has_one_delivery_wherever_it_comes_to(scenario, new_team):
    team = new_team(limit=False, inject=True)
    with_sidecar = create(team, "with-sidecar")
    by_node = create(team, "by-node", annotations=NODE)
    to_node = again(with_sidecar, "to-node")
    to_node["metadata"].setdefault("annotations", {}).update(NODE)
    pod = put(team, to_node)
    assert sidecar(pod) is None and says(pod) == "node"
    assert "deputy.dev/injected-sidecar" not in pod["metadata"]["annotations"]
    to_sidecar = again(by_node, "to-sidecar")
    del to_sidecar["metadata"]["annotations"]["deputy.dev/delivery"]
    pod = put(team, to_sidecar)
    assert sidecar(pod) and says(pod) == "v1"
    assert "169.254.170.23" not in str(pod["spec"])


def test_host_networks_need_the_pods_own_choice_and_every_limits_leave(scenario, new_team):
    team = new_team(limit=False, inject=True)
    parts = {"labels": ENABLED, "annotations": NODE, "hostNetwork": True}
    with pytest.raises(ApiError, match="no DelegationLimit names its namespace"):
        create(team, **copy.deepcopy(parts))
    team.limit(pods={"allowHostNetwork": True})
    wait_until(lambda: _is_let_in(team, parts), "the limit gives leave", 10)
    pod = create(team, "served", **copy.deepcopy(parts))
    assert says(pod) == "node" and variables(pod["spec"]["containers"][0])["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == URI
    # By the label of its namespace alone it is left alone.
    pod = create(team, "by-namespace", annotations=dict(NODE), hostNetwork=True)
    assert says(pod) == "skipped: host-network"
    # Nor does a sidecar serve it.
    with pytest.raises(ApiError, match="can't be injected: it uses the network of its node"):
        create(team, "with-sidecar", labels=ENABLED, hostNetwork=True)
    # One limit more that says nothing of it.
    path = team.another_limit("narrow", boundary={"type": "CheckOnly"})
    wait_until(lambda: not _is_let_in(team, parts), "the second limit withholds it", 10)
    with pytest.raises(ApiError, match=f"DelegationLimit {path.rpartition('/')[2]} names its namespace"):
        create(team, "refused", **copy.deepcopy(parts))


def _is_let_in(team, parts: dict) -> bool:
    body = {
        "metadata": {"name": "asks", "labels": parts["labels"], "annotations": parts["annotations"]},
        "spec": {"hostNetwork": True, "containers": [{"name": "app", "image": "app.invalid/app:1"}]},
    }
    try:
        team.admin.create(f"/api/v1/namespaces/{team.name}/pods?dryRun=All", body)
    except ApiError as error:
        assert "DelegationLimit" in error.message
        return False
    return True


def test_without_the_webhook_a_pod_has_the_whole_way_to_the_node_or_nothing(scenario, new_team):
    team = new_team(limit=False, inject=True)
    whole = again(
        create(team, "stored", annotations=NODE, initContainers=[{"name": "prepare", "image": "app.invalid/app:1"}]), "x"
    )
    stored_sidecar = again(create(team, "stored-sidecar"), "sidecar-again")
    scenario.deputy.processes["webhook"].stop()

    def changed(name: str, change) -> dict:
        pod = copy.deepcopy(whole)
        pod["metadata"]["name"] = name
        change(pod["metadata"], pod["spec"])
        return pod

    def without_env(variable: str):
        def change(_, spec):
            first = spec["containers"][0]
            first["env"] = [e for e in first["env"] if e["name"] != variable]

        return change

    def without_mount(_, spec):
        first = spec["initContainers"][0]
        first["volumeMounts"] = [m for m in first["volumeMounts"] if m["name"] != "deputy-token"]

    def elsewhere(_, spec):
        for container in spec["containers"] + spec["initContainers"]:
            for entry in container["env"]:
                if entry["value"] == URI:
                    entry["value"] = "http://169.254.170.23:7420/v1/credentials"

    def no_token(_, spec):
        volume = next(v for v in spec["volumes"] if v["name"] == "deputy-token")
        volume["projected"]["sources"][0]["serviceAccountToken"]["audience"] = "another"

    def nothing(_, spec):
        for container in spec["containers"] + spec["initContainers"]:
            del container["env"]

    def other_word(meta, _):
        meta["annotations"]["deputy.dev/injected"] = "v1"

    broken = {
        "no-address": without_env("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        "no-token-file": without_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        "no-mount": without_mount,
        "another-port": elsewhere,
        "another-audience": no_token,
        "nothing-at-all": nothing,
        "says-sidecar": other_word,
        "one-more": lambda _, spec: spec["containers"].append({"name": "more", "image": "app.invalid/app:1"}),
    }
    for name, change in broken.items():
        with pytest.raises(ApiError, match="was not injected. Does the Deputy webhook run?"):
            put(team, changed(name, change))
            pytest.fail(f"{name} was let in")

    def own_provider(_, spec):
        env = [{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials"}]
        spec["containers"].append({"name": "more", "image": "app.invalid/app:1", "env": env})

    # The webhook leaves one alone that brings half of what its binding would give it.
    def half_of_another(_, spec):
        env = [{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::123456789012:role/own"}]
        spec["containers"].append({"name": "more", "image": "app.invalid/app:1", "env": env})

    def mesh(_, spec):
        spec["containers"].append({"name": "istio-proxy", "image": "app.invalid/app:1"})

    assert says(put(team, changed("whole", lambda *_: None))) == "node"
    for name, change in {"own-provider": own_provider, "half-of-another": half_of_another, "mesh": mesh}.items():
        assert put(team, changed(name, change))["metadata"]["name"] == name
    # The other delivery holds as before, but not in the network of the node.
    assert sidecar(put(team, stored_sidecar))
    host = copy.deepcopy(stored_sidecar)
    host["metadata"] |= {"name": "host", "labels": ENABLED}
    host["spec"]["hostNetwork"] = True
    with pytest.raises(ApiError, match="can't be injected: it uses the network of its node"):
        put(team, host)
    assert sidecar(create(team, "declines", labels=DISABLED)) is None
