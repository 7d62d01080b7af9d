"""Two clusters of one name, and a cluster that is restored."""

from rig.proc import wait_until

from .scenario import ACCOUNT, API, LIST, READ, document

FORMER = "0b6f2c1e-5d0a-4c6e-9a57-former000001"
TAG = "deputy-cluster-uid"


def uid(scenario) -> str:
    return scenario.admin.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]


def tags(found: list) -> dict:
    return {t["Key"]: t["Value"] for t in found}


def adopt_from(scenario, *uids: str) -> None:
    scenario.admin.patch(f"{API}/awsaccounts/{ACCOUNT}", {"spec": {"adoptFrom": list(uids) or None}})


def test_what_another_cluster_made_is_taken_over_when_the_account_says_so(scenario, team):
    team.granted("uploader", READ)
    iam, name = scenario.iam(), team.aws_name()
    before = team.in_aws()
    assert tags(before["Tags"])[TAG] == uid(scenario)
    iam.tag_role(RoleName=name, Tags=[{"Key": TAG, "Value": FORMER}])
    mark = scenario.aws.recorder.mark()
    scenario.admin.patch(team.role_path(), {"spec": {"maxSessionDuration": "2h"}})
    said = team.wait_role(status="False", reason="Conflict")["message"]
    assert FORMER in said and uid(scenario) in said and f"spec.adoptFrom: [{FORMER}]" in said
    # Nobody gets a session of it by this object, either.
    team.pod()
    team.wait_answer(503)
    mine = [c.action for c in scenario.aws.recorder.calls(since=mark) if c.parameters.get("RoleName") == name]
    assert not [action for action in mine if not action.startswith(("Get", "List"))]
    adopt_from(scenario, FORMER)
    try:
        team.wait_role(timeout=60)
        wait_until(lambda: tags(team.in_aws()["Tags"])[TAG] == uid(scenario), "it is this cluster's", 20)
        after = team.in_aws()
        assert (after["RoleId"], after["MaxSessionDuration"]) == (before["RoleId"], 7200)
        team.wait_answer(200)
    finally:
        adopt_from(scenario)


def test_what_another_cluster_made_is_not_deleted_with_an_object_of_its_name(scenario, team, remove):
    team.role("uploader", READ)
    name = team.aws_name()
    remove(name)
    scenario.iam().tag_role(RoleName=name, Tags=[{"Key": TAG, "Value": FORMER}])
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    left = scenario.iam().get_role(RoleName=name)["Role"]
    assert tags(left["Tags"])[TAG] == FORMER


def test_a_boundary_policy_of_another_cluster_is_left_alone(scenario, team):
    arn = scenario.admin.get(team.limit_path)["status"]["boundaries"][0]["policyARN"]
    iam = scenario.iam()
    assert tags(iam.get_policy(PolicyArn=arn)["Policy"]["Tags"])[TAG] == uid(scenario)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": TAG, "Value": FORMER}])
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST, READ)}})
    team.wait_limit(status="False", reason="Conflict")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == version
    adopt_from(scenario, FORMER)
    try:
        team.wait_limit(timeout=60)
        wait_until(lambda: tags(iam.get_policy(PolicyArn=arn)["Policy"]["Tags"])[TAG] == uid(scenario), "ours", 20)
    finally:
        adopt_from(scenario)


def test_objects_that_are_restored_find_their_roles(scenario, team):
    names = ["one", "two", "three"]
    for name in names:
        team.granted(name, READ)
    ids = {name: team.in_aws(name)["RoleId"] for name in names}
    kept = [scenario.admin.get(path(name)) for name in names for path in (team.role_path, team.binding_path)]
    # As when they are lost: nothing in AWS is looked at for that.
    scenario.deputy.processes["controller"].stop()
    for name in names:
        scenario.admin.patch(team.role_path(name), {"metadata": {"finalizers": None}})
        for path in (team.binding_path(name), team.role_path(name)):
            scenario.admin.delete(path)
    mark = scenario.aws.recorder.mark()
    for found in kept:
        meta = {k: found["metadata"][k] for k in ("name", "namespace")}
        scenario.create({k: found[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": meta})
    scenario.deputy.start_process("controller")
    for name in names:
        team.wait_role(name, timeout=60)
        team.wait_trusted(name, timeout=60)
        assert team.in_aws(name)["RoleId"] == ids[name]
    mine = [c for c in scenario.aws.recorder.calls("CreateRole", "DeleteRole", since=mark) if f".{team.name}." in c.parameters["RoleName"]]
    assert mine == []
