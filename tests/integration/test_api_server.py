"""An API server that goes away, forgets what watches were told, takes rights away, or stores what nobody can read. In a cluster of their
own: these refusals and outages are not to be mistaken for others."""

import itertools
import json
import signal

import pytest

from rig import audit
from rig.deputy import PROCESSES
from rig.proc import wait_until

from .scenario import API, READ, Team, role, started

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/awsroles.deputy.dev"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
DISCOVERY = "system:service-account-issuer-discovery"


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """Everything started, apart from what other tests use."""
    with started(tmp_path_factory.mktemp("apart")) as whole:
        yield whole


_numbers = itertools.count(1)


@pytest.fixture
def lone_team(request, apart):
    words = request.node.originalname.removeprefix("test_").replace("_", "-")[:24].strip("-")
    yield Team(apart, f"{words}-{next(_numbers)}")
    apart.heal()
    for name in PROCESSES:
        apart.deputy.wait_ready(name, timeout=60)


def test_what_watches_missed_while_the_api_server_was_away_is_seen(apart, lone_team):
    deputy = apart.deputy
    lone_team.granted("uploader", READ)
    lone_team.pod()
    lone_team.wait_answer(200)
    token = apart.cluster.pod_token(lone_team.name, "app")
    # They do not see the deletion, and what they ask for afterwards is too old to be told: 410 Gone.
    for name in ("broker", "webhook"):
        deputy.processes[name].signal(signal.SIGSTOP)
    apart.admin.delete(lone_team.binding_path())
    apart.cluster.restart_api_server(compact=True)
    for name in ("broker", "webhook"):
        deputy.processes[name].signal(signal.SIGCONT)

    def refused() -> bool:
        status, _, body = deputy.ask_broker(token)
        return status == 403 and body["Code"] == "NoBinding"

    wait_until(refused, "the broker knows that the binding is gone", 45)
    # Controllers may have lost their Leases: they begin anew, as the kubelet has it.
    apart.heal()
    lone_team.wait_trusted(trusted=False, timeout=60)
    lone_team.binding()
    lone_team.wait_answer(200, timeout=60)


def test_an_api_server_that_is_away_changes_nothing_in_aws(apart, lone_team):
    lone_team.granted("uploader", READ)
    lone_team.pod()
    lone_team.pod("another")
    tokens = [apart.cluster.pod_token(lone_team.name, pod) for pod in ("app", "another")]
    bundle = apart.deputy.broker_bundle()
    lone_team.wait_answer(200)
    mark, roles = apart.aws.recorder.mark(), apart.roles_in_aws()
    with apart.cluster.without_api_server():
        # Longer than a leader goes on without its Lease.
        wait_until(lambda: deputy_ended(apart, "controller"), "the controller ends without its Lease", 30)
        # Also to a pod that never asked before: its token is known by the keys, and it by the watch.
        for token in tokens:
            assert apart.deputy.ask_broker(token, bundle=bundle)[0] == 200, "a session that is kept is served"
    apart.heal()
    apart.deputy.wait_ready("controller", timeout=60)
    lone_team.wait_answer(200, timeout=60)
    assert apart.writes(mark) == []
    assert apart.roles_in_aws() == roles


@pytest.mark.parametrize("killed", [False, True], ids=["that-runs", "that-begins"])
def test_without_its_rights_nothing_is_taken_for_gone_and_given_back_all_goes_on(apart, lone_team, killed):
    lone_team.granted("uploader", READ)
    binding = apart.admin.get(f"{BINDINGS}/deputy-controller")
    apart.admin.delete(f"{BINDINGS}/deputy-controller")
    mark, roles = apart.aws.recorder.mark(), apart.roles_in_aws()
    try:
        # The watches that run go on: only what begins anew is refused.
        apart.cluster.restart_api_server()
        if killed:
            apart.deputy.kill("controller")

        def says_what_it_misses() -> bool:
            # It ends without its Lease, which it may lose while the API server begins.
            apart.deputy.start_ended(wait=False)
            missing = apart.deputy.unready("controller") or {}
            index, uid = missing.get("index", ""), missing.get("cluster-uid", "")
            return "the API server has said nothing about" in index or "forbidden" in uid

        wait_until(says_what_it_misses, "it says what it can't see", 60)
        apart.create(role(lone_team.name, "later", READ))
    finally:
        apart.admin.create(BINDINGS, {k: binding[k] for k in ("subjects", "roleRef")} | {"metadata": {"name": "deputy-controller"}})
    apart.heal()
    lone_team.wait_role("later", timeout=90)
    assert set(roles) <= set(apart.roles_in_aws())
    assert not [action for action in apart.writes(mark) if action.startswith(("Delete", "Detach"))]


