"""Roles that exist and are somebody else's: bound as they are, read and never written."""

import copy
import json

import pytest

from rig.apiclient import ApiError
from rig.aws import policy
from rig.proc import wait_until

from .scenario import ACCOUNT, BUCKET, EXISTING_PATH, LIST, READ, WRITE, binding, document, limit, role

OWN = "arn:aws:iam::123456789012:role"
PATTERN = f"{OWN}{EXISTING_PATH}*"
OWNERS = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": "terraform"}},
}


def existing(namespace: str, arn: str, name: str = "reports", **spec: object) -> dict:
    """An AWSRole that names a role which is there."""
    manifest = role(namespace, name)
    manifest["spec"] = {"accountRef": {"name": ACCOUNT}, "existing": {"roleARN": arn}, **spec}
    return manifest


@pytest.fixture
def theirs(scenario):
    """A role that somebody made, with rights to all of S3; its name."""
    iam, name = scenario.iam(), "reports-exporter"
    iam.create_role(Path=EXISTING_PATH, RoleName=name, AssumeRolePolicyDocument=policy(OWNERS), MaxSessionDuration=7200)
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=policy(everything))
    yield name
    iam.delete_role_policy(RoleName=name, PolicyName="everything")
    iam.delete_role(RoleName=name)


def look_again(team, why: str) -> None:
    """The controller looks every ten minutes by itself; one binding more makes it look now."""
    team.binding(f"look-{why}", "reports", "nobody", wait=False)


def test_a_role_that_exists_is_given_once_its_owner_lets_deputy_in(scenario, new_team, theirs):
    team = new_team(existingRoles=[PATTERN])
    iam, since = scenario.iam(), scenario.aws.recorder.mark()
    before = iam.get_role(RoleName=theirs)["Role"]
    scenario.create(existing(team.name, f"{OWN}{EXISTING_PATH}{theirs}"))
    path = team.role_path("reports")
    for condition in ("Ready", "Provisioned"):
        missing = scenario.wait(path, condition, "False", "TrustMissing")
        assert "status.trustStatement" in missing["message"], missing
    status = scenario.admin.get(path)["status"]
    assert status["roleARN"] == before["Arn"], status
    for name, session in (("whole", {}), ("narrow", {"policy": document(LIST)})):
        team.binding(name, "reports", name, wait=False, **session)
        team.pod(name, name)
        assert team.ask(name)[0] == 503, "its owner does not let Deputy in yet"
    # The owner pastes what the status says beside what is there, and takes it out again.
    statements = json.loads(status["trustStatement"])
    iam.update_assume_role_policy(RoleName=theirs, PolicyDocument=policy(OWNERS, *statements))
    look_again(team, "added")
    for condition in ("Ready", "Provisioned"):
        scenario.wait(path, condition, "True")
    assert scenario.admin.get(path)["status"]["maxSessionDuration"] == "2h"
    boundary = scenario.admin.get(team.limit_path)["status"]["boundaries"][0]["policyARN"]
    for name, says in (("whole", {"PolicyArns.member.1.arn": boundary}), ("narrow", {"Policy": document(LIST)})):
        team.wait_binding(name)
        mark = scenario.aws.recorder.mark()
        team.wait_answer(200, name)
        calls = [c for c in scenario.aws.recorder.calls("AssumeRole", since=mark) if c.parameters["RoleArn"] == before["Arn"]]
        assert calls, name
        for call in calls:
            passed = {k: v for k, v in call.parameters.items() if k.startswith("Polic")}
            if "Policy" in passed:
                passed["Policy"] = json.loads(passed["Policy"])
            assert passed == says, "a session carries exactly one policy"
    iam.update_assume_role_policy(RoleName=theirs, PolicyDocument=policy(OWNERS))
    look_again(team, "taken")
    scenario.wait(path, "Provisioned", "False", "TrustMissing")
    # Without the object it is as it was.
    scenario.admin.delete(path)
    scenario.wait_gone(path)
    after = iam.get_role(RoleName=theirs)["Role"]
    same = ("Arn", "RoleId", "MaxSessionDuration", "Tags", "PermissionsBoundary", "Description")
    assert all(before.get(k) == after.get(k) for k in same)
    about = [c.action for c in scenario.aws.recorder.calls(since=since) if c.parameters.get("RoleName") == theirs]
    assert set(about) == {"GetRole"}, "it is read and nothing else"


