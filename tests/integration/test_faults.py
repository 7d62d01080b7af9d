"""AWS that is away, slow, full, or says no: the conditions say so, and all heals by itself."""

import json
import threading

import pytest

from rig.proc import wait_until

from .scenario import ACCOUNT, API, ELSEWHERE, LIST, READ, document, limit, role


def of(team):
    """Calls about the team's own role or policy."""
    return lambda call: f".{team.name}" in call.get("RoleName", "") + call.get("PolicyName", "") + call.get("PolicyArn", "")


REFUSALS = {
    "unreachable": ({"drop": True}, "Unavailable"),
    "throttled": ({"code": "Throttling", "status": 400}, "Throttled"),
    "denied": ({"code": "AccessDenied", "status": 403}, "AccessDenied"),
    "failing": ({"code": "ServiceFailure", "status": 500}, "Unavailable"),
    "full": ({"code": "LimitExceeded", "status": 409}, "QuotaExceeded"),
    "exists": ({"code": "EntityAlreadyExists", "status": 409}, "AWSError"),
    "invalid principal": (
        {"code": "MalformedPolicyDocument", "message": 'Invalid principal in policy: "AWS":"x"'},
        "InvalidPrincipal",
    ),
}


@pytest.mark.parametrize("action", ["CreateRole", "PutRolePolicy"])
@pytest.mark.parametrize("what", REFUSALS)
def test_a_role_says_what_aws_says_and_heals(scenario, team, what, action):
    fault, reason = REFUSALS[what]
    recorder = scenario.aws.recorder
    injected = recorder.inject(action, when=of(team), name=what, **fault)
    team.role("uploader", READ, wait=False)
    condition = team.wait_role(status="False", reason=reason)
    assert condition["message"] and injected.hits
    assert scenario.admin.get(team.role_path())["metadata"]["finalizers"] == ["deputy.dev/role"]
    recorder.clear_faults()
    if reason == "QuotaExceeded":
        # Nothing tells when there is room again: it is looked at after ten minutes, or when its object changes.
        scenario.admin.patch(team.role_path(), {"spec": {"maxSessionDuration": "2h"}})
    team.wait_role(timeout=30)
    assert team.inline() == {"deputy": document(READ)}


@pytest.mark.parametrize("action", ["CreateRole", "PutRolePolicy", "UpdateAssumeRolePolicy"])
def test_an_answer_that_is_lost_changes_nothing(scenario, team, action):
    fault = scenario.aws.recorder.inject(action, when=of(team), lose_response=True, times=1)
    team.granted("uploader", READ)
    if action == "UpdateAssumeRolePolicy" and not fault.hits:
        # Role and binding came together, so trust was right from the start.
        scenario.admin.delete(team.binding_path())
        team.wait_trusted(trusted=False)
    assert fault.hits == 1
    team.wait_role()
    mine = [r for r in scenario.roles_in_aws() if r.startswith(f"deputy.{team.name}.")]
    assert len(mine) == 1


def test_a_boundary_that_can_not_be_written_holds_its_roles_back(scenario, new_team):
    team = new_team(limit=False)
    fault = scenario.aws.recorder.inject("CreatePolicy", when=of(team), code="AccessDenied", status=403)
    scenario.create(limit(team.name, [team.name]))
    condition = team.wait_limit("False", "AccessDenied")
    assert "CreatePolicy" in condition["message"] and fault.hits
    scenario.create(role(team.name, "uploader", READ))
    team.wait_role(status="False", reason="BoundaryNotReady")
    assert not [r for r in scenario.roles_in_aws() if team.name in r]
    scenario.aws.recorder.clear_faults()
    team.wait_limit(timeout=30)
    team.wait_role(timeout=30)


def test_a_boundary_that_can_not_be_widened_keeps_the_grants_under_the_old_one(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    scenario.aws.recorder.inject("CreatePolicyVersion", when=of(team), code="Throttling", status=400)
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(READ, LIST, ELSEWHERE)}})
    team.wait_limit("False", "Throttled")
    # The role as it is goes on; more may be granted only after the boundary is wider.
    assert team.wait_role()["reason"] == "Ready"

    def is_open() -> bool:
        return team.in_aws()["AssumeRolePolicyDocument"]["Statement"][0]["Effect"] == "Allow"

    assert is_open()

    def change(*statements: dict) -> None:
        policies = role(team.name, "uploader", *statements)["spec"]["policies"]
        scenario.admin.patch(team.role_path(), {"spec": {"policies": policies}})

    change(READ, ELSEWHERE)
    team.wait_role(status="False", reason="BoundaryNotReady")
    # What was accepted is not taken away because something else is late, …
    assert team.inline() == {"deputy": document(READ)}
    assert is_open() and team.wait_answer(200)
    # … and what is taken away is taken away at once.
    one = {**READ, "Resource": "arn:aws:s3:::productionapp/one/*"}
    change(one)
    wait_until(lambda: team.inline() == {"deputy": document(one)}, "less", 20)
    assert is_open()
    team.wait_role(status="False", reason="BoundaryNotReady")
    change(READ, ELSEWHERE)
    scenario.aws.recorder.clear_faults()
    team.wait_limit(timeout=30)
    team.wait_role(timeout=30)
    team.wait_trusted()
    assert "customer-records" in json.dumps(team.inline())


