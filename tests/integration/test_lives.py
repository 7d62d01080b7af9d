"""Processes that restart, crash and come in twos."""

import threading

import pytest

from rig.aws import Credentials, policy
from rig.cluster import service_account_user
from rig.deputy import NAMESPACE
from rig.ports import free_port
from rig.proc import wait_until
from rig.wire import Wire

from .scenario import API, LIST, READ, binding, document, limit
from .test_faults import of
from .wires import through

STATUS_WRITERS = [service_account_user(NAMESPACE, f"deputy-{name}") for name in ("controller", "limits")]


def status_writes(scenario, since: int) -> list[str]:
    """What the controllers wrote to the API server, Leases aside, after the first `since` requests of all."""
    found = scenario.cluster.audited()[since:]
    return [
        str(r)
        for r in found
        if r.user in STATUS_WRITERS and r.verb in ("patch", "update", "create") and r.resource != "leases"
    ]


def test_a_resync_without_change_writes_nothing_anywhere(scenario, new_team):
    teams = [new_team() for _ in range(3)]
    for team in teams:
        team.granted("uploader", READ)
    recorder = scenario.aws.recorder

    def tidy() -> bool:
        """Nothing of earlier tests is on its way out any more."""
        roles, limits = (scenario.admin.get(f"{API}/{plural}")["items"] for plural in ("awsroles", "delegationlimits"))
        return (
            not [o for o in roles + limits if "deletionTimestamp" in o["metadata"]]
            and len(scenario.roles_in_aws()) == len(roles)
            and len(scenario.policies_in_aws()) == len(limits)
        )

    def listed() -> list[str | None]:
        return [a.get("status", {}).get("lastListed") for a in scenario.admin.get(f"{API}/awsaccounts")["items"]]

    def all_read(since: int, before: list[str | None]) -> bool:
        looked = {c.parameters["PolicyArn"].rsplit("/", 1)[-1] for c in recorder.calls("GetPolicy", since=since)}
        swept = recorder.calls("ListPolicies", since=since)
        # One listing shows all roles; it begins a minute after the start.
        has_listed = all(now and now != then for now, then in zip(listed(), before, strict=True))
        return has_listed and set(scenario.policies_in_aws()) <= looked and bool(swept)

    def counted() -> bool:
        """The limits have told of the role and the binding of each team."""
        told = [scenario.admin.get(team.limit_path).get("status", {}).get("grants", {}) for team in teams]
        return all(grants.get("accepted") == 2 for grants in told)

    wait_until(tidy, "AWS and the cluster agree", 30)
    wait_until(counted, "grants counted", 30)
    calls, requests, before = recorder.mark(), len(scenario.cluster.audited()), listed()
    for name in ("limits", "controller"):
        scenario.deputy.restart(name)
    wait_until(lambda: all_read(calls, before), "all roles listed and every policy read", 150)
    assert scenario.writes(calls) == []
    assert recorder.calls("GetRole", since=calls) == []
    # The account says when its roles were listed, and nothing else is said.
    assert [w for w in status_writes(scenario, requests) if "awsaccounts" not in str(w)] == []


