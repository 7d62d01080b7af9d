"""Sessions of federated users: a pod becomes one by an unmodified boto3, and stops being one; the broker's keys are rotated."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import ACCOUNT, API, LIST, READ, document
from .test_agent import APPLICATION
from .test_federated_users import federated, path

BY_NAME = "/v1/credentials/awsfederateduserbinding"
ACCOUNT_PATH = f"{API}/awsaccounts/{ACCOUNT}"


def arn(user: str) -> str:
    return f"arn:aws:sts::123456789012:federated-user/{user}"


def asked_for(scenario, user: str, since: int = 0) -> list:
    """The calls of GetFederationToken for a name."""
    calls = scenario.aws.recorder.calls("GetFederationToken", since=since)
    return [c for c in calls if c.parameters["Name"] == user]


def caller(scenario, team) -> tuple[list[str], str]:
    """What an application in the team's pod may do, and who it is."""
    agent = scenario.deputy.start_agent(team.admin.get(f"/api/v1/namespaces/{team.name}/pods/app"))
    try:
        agent.wait_ready()
        env = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": scenario.aws.direct_url, **agent.environment("app")}
        done = subprocess.run(
            [sys.executable, "-c", APPLICATION], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        agent.stop()
    lines = done.stdout.splitlines()
    assert len(lines) == 6, done
    return lines[:5], lines[5]


def pod_that_names(team, name: str, binding: str) -> dict:
    """A pod of the ServiceAccount `reports` with the annotation, as the API server stored it."""
    spec = {"serviceAccountName": "reports", "containers": [{"name": "app", "image": "app.invalid/app:1"}]}
    meta = {"name": name, "annotations": {"deputy.dev/binding": binding}}
    return team.admin.create(f"/api/v1/namespaces/{team.name}/pods", {"metadata": meta, "spec": spec})


@pytest.fixture
def manager(new_team):
    """Makes a team whose ServiceAccount `reports` has a binding of a federated user, ready, and nothing else."""

    def make(user: str, **session: object):
        team = new_team(federatedUsers=["Manager*"])
        team.cluster.create_service_account(team.name, "reports")
        team.scenario.create(federated(team.name, "manager", user, **session))
        team.scenario.wait(path(team.name, "manager"), "Ready", "True", "Ready")
        team.pod(service_account="reports")
        return team

    return make


def test_a_pod_becomes_a_federated_user_by_an_unmodified_boto3(scenario, manager):
    team = manager("Manager-sdk", policy=document(LIST, READ))
    allowed, who = caller(scenario, team)
    # The ceiling allows to put as well; the session policy does not.
    assert allowed == ["list ok", "get ok", "put AccessDenied", "delete AccessDenied", "elsewhere AccessDenied"]
    assert who == arn("Manager-sdk")
    [call] = asked_for(scenario, "Manager-sdk")
    told = {v: call.parameters[k.removesuffix("Key") + "Value"] for k, v in call.parameters.items() if k.endswith(".Key")}
    assert told == {"deputy-cluster": "demo", "deputy-namespace": team.name, "deputy-service-account": "reports"}
    assert call.access_key_id == scenario.deputy.identities["broker for federated users"].access_key_id


def test_without_a_session_policy_a_federated_user_can_do_nothing(scenario, manager):
    team = manager("Manager-named", resourcePolicyOnly=True)
    allowed, who = caller(scenario, team)
    assert {line.rpartition(" ")[2] for line in allowed} == {"AccessDenied"}, allowed
    assert who == arn("Manager-named")
    [call] = asked_for(scenario, "Manager-named")
    assert "Policy" not in call.parameters


def test_many_pods_share_one_call_and_each_delivery_is_in_the_audit_log(scenario, manager):
    team = manager("Manager-many")
    names = [f"pod-{n}" for n in range(8)]
    for name in names:
        team.pod(name, service_account="reports")
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda name: team.wait_answer(200, name)["AccessKeyId"], names))
    assert len(keys) == 1 and len(asked_for(scenario, "Manager-many")) == 1

    def mine() -> list[dict]:
        return [line for line in scenario.deputy.audit_lines() if line.get("namespace") == team.name]

    # They are written a moment after the answer.
    wait_until(lambda: len(mine()) > len(names), "the audit lines", 5)
    lines = mine()
    issued = [line for line in lines if line["event"] == "SessionIssued"]
    delivered = [line for line in lines if line["event"] == "SessionDelivered"]
    assert len(issued) == 1 and {line["pod"] for line in delivered} == set(names)
    for line in lines:
        assert line["federated_user_arn"] == arn("Manager-many"), line
        assert line["binding"] == f"{team.name}/manager" and "role" not in line, line