def test_tags_that_aws_refuses_hold_up_nothing(scenario, team):
    team.granted("uploader", LIST, READ)
    account = f"{API}/awsaccounts/{ACCOUNT}"
    actions = ("TagRole", "UntagRole", "TagPolicy", "UntagPolicy")
    scenario.aws.recorder.inject(*actions, when=of(team), code="AccessDenied", status=403)
    try:
        scenario.admin.patch(account, {"spec": {"tags": {"cost-center": "one"}}})
        condition = scenario.wait(team.role_path(), "Tagged", "False", "AccessDenied")
        assert "iam:TagRole" in condition["message"]
        scenario.wait(team.limit_path, "Tagged", "False", "AccessDenied")
        team.wait_role()
        team.wait_limit()
        # Everything narrower, and nobody bound any more.
        change = role(team.name, "uploader", READ)["spec"]["policies"]
        scenario.admin.patch(team.role_path(), {"spec": {"policies": change}})
        wait_until(lambda: team.inline() == {"deputy": document(READ)}, "the narrower role", 20)
        arn = scenario.admin.get(team.role_path())["status"]["boundaryARN"]
        scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(READ)}})

        def narrowed() -> bool:
            version = scenario.iam().get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            found = scenario.iam().get_policy_version(PolicyArn=arn, VersionId=version)
            return "s3:ListBucket" not in json.dumps(found["PolicyVersion"]["Document"])

        wait_until(narrowed, "the narrower boundary", 20)
        scenario.admin.delete(team.binding_path())
        team.wait_trusted(trusted=False)
        scenario.aws.recorder.clear_faults()
        # Another change, and all is tagged.
        scenario.admin.patch(account, {"spec": {"tags": {"cost-center": "two"}}})
        scenario.wait(team.role_path(), "Tagged", "True")
        scenario.wait(team.limit_path, "Tagged", "True")
        wait_until(lambda: {"Key": "cost-center", "Value": "two"} in team.in_aws()["Tags"], "the other tag", 20)
    finally:
        scenario.admin.patch(account, {"spec": {"tags": None}})


def test_a_deletion_that_aws_refuses_is_told_and_finished_later(scenario, team):
    team.role("uploader", READ)
    name = team.aws_name()
    scenario.aws.recorder.inject("DeleteRole", when=of(team), code="AccessDenied", status=403)
    scenario.admin.delete(team.role_path())
    condition = scenario.wait(team.role_path(), "Ready", "False", "Deleting")
    assert "DeleteRole" in condition["message"]
    scenario.aws.recorder.clear_faults()
    scenario.wait_gone(team.role_path(), timeout=40)
    assert name not in scenario.roles_in_aws()


def test_a_slow_aws_delays_only_what_it_is_about(scenario, team, new_team):
    gate = threading.Event()
    held = scenario.aws.recorder.inject("CreateRole", when=of(team), gate=gate)
    team.role("uploader", READ, wait=False)
    held.wait_held()
    other = new_team()
    other.role("uploader", READ)
    gate.set()
    team.wait_role()


def test_a_role_whose_object_vanishes_while_it_is_made_is_deleted_again(scenario, team):
    # As the API server does when a deletion was under way already as the finalizer was added.
    gate = threading.Event()
    held = scenario.aws.recorder.inject("CreateRole", when=of(team), gate=gate)
    team.role("uploader", READ, wait=False)
    held.wait_held()
    scenario.admin.patch(team.role_path(), {"metadata": {"finalizers": None}})
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    gate.set()

    def deleted() -> bool:
        return any(of(team)(c.parameters) and c.ok for c in scenario.aws.recorder.calls("DeleteRole"))

    wait_until(deleted, "the IAM role deleted", 30)
    assert not [r for r in scenario.roles_in_aws() if team.name in r]