def test_a_role_that_is_not_there_is_said_and_found_once_it_is(scenario, new_team):
    team = new_team(existingRoles=[PATTERN])
    scenario.create(existing(team.name, f"{OWN}{EXISTING_PATH}reports-later"))
    path = team.role_path("reports")
    condition = scenario.wait(path, "Ready", "False", "NotInAWS")
    assert f"{OWN}{EXISTING_PATH}reports-later" in condition["message"], condition
    iam = scenario.iam()
    iam.create_role(Path=EXISTING_PATH, RoleName="reports-later", AssumeRolePolicyDocument=policy(OWNERS))
    try:
        look_again(team, "made")
        scenario.wait(path, "Ready", "False", "TrustMissing")
    finally:
        iam.delete_role(RoleName="reports-later")


def test_a_limit_that_takes_its_pattern_back_ends_sessions(scenario, new_team, theirs):
    team = new_team(existingRoles=[PATTERN])
    scenario.create(existing(team.name, f"{OWN}{EXISTING_PATH}{theirs}"))
    path = team.role_path("reports")
    scenario.wait(path, "Provisioned", "False", "TrustMissing")
    statements = json.loads(scenario.admin.get(path)["status"]["trustStatement"])
    scenario.iam().update_assume_role_policy(RoleName=theirs, PolicyDocument=policy(OWNERS, *statements))
    look_again(team, "added")
    scenario.wait(path, "Ready", "True")
    team.binding("reports", "reports", "reports", wait=False)
    team.pod("reports", "reports")
    team.wait_answer(200, "reports")
    meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "10"}}, "spec": {"existingRoles": None}}
    scenario.admin.patch(team.limit_path, meant)
    refused = scenario.wait(path, "Accepted", "False", "ExistingRole")
    assert "its existingRoles is empty" in refused["message"] and team.name in refused["message"], refused
    team.wait_answer(403, "reports")
    found = scenario.iam().get_role(RoleName=theirs)["Role"]["AssumeRolePolicyDocument"]
    found = json.loads(found) if isinstance(found, str) else found
    assert [s["Effect"] for s in found["Statement"]] == ["Allow"] * 3, "its trust policy stays its owner's"


NOT_FOR_ANYBODY = [
    (f"{OWN}/administrator", "does not allow the role", f"it allows {PATTERN}"),
    (f"{OWN}/deputy/demo/deputy.payments.x-aaaaaaaaaaaaaaaa", "is under /deputy/", "bind the AWSRole"),
    (f"{OWN}/deputy/other/x", "is under /deputy/", "bind the AWSRole"),
    (f"{OWN}/terraform/deputy-provisioner", "with which deputy controller writes roles", "could do all that Deputy may"),
    (f"{OWN}/terraform/Deputy-Boundary-Writer", "with which deputy limits writes", "could do all that Deputy may"),
    (f"{OWN}/terraform/deputy-broker", "with which deputy broker makes sessions", "could do all that Deputy may"),
    (f"{OWN}/terraform/deputy-controller", "becomes provisioner or boundary writer", "could do all that Deputy may"),
    (f"{OWN}/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", "under /aws-service-role/", "service of AWS"),
    ("arn:aws:iam::999999999999:role/terraform/x", "is a role of account 999999999999", "is account 123456789012"),
    ("arn:aws-cn:iam::123456789012:role/terraform/x", "is of partition aws-cn", "is in aws"),
]


def test_a_role_that_may_not_be_bound_is_refused_and_says_why(scenario, new_team):
    team = new_team(existingRoles=[PATTERN])
    scenario.try_create(existing(team.name, f"{OWN}{EXISTING_PATH}x"))
    for arn, what, instead in NOT_FOR_ANYBODY:
        error = scenario.refusal(existing(team.name, arn))
        assert error.code == 403, arn
        for part in (f"AWSRole {team.name}/reports is refused", "spec.existing.roleARN", arn, what, instead):
            assert part in error.message, f"{arn}: {error.message}"
    nothing = new_team()
    error = scenario.refusal(existing(nothing.name, f"{OWN}{EXISTING_PATH}x"))
    assert "it allows no role that exists (its existingRoles is empty)" in error.message


