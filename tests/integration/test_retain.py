"""Roles that stay in AWS although their object is gone."""

import json

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import LIST, READ, WRITE, role
from .test_revocation import may_read, session_of

RETAIN = {"deletionPolicy": "Retain"}


def tags(found: dict) -> dict[str, str]:
    return {t["Key"]: t["Value"] for t in found["Tags"]}


def in_aws(scenario, name: str) -> dict | None:
    """A role by its name in AWS; its object may be gone."""
    iam = scenario.iam()
    try:
        found = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    if isinstance(found["AssumeRolePolicyDocument"], str):
        found["AssumeRolePolicyDocument"] = json.loads(found["AssumeRolePolicyDocument"])
    return found


def allowed(team) -> list[dict]:
    """What the inline policy allows."""
    return [s for s in team.inline()["deputy"]["Statement"] if s["Effect"] == "Allow"]


def effects(found: dict) -> set[str]:
    return {s["Effect"] for s in found["AssumeRolePolicyDocument"]["Statement"]}


def test_a_retained_role_lets_nobody_in_and_is_taken_back(scenario, new_team, remove):
    team = new_team(roles={"allowRetain": True})
    scenario.cluster.create_service_account(team.name, "uploader")
    made = team.role("uploader", LIST, WRITE, **RETAIN)
    team.binding()
    team.pod()
    running = session_of(scenario, team, "app")
    name, before = team.aws_name(), team.in_aws()
    remove(name)
    policies = team.inline()
    mark = scenario.aws.recorder.mark()
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    left = in_aws(scenario, name)
    assert effects(left) == {"Deny"}
    assert tags(left) == {**tags(before), "deputy-retained": made["metadata"]["uid"]}
    for same in ("Arn", "RoleId", "MaxSessionDuration", "PermissionsBoundary"):
        assert left[same] == before[same], same
    assert scenario.iam().list_role_policies(RoleName=name)["PolicyNames"] == list(policies)
    about = [c.action for c in scenario.aws.recorder.calls(since=mark) if c.parameters.get("RoleName") == name]
    assert not [a for a in about if a.startswith(("Delete", "Detach"))], about
    team.wait_binding(status="False", reason="RoleNotFound")
    assert "does not exist" in team.wait_answer(403)["Message"], "what was there and is gone was revoked"
    # The same object again: the role that is there is its own, with the same ARN and unique id.
    again = team.role("uploader", READ, **RETAIN)
    team.wait_trusted()
    back = team.in_aws()
    assert (back["RoleName"], back["RoleId"]) == (name, before["RoleId"])
    assert tags(back) == {**tags(before), "deputy-uid": again["metadata"]["uid"]}
    wait_until(lambda: allowed(team) == [READ], "what the new object says", 15)
    assert may_read(running), "its ServiceAccount is bound, in the namespace that it was"
    team.wait_binding()
    team.wait_answer(200)
    # And with Delete it goes.
    scenario.admin.patch(team.role_path(), {"spec": {"deletionPolicy": "Delete"}})
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    assert in_aws(scenario, name) is None


def test_a_namespace_made_again_shares_no_session_with_the_former_one(scenario, new_team, remove):
    team = new_team(roles={"allowRetain": True})

    def granted() -> None:
        team.pod()
        team.role("uploader", READ, **RETAIN)
        team.binding()
        team.wait_trusted()

    granted()
    running = session_of(scenario, team, "app")
    name, before = team.aws_name(), team.in_aws()
    remove(name)
    # Before its binding, which would cut the sessions of whom it names.
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    scenario.cluster.delete_namespace(team.name)
    assert may_read(running), "sessions of a role that stays go on"
    scenario.cluster.create_namespace(team.name, {"deputy.dev/inject": "enabled"})
    granted()
    assert team.in_aws()["RoleId"] == before["RoleId"]
    assert not may_read(running), "whose pod is gone with its namespace"
    assert may_read(session_of(scenario, team, "app")), "the pod of the same name that there is now"
    sessions = scenario.admin.get(team.role_path())["status"]["sessions"]
    assert set(sessions["everybody"]) == {"before", "until"}


def test_a_role_stays_only_where_every_limit_gives_leave(scenario, new_team):
    team = new_team()
    wants = role(team.name, "uploader", READ, **RETAIN)
    error = scenario.refusal(wants)
    assert error.code == 403, error
    for part in (f"AWSRole {team.name}/uploader is refused", "spec.deletionPolicy", team.name, "roles.allowRetain"):
        assert part in error.message, error.message
    # Nor later on.
    team.role("uploader", READ)
    with pytest.raises(ApiError, match="allowRetain"):
        scenario.admin.patch(team.role_path(), {"spec": RETAIN})
    # Of two limits both have to.
    scenario.admin.patch(team.limit_path, {"spec": {"roles": {"allowRetain": True}}})
    team.another_limit("second", boundary={"type": "CheckOnly"})
    with pytest.raises(ApiError, match=f"{team.name}-second"):
        scenario.admin.patch(team.role_path(), {"spec": RETAIN})


def test_leave_that_is_taken_back_is_gone_when_the_role_is_deleted(scenario, new_team, remove):
    team = new_team(roles={"allowRetain": True})
    team.role("uploader", READ, **RETAIN)
    name = team.aws_name()
    remove(name)
    meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "10"}}, "spec": {"roles": None}}
    scenario.admin.patch(team.limit_path, meant)
    refused = scenario.wait(team.role_path(), "Accepted", "False", "Retain")
    assert team.name in refused["message"] and "allowRetain" in refused["message"], refused
    team.wait_role(status="False", reason="Suspended")
    assert in_aws(scenario, name) is not None, "a suspended role stays while its object does"
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    assert in_aws(scenario, name) is None


def test_another_object_of_its_name_takes_no_living_ones_role(scenario, new_team, remove):
    """What is retained is taken back by the object of its namespace and name, and by no other."""
    team, other = new_team(roles={"allowRetain": True}), new_team(roles={"allowRetain": True})
    team.role("uploader", READ, **RETAIN)
    name = team.aws_name()
    remove(name)
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    other.role("uploader", READ)
    assert other.aws_name() != name
    assert "deputy-retained" in tags(in_aws(scenario, name)) and effects(in_aws(scenario, name)) == {"Deny"}
