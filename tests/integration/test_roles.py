"""Roles and boundary policies in AWS."""

import json

import pytest

from rig.apiclient import ApiError
from rig.aws import error_code, policy
from rig.proc import wait_until

from .scenario import ACCOUNT, API, LIST, READ, WRITE, binding, document, limit, role


def test_a_role_as_aws_has_it(scenario, team):
    mark = scenario.aws.recorder.mark()
    team.granted("uploader", LIST, WRITE)
    status = scenario.admin.get(team.role_path())["status"]
    found = team.in_aws()
    assert found["Path"] == "/deputy/demo/" and found["Arn"] == status["roleARN"]
    assert found["RoleId"] == status["roleID"] and found["MaxSessionDuration"] == 3600
    assert found["RoleName"].startswith(f"deputy.{team.name}"[:30])
    uid = scenario.admin.get(team.role_path())["metadata"]["uid"]
    assert {t["Key"]: t["Value"] for t in found["Tags"]} == {
        "deputy-cluster": "demo",
        "deputy-cluster-uid": scenario.admin.get("/api/v1/namespaces/kube-system")["metadata"]["uid"],
        "deputy-kind": "AWSRole",
        "deputy-namespace": team.name,
        "deputy-name": "uploader",
        "deputy-uid": uid,
    }
    boundary = scenario.admin.get(team.limit_path)["status"]["boundaries"][0]["policyARN"]
    assert boundary.startswith("arn:aws:iam::123456789012:policy/deputy/demo/limits/deputy-limit.")
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary == status["boundaryARN"]
    trust = {s["Action"]: s for s in found["AssumeRolePolicyDocument"]["Statement"]}
    for action in ("sts:AssumeRole", "sts:TagSession"):
        assert trust[action]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
        assert trust[action]["Condition"]["ArnEquals"] == {"aws:PrincipalArn": scenario.deputy.issuer_arn}
        equals = trust[action]["Condition"]["StringEquals"]
        assert equals["aws:RequestTag/deputy-namespace"] == team.name
        assert equals["aws:RequestTag/deputy-cluster"] == "demo"
    equals = trust["sts:AssumeRole"]["Condition"]["StringEquals"]
    assert equals["sts:ExternalId"] == f"demo/{team.name}/AWSRole/uploader"
    assert team.inline() == {"deputy": document(LIST, WRITE)}
    # Path, tags, boundary and trust come with the role; there is no moment without them.
    created = next(c for c in scenario.aws.recorder.calls("CreateRole", since=mark))
    assert created.parameters["PermissionsBoundary"] == boundary and created.parameters["Path"] == "/deputy/demo/"
    assert "Tags.member.6.Key" in created.parameters


def test_several_policies_become_one_inline_policy(scenario, team):
    manifest = role(team.name, "uploader", LIST)
    manifest["spec"]["policies"].append({"name": "more", "document": document(READ)})
    scenario.create(manifest)
    team.wait_role()
    assert team.inline() == {"deputy": document(LIST, READ)}


def test_a_role_without_a_binding_lets_nobody_in(scenario, team):
    team.role()
    team.wait_trusted(trusted=False)
    team.binding()
    team.wait_trusted()
    scenario.admin.delete(team.binding_path())
    team.wait_trusted(trusted=False)


def test_a_changed_role_is_changed_in_aws(scenario, team):
    team.granted("uploader", READ)
    scenario.admin.patch(
        team.role_path(),
        {"spec": {"maxSessionDuration": "3h", "policies": [{"name": "objects", "document": document(LIST)}]}},
    )
    wait_until(lambda: team.inline() == {"deputy": document(LIST)}, "the new policy", 15)
    wait_until(lambda: team.in_aws()["MaxSessionDuration"] == 10800, "the new duration", 15)
    team.wait_role()


def test_the_boundary_follows_its_limit_and_keeps_no_old_version(scenario, team):
    team.granted("uploader", READ)
    arn = scenario.admin.get(team.role_path())["status"]["boundaryARN"]
    for ceiling in (document(READ), document(READ, LIST)):
        scenario.admin.patch(team.limit_path, {"spec": {"ceiling": ceiling}})
        team.wait_limit()
        versions = scenario.iam().list_policy_versions(PolicyArn=arn)["Versions"]
        assert len(versions) == 1 and versions[0]["IsDefaultVersion"]
        found = scenario.iam().get_policy_version(PolicyArn=arn, VersionId=versions[0]["VersionId"])
        allowed = [s for s in _document(found)["Statement"] if s["Effect"] == "Allow"]
        assert [s["Action"] for s in allowed] == [s["Action"] for s in ceiling["Statement"]]
    team.wait_role()