def test_a_session_of_a_role_that_exists_stays_within_the_limit_by_itself(scenario, new_team):
    team = new_team(existingRoles=[PATTERN])
    scenario.create(existing(team.name, f"{OWN}{EXISTING_PATH}x"))
    elsewhere = document({**READ, "Resource": "arn:aws:s3:::customer-records/*"})
    error = scenario.refusal(binding(team.name, "wide", "reports", "reports", policy=elsewhere))
    assert "spec.session.policy.Statement[0]" in error.message and f"arn:aws:s3:::{BUCKET}/*" in error.message, error
    read_only = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    error = scenario.refusal(binding(team.name, "arns", "reports", "reports", policyARNs=[read_only]))
    assert "spec.session.policyARNs" in error.message, error
    assert "held by its session policy alone" in error.message, error


UNIONS = [
    ({"policies": [{"name": "a", "document": document(READ)}]}, "are its owner's: leave them out"),
    ({"managedPolicyARNs": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}, "are its owner's: leave them out"),
    ({"maxSessionDuration": "2h"}, "are its owner's: leave them out"),
    ({"deletionPolicy": "Retain"}, "are its owner's: leave them out"),
    ({"existing": None}, "unless existing names a role that exists"),
    ({"existing": {}}, "spec.existing.roleARN: Required value"),
    ({"existing": {"roleARN": "reports"}}, "should match"),
    ({"existing": {"roleARN": f"{OWN}/a"}, "policies": []}, "should have at least 1 items"),
    ({"existing": {"roleARN": "arn:aws:iam::123456789012:user/a"}}, "should match"),
]


@pytest.mark.parametrize(("more", "says"), UNIONS, ids=[str(list(m)) + s[:12] for m, s in UNIONS])
def test_a_role_is_made_or_exists_and_never_both(scenario, more, says):
    bad = copy.deepcopy(existing("default", f"{OWN}{EXISTING_PATH}x"))
    bad["spec"] = {k: v for k, v in {**bad["spec"], **more}.items() if v is not None}
    error = scenario.refusal(bad)
    assert error.code == 422 and says in error.message, error


def test_a_role_does_not_become_another_one(scenario, new_team):
    team = new_team(existingRoles=[PATTERN])
    scenario.create(existing(team.name, f"{OWN}{EXISTING_PATH}x"))
    team.role("made", READ)
    made = [{"name": "objects", "document": document(WRITE)}]
    for name, spec, says in [
        ("reports", {"existing": {"roleARN": f"{OWN}{EXISTING_PATH}y"}}, "roleARN is immutable"),
        ("reports", {"existing": None, "policies": made}, "two roles: make another AWSRole"),
        ("made", {"existing": {"roleARN": f"{OWN}{EXISTING_PATH}x"}, "policies": None}, "two roles: make another AWSRole"),
    ]:
        with pytest.raises(ApiError) as error:
            scenario.admin.patch(team.role_path(name), {"spec": spec})
        assert error.value.code == 422 and says in error.value.message, error.value


def test_patterns_of_a_limit_are_arns_of_roles(scenario):
    for pattern in ("*", "terraform/*", f"{OWN}/a b", "arn:aws:iam::123456789012:user/*", ""):
        error = scenario.refusal(limit("patterns", ["patterns"], existingRoles=[pattern]))
        assert error.code == 422 and "spec.existingRoles[0]" in error.message, error


def test_its_trust_is_asked_about_only_where_it_is_accepted(scenario, new_team, theirs):
    team = new_team(limit=False)
    mark = scenario.aws.recorder.mark()
    scenario.create(existing(team.name, f"{OWN}{EXISTING_PATH}{theirs}"))
    scenario.wait(team.role_path("reports"), "Accepted", "False", "NoLimit")
    team.limit(existingRoles=[PATTERN])
    scenario.wait(team.role_path("reports"), "Provisioned", "False", "TrustMissing")
    asked = [c.action for c in scenario.aws.recorder.calls(since=mark) if c.parameters.get("RoleName") == theirs]
    wait_until(lambda: asked, "it was read", 1)
    assert set(asked) == {"GetRole"}
