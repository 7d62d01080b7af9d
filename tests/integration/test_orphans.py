"""IAM roles without an object: found by a listing, told on the account, and back with their object."""

from rig.proc import wait_until

from .scenario import ACCOUNT, API, READ, role

PATH = f"{API}/awsaccounts/{ACCOUNT}"


def test_a_role_whose_finalizer_was_taken_off_is_told_and_comes_back_with_its_object(scenario, new_team):
    kept, team = new_team(), new_team()
    kept.granted("uploader", READ)
    team.granted("uploader", READ)
    name, before = team.aws_name(), team.in_aws()
    scenario.deputy.kill("controller")
    scenario.admin.patch(team.role_path(), {"metadata": {"finalizers": None}})
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    since = scenario.aws.recorder.mark()
    scenario.deputy.start_process("controller")

    def told() -> dict | None:
        status = scenario.admin.get(PATH).get("status", {})
        return next((o for o in status.get("orphans", {}).get("oldest", []) if o["roleARN"] == before["Arn"]), None)

    # The first listing begins a minute after the start.
    orphan = wait_until(told, "the orphan is told", 150)
    assert orphan["object"] == f"AWSRole {team.name}/uploader" and orphan["roleID"] == before["RoleId"]
    condition = scenario.wait(PATH, "Swept", "False", "Orphaned")
    assert "1 IAM roles have no object" in condition["message"]
    # It is not deleted yet.
    mine = {c.action for c in scenario.aws.recorder.calls(since=since) if c.parameters.get("RoleName") == name}
    assert mine <= {"GetRole", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies"}

    scenario.create(role(team.name, "uploader", READ))
    team.wait_role()
    assert team.in_aws()["RoleId"] == before["RoleId"], "it is the same role"