def _document(version: dict) -> dict:
    found = version["PolicyVersion"]["Document"]
    return json.loads(found) if isinstance(found, str) else found


def test_a_narrowed_limit_suspends_and_a_widened_one_restores(scenario, team):
    team.granted("uploader", READ)
    before = team.in_aws()
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST)}})
    condition = team.wait_role(status="False", reason="Suspended")
    assert condition["message"]
    team.wait_trusted(trusted=False)
    accepted = scenario.wait(team.role_path(), "Accepted", "False", "ExceedsLimit")
    assert team.name in accepted["message"] and "s3:GetObject" in accepted["message"]
    assert team.in_aws()["RoleId"] == before["RoleId"], "the role stays"
    (statement,) = team.inline()["deputy"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "*"), "sessions that run are denied everything"
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST, READ)}})
    team.wait_role()
    team.wait_trusted()
    assert team.in_aws()["RoleId"] == before["RoleId"]
    assert team.inline() == {"deputy": document(READ)}


def test_a_role_moves_to_the_boundary_of_another_limit(scenario, team):
    team.granted("uploader", READ)
    old = team.in_aws()["PermissionsBoundary"]["PermissionsBoundaryArn"]
    # Two limits with a boundary can't apply together: the first one lets go in the same moment.
    scenario.admin.patch(
        team.limit_path,
        {
            "metadata": {"annotations": {"deputy.dev/accept-suspending": "10"}},
            "spec": {"namespaces": [f"{team.name}-elsewhere"]},
        },
    )
    team.wait_role(status="False", reason="Suspended")
    scenario.create(limit(f"{team.name}-2", [team.name], READ))
    team.wait_role()
    new = team.in_aws()["PermissionsBoundary"]["PermissionsBoundaryArn"]
    assert new != old and f"{team.name}-2" in new


def test_a_foreign_role_of_the_same_name_is_left_alone(scenario, team):
    team.granted("uploader", READ)
    name, iam = team.aws_name(), scenario.iam()
    _delete_role(scenario, team)
    theirs = policy({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName=name, Path="/deputy/demo/", AssumeRolePolicyDocument=theirs)
    try:
        mark = scenario.aws.recorder.mark()
        team.role("uploader", READ, wait=False)
        condition = team.wait_role(status="False", reason="Conflict")
        assert name in condition["message"] and "left alone" in condition["message"]
        about = [c for c in scenario.aws.recorder.calls(since=mark) if c.parameters.get("RoleName") == name]
        assert about and all(c.action.startswith(("Get", "List")) for c in about)
        assert not iam.get_role(RoleName=name)["Role"].get("Tags")
        # Nor is it deleted with the object.
        scenario.admin.delete(team.role_path())
        scenario.wait_gone(team.role_path())
        assert iam.get_role(RoleName=name)
    finally:
        iam.delete_role(RoleName=name)


def test_another_clusters_role_is_left_alone(scenario, team):
    team.role("uploader", READ)
    name, iam = team.aws_name(), scenario.iam()
    iam.tag_role(RoleName=name, Tags=[{"Key": "deputy-cluster", "Value": "other"}])
    scenario.admin.patch(team.role_path(), {"spec": {"maxSessionDuration": "2h"}})
    team.wait_role(status="False", reason="Conflict")
    assert iam.get_role(RoleName=name)["Role"]["MaxSessionDuration"] == 3600
    iam.tag_role(RoleName=name, Tags=[{"Key": "deputy-cluster", "Value": "demo"}])
    # It is looked at again now and then, and at once when its object changes.
    scenario.admin.patch(team.role_path(), {"spec": {"maxSessionDuration": "3h"}})
    team.wait_role()


def _delete_role(scenario, team, name: str = "uploader") -> None:
    scenario.admin.delete(team.role_path(name))
    scenario.wait_gone(team.role_path(name))


def test_a_deleted_role_goes_from_aws_in_iams_order(scenario, team):
    team.granted()
    team.wait_converged()
    name = team.aws_name()
    assert scenario.admin.get(team.role_path())["metadata"]["finalizers"] == ["deputy.dev/role"]
    # Somebody attached more, which IAM wants gone first.
    iam = scenario.iam()
    iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=policy(READ))
    mark = scenario.aws.recorder.mark()
    _delete_role(scenario, team)
    assert error_code(iam.get_role, RoleName=name) == "NoSuchEntity"
    writes = [w for w in scenario.writes(mark) if w.endswith(("Role", "RolePolicy"))]
    assert writes[-1] == "DeleteRole" and writes.count("DeleteRolePolicy") == 2
    assert not [c for c in scenario.aws.recorder.calls(since=mark) if c.error_code == "DeleteConflict"]