def test_what_somebody_changed_in_aws_is_repaired(scenario, team):
    team.granted("uploader", READ)
    team.wait_converged()
    iam, name = scenario.iam(), team.aws_name()
    boundary = team.in_aws()["PermissionsBoundary"]["PermissionsBoundaryArn"]
    trust = team.in_aws()["AssumeRolePolicyDocument"]
    open_trust = policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=open_trust)
    iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=policy({**READ, "Resource": "*"}))
    iam.put_role_policy(RoleName=name, PolicyName="deputy", PolicyDocument=policy(LIST))
    managed = iam.create_policy(PolicyName=f"managed-{team.name}", PolicyDocument=policy(LIST))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=managed)
    iam.delete_role_permissions_boundary(RoleName=name)
    iam.create_policy_version(PolicyArn=boundary, PolicyDocument=policy({**READ, "Resource": "*"}), SetAsDefault=True)

    scenario.deputy.restart("limits")
    team.ask_for_a_look()
    wait_until(lambda: team.in_aws()["AssumeRolePolicyDocument"] == trust, "trust repaired", 20)
    wait_until(lambda: team.inline() == {"deputy": document(READ)}, "permissions repaired", 20)
    wait_until(lambda: not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"], "detached", 20)
    found = wait_until(lambda: team.in_aws().get("PermissionsBoundary"), "the boundary again", 20)
    assert found["PermissionsBoundaryArn"] == boundary
    wait_until(lambda: len(iam.list_policy_versions(PolicyArn=boundary)["Versions"]) == 1, "one version", 20)
    iam.delete_policy(PolicyArn=managed)
    wait_until(lambda: _reverted(scenario, team, managed), "an event with the difference", 20)
    wait_until(lambda: _reverted(scenario, team, "trust policy had"), "an event with the difference", 20)


def test_a_trust_policy_that_shuts_the_broker_out_is_found_by_what_aws_refuses(scenario, team):
    team.granted("uploader", READ)
    team.wait_converged()
    trust = team.in_aws()["AssumeRolePolicyDocument"]
    team.pod()

    def close() -> None:
        nobody = policy({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
        scenario.iam().update_assume_role_policy(RoleName=team.aws_name(), PolicyDocument=nobody)

    def refused() -> bool:
        status, body = team.ask()
        if status == 200:
            # The listing of every half hour was first: once more, with a broker that holds no session yet.
            close()
            scenario.deputy.restart("broker")
        return body.get("Code") == "AccessDenied"

    close()
    # For two minutes it may be that AWS has not heard of the role everywhere.
    wait_until(refused, "AWS refuses sessions", 300, every=2)
    wait_until(lambda: team.in_aws()["AssumeRolePolicyDocument"] == trust, "trust repaired", 60)
    team.wait_answer(200, timeout=60)
    wait_until(lambda: _reverted(scenario, team, "trust policy had"), "an event with the difference", 20)
    scenario.wait(team.binding_path(), "SessionsIssued", "True")
    team.wait_binding()


def _reverted(scenario, team, said: str) -> bool:
    events = scenario.admin.get(f"/apis/events.k8s.io/v1/namespaces/{team.name}/events")["items"]
    return any(e["reason"] == "DriftReverted" and said in e.get("note", "") for e in events)


# What is held, and what makes the process call it.
POINTS = {
    "CreateRole": ("controller", lambda s, t: t.role("uploader", READ, wait=False)),
    "PutRolePolicy": ("controller", lambda s, t: t.role("uploader", READ, wait=False)),
    "UpdateAssumeRolePolicy": ("controller", lambda s, t: s.create(binding(t.name, "uploader", "uploader", "uploader"))),
    "UpdateRole": ("controller", lambda s, t: s.admin.patch(t.role_path(), {"spec": {"maxSessionDuration": "2h"}})),
    "DeleteRolePolicy": ("controller", lambda s, t: s.admin.delete(t.role_path())),
    "DeleteRole": ("controller", lambda s, t: s.admin.delete(t.role_path())),
    "CreatePolicy": ("limits", lambda s, t: s.create(limit(t.name, [t.name]))),
    "CreatePolicyVersion": ("limits", lambda s, t: s.admin.patch(t.limit_path, {"spec": {"ceiling": document(LIST, READ)}})),
    "DeletePolicyVersion": ("limits", lambda s, t: s.admin.patch(t.limit_path, {"spec": {"ceiling": document(LIST, READ)}})),
    "DeletePolicy": ("limits", lambda s, t: s.admin.delete(t.limit_path)),
}


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "lost"])
@pytest.mark.parametrize("action", POINTS)
def test_a_process_killed_in_the_middle_of_a_call_goes_on_where_it_was(scenario, new_team, action, applied):
    process, begin = POINTS[action]
    team = new_team(limit=action != "CreatePolicy")
    if action in ("UpdateAssumeRolePolicy", "UpdateRole", "DeleteRolePolicy", "DeleteRole"):
        team.role("uploader", READ)
    gate = threading.Event()
    fault = scenario.aws.recorder.inject(action, when=of(team), gate=gate, drop=not applied, times=1)
    begin(scenario, team)
    fault.wait_held(timeout=20)
    scenario.deputy.kill(process)
    mark = scenario.aws.recorder.mark()
    gate.set()
    scenario.aws.recorder.wait_for(action, since=mark)
    scenario.deputy.start_process(process)

    if action in ("DeleteRolePolicy", "DeleteRole"):
        # A role that AWS does not show, to who has not seen it go, is believed gone after a minute.
        scenario.wait_gone(team.role_path(), timeout=130)
        assert not [r for r in scenario.roles_in_aws() if f".{team.name}." in r]
    elif action == "DeletePolicy":
        wait_until(lambda: not [p for p in scenario.policies_in_aws() if team.name in p], "the policy gone", 20)
    elif process == "limits":
        team.wait_limit()
        mine = [p for p in scenario.policies_in_aws() if f".{team.name}-" in p]
        arn = scenario.admin.get(team.limit_path)["status"]["boundaries"][0]["policyARN"]
        assert mine == [arn.rsplit("/", 1)[-1]]
        wait_until(lambda: len(scenario.iam().list_policy_versions(PolicyArn=arn)["Versions"]) == 1, "one version", 10)
    else:
        team.wait_role()
        assert len([r for r in scenario.roles_in_aws() if f".{team.name}." in r]) == 1
        wait_until(lambda: team.inline() == {"deputy": document(READ)}, "permissions", 10)
        if action == "UpdateAssumeRolePolicy":
            team.wait_trusted()
        if action == "UpdateRole":
            wait_until(lambda: team.in_aws()["MaxSessionDuration"] == 7200, "the duration", 10)


def test_a_broker_killed_in_the_middle_of_a_call_answers_when_it_is_back(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    gate = threading.Event()
    mine = lambda call: f".{team.name}." in call.get("RoleArn", "")  # noqa: E731
    fault = scenario.aws.recorder.inject("AssumeRole", when=mine, gate=gate)
    assert team.ask()[0] == 503
    fault.wait_held()
    scenario.deputy.kill("broker")
    scenario.aws.recorder.clear_faults()
    scenario.deputy.start_process("broker")
    team.wait_answer(200)


def test_a_killed_webhook_comes_back_with_the_same_authority(scenario, team):
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/deputy"
    before = scenario.admin.get(path)["webhooks"][0]["clientConfig"]["caBundle"]
    scenario.deputy.kill("webhook")
    scenario.deputy.start_process("webhook")
    assert scenario.admin.get(path)["webhooks"][0]["clientConfig"]["caBundle"] == before
    team.role("uploader", READ)


BROKER_CA = f"/api/v1/namespaces/{NAMESPACE}/secrets/deputy-broker-ca"


def emptied(scenario) -> dict:
    """The Secret of the broker's authority as a replacing tool leaves it: as the chart renders it."""
    found = scenario.admin.get(BROKER_CA)
    scenario.admin.replace(BROKER_CA, {k: v for k, v in found.items() if k != "data"})
    return found["data"]


def test_an_emptied_authority_is_written_back_by_the_broker_that_serves_with_it(scenario, team):
    bundle = scenario.deputy.broker_bundle()
    data = emptied(scenario)
    wait_until(lambda: scenario.admin.get(BROKER_CA).get("data") == data, "the authority is back", 10)
    assert scenario.deputy.broker_bundle() == bundle
    team.granted("uploader", READ)
    # An agent that begins now trusts it.
    agent = scenario.deputy.start_agent(team.pod())
    agent.wait_ready()
    agent.stop()


def test_a_broker_that_begins_without_an_authority_waits_while_pods_trust_one(scenario, team):
    bundle = scenario.deputy.broker_bundle()
    scenario.deputy.kill("broker")
    data = emptied(scenario)
    scenario.deputy.start_process("broker", wait=False)

    def refused() -> str:
        return (scenario.deputy.unready("broker") or {}).get("serving-certificate", "")

    wait_until(lambda: "restore the Secret's data from a backup" in refused(), "the broker says what is wrong", 20)
    assert not scenario.admin.get(BROKER_CA).get("data")
    assert scenario.deputy.broker_bundle() == bundle
    scenario.admin.patch(BROKER_CA, {"data": data})
    scenario.deputy.wait_ready("broker")
    assert scenario.deputy.broker_bundle() == bundle
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)


def test_a_revocation_behind_a_connection_that_went_silent_counts_within_thirty_seconds(scenario, team):
    wire = Wire(scenario.cluster.port)
    through(scenario, wire, "broker")
    try:
        team.granted("uploader", READ)
        team.pod()
        team.wait_answer(200)
        wire.silence()
        scenario.admin.delete(team.binding_path())
        # The watch is begun anew 25 s after it last said something, and not by a connection that was kept and is silent, too.
        wait_until(lambda: team.ask()[0] != 200, "no session is given", 32)
        team.wait_answer(403, timeout=90)
    finally:
        wire.close()
        scenario.deputy.kill("broker")
        scenario.deputy.start_process("broker")


def test_all_processes_killed_at_once_come_back(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    for name in ("limits", "controller", "broker", "webhook"):
        scenario.deputy.kill(name)
    scenario.deputy.start()
    team.wait_answer(200)
    team.role("second", READ)


def test_of_two_controllers_one_writes_and_the_other_takes_over(scenario, team):
    deputy, recorder = scenario.deputy, scenario.aws.recorder
    key = scenario.iam().create_access_key(UserName="deputy-provisioner")["AccessKey"]
    second = Credentials.of(key)
    first = deputy.identities["controller"]

    def writers(since: int) -> set[str]:
        calls = recorder.calls(since=since)
        return {c.access_key_id for c in calls if c.action in ("CreateRole", "PutRolePolicy", "DeleteRole")}

    deputy.start_process("controller", replica="b", **second.environment())
    try:
        mark = recorder.mark()
        team.role("one", READ)
        assert writers(mark) == {first.access_key_id}
        deputy.processes["controller"].stop()
        mark = recorder.mark()
        team.role("two", READ)
        assert writers(mark) == {second.access_key_id}
        deputy.start_process("controller")
        mark = recorder.mark()
        team.role("three", READ)
        assert writers(mark) == {second.access_key_id}, "the first one waits for its turn"
    finally:
        deputy.processes.pop("controllerb").stop()
    mark = recorder.mark()
    team.role("four", READ)
    assert writers(mark) == {first.access_key_id}
    scenario.iam().delete_access_key(UserName="deputy-provisioner", AccessKeyId=second.access_key_id)


def test_a_process_that_is_started_with_another_cluster_name_does_not_begin(scenario, team):
    team.granted("uploader", READ)
    roles = scenario.roles_in_aws()
    remembered = scenario.admin.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/deputy-cluster")
    assert remembered["data"] == {"clusterName": scenario.deputy.cluster_name}
    for name in ("controller", "limits", "broker", "webhook"):
        # The other replica, as in a rollout: the right ones go on.
        more = {"DEPUTY_CLUSTER_NAME": "renamed", "DEPUTY_LISTEN": f"127.0.0.1:{free_port()}"}
        process = scenario.deputy.start_process(name, wait=False, replica="-renamed", **more)

        def says(name: str = name) -> str:
            return (scenario.deputy.unready(f"{name}-renamed") or {}).get("cluster-name", "")

        try:
            said = wait_until(lambda: "was started with clusterName" in says() and says(), "it says why", 20)  # noqa: B023
            assert f"{len(roles)} IAM roles of AWSRoles" in said and 'Start it with clusterName "demo"' in said
        finally:
            process.stop()
            del scenario.deputy.processes[f"{name}-renamed"]
    assert scenario.roles_in_aws() == roles
    team.pod()
    team.wait_answer(200)