def test_where_the_api_server_publishes_no_keys_it_is_asked_about_each_token(apart, lone_team):
    lone_team.granted("uploader", READ)
    lone_team.pod()
    lone_team.wait_answer(200)
    role = apart.admin.get(f"{ROLES}/deputy-broker")
    everybody = apart.admin.get(f"{BINDINGS}/{DISCOVERY}")
    apart.admin.delete(f"{BINDINGS}/{DISCOVERY}")
    without = {**role, "rules": [rule for rule in role["rules"] if "nonResourceURLs" not in rule]}
    apart.admin.replace(f"{ROLES}/deputy-broker", without)
    try:
        before = len(reviews(apart))
        apart.deputy.restart("broker")
        lone_team.wait_answer(200)
        # Garbage is refused all the same.
        assert apart.deputy.ask_broker("a.b.c")[0] == 401
        assert len(reviews(apart)) >= before + 2
    finally:
        kept = {key: everybody[key] for key in ("subjects", "roleRef")}
        apart.admin.create(BINDINGS, kept | {"metadata": {"name": DISCOVERY}})
        now = apart.admin.get(f"{ROLES}/deputy-broker")
        role["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"]
        apart.admin.replace(f"{ROLES}/deputy-broker", role)
    apart.deputy.restart("broker")
    lone_team.wait_answer(200)


def test_another_signing_key_counts_within_seconds_and_former_tokens_stay(apart, lone_team):
    lone_team.granted("uploader", READ)
    lone_team.pod()
    lone_team.wait_answer(200)
    former = apart.cluster.pod_token(lone_team.name, "app")
    asked = len(reviews(apart))
    apart.cluster.rotate_signing_key()
    # Leaders that lost their Leases begin anew.
    apart.heal()
    new = apart.cluster.pod_token(lone_team.name, "app")
    assert new.partition(".")[0] != former.partition(".")[0], "the head names the key"
    wait_until(lambda: apart.deputy.ask_broker(new)[0] == 200, "the new key is known", 10)
    assert apart.deputy.ask_broker(former)[0] == 200
    # By the keys that were read again, and not by a question about each token.
    assert len(reviews(apart)) == asked


def test_an_object_that_nobody_can_read_holds_up_no_other(apart, lone_team):
    definition = apart.admin.get(CRD)
    loose = json.loads(json.dumps(definition))
    for version in loose["spec"]["versions"]:
        # As little as the selectable field needs.
        account = {"type": "object", "properties": {"name": {"type": "string"}}}
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        spec = {**anything, "properties": {"accountRef": account}}
        version["schema"]["openAPIV3Schema"] = {**anything, "properties": {"spec": spec}}
    lone_team.granted("uploader", READ)
    with apart.without_validation():
        apart.admin.replace(CRD, loose)

        def stored() -> dict:
            broken = role(lone_team.name, "broken", READ)
            broken["spec"]["policies"] = "s3:GetObject"
            return apart.admin.create(f"{API}/namespaces/{lone_team.name}/awsroles", broken)

        wait_until(stored, "the looser definition is in force", 20)
        now = apart.admin.get(CRD)
        definition["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"]
        apart.admin.replace(CRD, definition)
    # Also for a process that begins with it.
    for name in ("controller", "webhook"):
        apart.deputy.restart(name)
    lone_team.role("after", READ)
    assert not [r for r in apart.roles_in_aws() if ".broken-" in r]
    found = apart.admin.get(lone_team.role_path("uploader"))
    assert {c["type"]: c["status"] for c in found["status"]["conditions"]}["Ready"] == "True"
    apart.admin.delete(lone_team.role_path("broken"))


def reviews(scenario) -> list[audit.Request]:
    """What the broker asked the API server about tokens."""
    return [r for r in scenario.asked_by("broker") if r.what == "authentication.k8s.io/tokenreviews"]


def deputy_ended(scenario, name: str) -> bool:
    return scenario.deputy.processes[name].returncode == 3