def test_the_boundary_policy_goes_after_its_limit(scenario, new_team):
    team = new_team()
    team.granted()
    arn = scenario.admin.get(team.role_path())["status"]["boundaryARN"]
    scenario.admin.patch(team.limit_path, {"metadata": {"annotations": {"deputy.dev/accept-suspending": "2"}}})
    scenario.admin.delete(team.limit_path)
    team.wait_trusted(trusted=False)
    # Still the boundary of a role: that one stays caged.
    assert scenario.iam().get_policy(PolicyArn=arn)
    _delete_role(scenario, team)
    wait_until(lambda: error_code(scenario.iam().get_policy, PolicyArn=arn) == "NoSuchEntity", "the policy gone", 20)


def test_a_policy_that_is_not_ours_is_never_swept(scenario, new_team):
    iam = scenario.iam()
    theirs = iam.create_policy(
        PolicyName="theirs", Path="/deputy/demo/limits/", PolicyDocument=policy(READ)
    )["Policy"]["Arn"]
    team = new_team()
    scenario.admin.delete(team.limit_path)
    wait_until(lambda: not [p for p in scenario.policies_in_aws() if team.name in p], "ours gone", 20)
    assert iam.get_policy(PolicyArn=theirs)
    iam.delete_policy(PolicyArn=theirs)