def test_what_is_not_granted_any_more_is_refused_at_once(scenario, manager):
    team = manager("Manager-ends")
    team.wait_answer(200)
    scenario.admin.patch(team.limit_path, {"spec": {"federatedUsers": ["Report*"]}})
    assert "it allows Report*" in team.wait_answer(403)["Message"]
    scenario.admin.patch(team.limit_path, {"spec": {"federatedUsers": ["Manager*"]}})
    team.wait_answer(200)
    scenario.admin.delete(path(team.name, "manager"))
    assert "no AWSFederatedUserBinding" in team.wait_answer(403)["Message"]


def test_the_older_binding_is_the_default_and_the_other_has_to_be_named(scenario, new_team):
    team = new_team(federatedUsers=["Manager*"])
    team.granted("reports", READ)
    # `creationTimestamp` has whole seconds, and of one second the first by name counts.
    scenario.create(federated(team.name, "z-manager", "Manager-second"))
    found = scenario.wait(path(team.name, "z-manager"), "Ready", "True", "Shadowed")
    assert "deputy.dev/binding: awsfederateduserbinding/z-manager" in found["message"]
    warned = scenario.try_create(federated(team.name, "z-another", "Manager-third"))
    assert any("pods of reports get another binding" in w and "awsfederateduserbinding/z-another" in w for w in warned), warned
    pod = pod_that_names(team, "app", "awsfederateduserbinding/z-manager")
    env = {e["name"]: e.get("value") for e in pod["spec"]["containers"][0]["env"]}
    assert env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://127.0.0.1:7419{BY_NAME}/z-manager"
    assert "awsfederateduserbinding/z-manager" in json.dumps(pod["spec"]["initContainers"])
    assert team.wait_answer(200, path=f"{BY_NAME}/z-manager")["AccessKeyId"] != team.wait_answer(200)["AccessKeyId"]
    assert "there is no AWSRoleBinding" in team.wait_answer(403, path="/v1/credentials/z-manager")["Message"]
    with pytest.raises(ApiError, match="neither the name of an AWSRoleBinding nor awsfederateduserbinding/NAME"):
        pod_that_names(team, "wrong", "federateduser/z-manager")


def test_a_session_that_sts_refuses_is_told_by_its_binding(scenario, manager):
    team = manager("Manager-packed")
    scenario.aws.recorder.inject(
        "GetFederationToken",
        when=lambda call: call["Name"] == "Manager-packed",
        code="PackedPolicyTooLarge",
        status=400,
        message="Packed size of session policy consumes 112% of allotted space.",
    )
    assert "112%" in team.wait_answer(403)["Message"]
    scenario.wait(path(team.name, "manager"), "Ready", "False", "PackedPolicyTooLarge")
    scenario.aws.recorder.clear_faults()
    team.wait_answer(200)
    scenario.wait(path(team.name, "manager"), "Ready", "True", "Ready")


def test_keys_are_rotated_without_a_restart(scenario, manager):
    deputy, iam, owner = scenario.deputy, scenario.iam(), "broker for federated users"
    first, second = manager("Manager-before"), manager("Manager-after")
    first.wait_answer(200)
    old = deputy.identities[owner]
    new = deputy.rotate_federation_keys()
    iam.delete_access_key(UserName="deputy-federation", AccessKeyId=old.access_key_id)
    second.wait_answer(200)
    [call] = asked_for(scenario, "Manager-after")
    assert call.access_key_id == new.access_key_id != old.access_key_id


@pytest.fixture
def keys_file(scenario):
    """The file with the federation user's keys, as it was in the end."""
    file = scenario.deputy.federation_keys / ACCOUNT
    before = file.read_text()
    yield file
    file.write_text(before)
    scenario.wait(ACCOUNT_PATH, "FederationReady", "True", timeout=40)
    scenario.wait(ACCOUNT_PATH, "Ready", "True")


def test_keys_that_are_missing_or_somebody_elses_are_told(scenario, manager, new_team, keys_file):
    team = manager("Manager-keys")
    keys_file.unlink()
    found = scenario.wait(ACCOUNT_PATH, "FederationReady", "False", "NoCredentials", timeout=40)
    assert str(keys_file) in found["message"] and "aws iam create-access-key" in found["message"], found
    found = scenario.wait(path(team.name, "manager"), "Ready", "False", "IssuerNotReady")
    assert str(keys_file) in found["message"], found
    assert str(keys_file) in team.wait_answer(503)["Message"]
    stranger = scenario.aws.create_user("federation-stranger", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    keys_file.write_text(
        json.dumps({"AccessKeyId": stranger.access_key_id, "SecretAccessKey": stranger.secret_access_key})
    )
    found = scenario.wait(ACCOUNT_PATH, "FederationReady", "False", "IdentityMismatch", timeout=40)
    assert "user/federation-stranger" in found["message"], found
    assert "FederationUserMismatch" in team.wait_answer(503)["Message"]
    assert asked_for(scenario, "Manager-keys") == [], "nobody else's keys are used"
    scenario.wait(ACCOUNT_PATH, "Ready", "False", "IdentityMismatch")
    # Roles have nothing to do with it.
    other = new_team()
    other.granted("uploader", READ)
    other.pod()
    other.wait_answer(200)