def test_a_limit_removed_while_the_webhook_is_down_suspends_and_comes_back(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    made = scenario.admin.get(team.limit_path)["spec"]
    scenario.deputy.processes["webhook"].stop()
    with pytest.raises(ApiError):
        scenario.admin.delete(team.limit_path)
    # An administrator in need takes the webhook away.
    with scenario.without_validation():
        scenario.admin.delete(team.limit_path)
        team.wait_role(status="False", reason="Suspended")
        team.wait_trusted(trusted=False)
        assert team.wait_answer(403)["Code"] in ("Suspended", "NotAccepted")
    scenario.deputy.start_process("webhook")
    scenario.create({**limit(team.name, [team.name]), "spec": made})
    team.wait_role()
    team.wait_trusted()
    team.wait_answer(200)


def test_an_account_that_is_gone_stops_its_roles_and_brings_them_back(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    spec = scenario.admin.get(f"{API}/awsaccounts/{ACCOUNT}")["spec"]
    with scenario.without_validation():
        scenario.admin.delete(f"{API}/awsaccounts/{ACCOUNT}")
        try:
            team.wait_role(status="False", reason="AccountNotFound")
            assert team.wait_answer(403)["Code"] == "NotAccepted"
            # Its deletion waits for the account, or nobody would know that the role is still there.
            scenario.admin.delete(team.role_path())
            scenario.wait(team.role_path(), "Ready", "False", "Deleting")
        finally:
            scenario.create({**scenario.account(), "spec": spec})
    scenario.wait(f"{API}/awsaccounts/{ACCOUNT}", "Ready", "True")
    scenario.wait_gone(team.role_path(), timeout=30)


def test_nothing_is_swept_because_of_a_second_account_object_of_the_same_id(scenario, new_team):
    team, other = new_team(), new_team()
    gov = scenario.account("production-gov", partition="aws-us-gov", region="us-gov-west-1")
    gov["spec"]["issuer"]["principalARN"] = "arn:aws-us-gov:iam::123456789012:user/deputy-broker"
    error = scenario.refusal(gov)
    assert error.code == 403 and "is AWSAccount production already" in error.message, error
    path = f"{API}/awsaccounts/production-gov"
    with scenario.without_validation():
        scenario.create(gov)
        try:
            condition = scenario.wait(path, "Ready", "False", "DuplicateAccount")
            assert "production" in condition["message"]
            scenario.wait(f"{API}/awsaccounts/{ACCOUNT}", "Ready", "True")
            # A limit that goes has everything swept that nothing explains.
            scenario.admin.delete(other.limit_path)
            wait_until(lambda: not [p for p in scenario.policies_in_aws() if other.name in p], "the other's gone", 30)
            assert [p for p in scenario.policies_in_aws() if team.name in p], "no role has it as its boundary, and it stays"
            team.role("gov", READ, wait=False, accountRef={"name": "production-gov"})
            team.wait_role("gov", "False")
            assert not [r for r in scenario.roles_in_aws() if team.name in r]
        finally:
            scenario.admin.delete(path)
    team.granted("uploader", READ)


def test_an_arn_of_another_partition_is_refused_with_the_right_spelling(scenario, new_team):
    team = new_team(limit=False)
    china = scenario.account("china", accountID="210987654321", partition="aws-cn", region="cn-north-1")
    china["spec"]["issuer"]["principalARN"] = "arn:aws-cn:iam::210987654321:user/deputy-broker"
    scenario.create(china)
    anything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    spec = {"accounts": ["china"], "boundary": {"type": "CheckOnly"}, "acknowledgeEscalation": ["s3:*"]}
    scenario.create(limit(team.name, [team.name], anything, **spec))

    def refused() -> bool:
        error = scenario.refusal(role(team.name, "uploader", READ, accountRef={"name": "china"}))
        return 'write "arn:aws-cn:s3:::productionapp/*" (Partition)' in error.message

    wait_until(refused, "the account known to the webhook", 10)
    # The identity that asks is of another account and partition.
    scenario.wait(f"{API}/awsaccounts/china", "Ready", "False", "AccountMismatch")
    scenario.admin.delete(team.limit_path)
    scenario.delete_account("china")


def test_the_accounts_tags_come_and_go_and_other_peoples_tags_stay(scenario, team):
    team.role("uploader", READ)
    boundary = scenario.admin.get(team.role_path())["status"]["boundaryARN"]
    theirs = [{"Key": "theirs", "Value": "x"}]
    scenario.iam().tag_role(RoleName=team.aws_name(), Tags=theirs)
    scenario.iam().tag_policy(PolicyArn=boundary, Tags=theirs)
    path = f"{API}/awsaccounts/{ACCOUNT}"

    def tags() -> list[dict]:
        of_policy = scenario.iam().list_policy_tags(PolicyArn=boundary)["Tags"]
        both = [{t["Key"]: t["Value"] for t in found} for found in (team.in_aws()["Tags"], of_policy)]
        return [{k: v for k, v in found.items() if not k.startswith("deputy-")} for found in both]

    def become(wanted: dict | None) -> None:
        scenario.admin.patch(path, {"spec": {"tags": wanted}})
        expected = {"theirs": "x", **{k: v for k, v in (wanted or {}).items() if v is not None}}
        # Each boundary policy takes five calls, at 20 a second for all there are.
        boundaries = len(scenario.admin.get(f"{API}/delegationlimits")["items"])
        wait_until(lambda: tags() == [expected] * 2, f"the tags {expected}", 20 + boundaries / 4)

    try:
        become({"cost-center": "one", "team": "platform"})
        # A restart remembers which of them are ours.
        scenario.deputy.restart("controller")
        scenario.deputy.restart("limits")
        become({"cost-center": "one", "team": None})
        # IAM knows a key by its letters in any case: the old spelling has to go first.
        become({"cost-center": None, "Cost-Center": "two"})
    finally:
        become(None)
    wait_until(lambda: "deputy-tags" not in str(team.in_aws()["Tags"]), "the list gone", 20)


def test_a_binding_of_a_refused_role_is_not_accepted(scenario, team):
    team.granted("uploader", READ)
    second = binding(team.name, "second", "uploader", "other", policy=document(READ))
    scenario.create(second)
    team.wait_binding("second")
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST)}})
    team.wait_role(status="False", reason="Suspended")
    for name in ("uploader", "second"):
        team.wait_binding(name, "False")
