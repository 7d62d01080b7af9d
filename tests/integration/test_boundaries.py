"""A limit whose boundary somebody else writes."""

import json

from rig.proc import wait_until

from .scenario import ELSEWHERE, LIST, READ, REFERENCED, WRITE, document, limit, role


def test_a_boundary_of_somebody_else_is_one_while_it_stays_within_the_limit(scenario, new_team):
    iam = scenario.iam()

    def edit(statement: dict, longest: str) -> None:
        """A new version; and a change of the limit, so that it is read at once and not within five minutes."""
        text = json.dumps(document(statement))
        iam.create_policy_version(PolicyArn=REFERENCED, PolicyDocument=text, SetAsDefault=True)
        scenario.admin.patch(team.limit_path, {"spec": {"session": {"maxDuration": longest}}})

    text = json.dumps(document(LIST, READ))
    assert iam.create_policy(PolicyName="reference-boundary", PolicyDocument=text)["Policy"]["Arn"] == REFERENCED
    team = new_team(ceiling=(LIST, WRITE), boundary={"type": "Reference", "policyARN": REFERENCED})
    [there] = scenario.admin.get(team.limit_path)["status"]["boundaries"]
    assert (there["policyARN"], there["within"], there["versionID"]) == (REFERENCED, True, "v1")
    assert "sealed" not in there
    team.role("uploader", READ)
    made = scenario.admin.get(team.role_path())["status"]
    assert made["boundaryARN"] == REFERENCED
    name = made["roleARN"].rpartition("/")[2]
    in_aws = iam.get_role(RoleName=name)["Role"]
    assert in_aws["PermissionsBoundary"]["PermissionsBoundaryArn"] == REFERENCED

    edit(ELSEWHERE, "2h")
    condition = team.wait_limit("False", "BoundaryExceedsLimit")
    assert "version v2" in str(condition) and "s3:GetObject on arn:aws:s3:::customer-records/" in str(condition)
    # Nothing new is made under it.
    scenario.create(role(team.name, "late", READ))
    team.wait_role("late", "False", "BoundaryNotReady")

    edit(READ, "1h")
    team.wait_limit()
    team.wait_role("late")
    team.wait_role("uploader")


def test_a_boundary_of_another_account_and_one_that_is_not_there_are_said(scenario, new_team):
    team = new_team(limit=False)
    spec = {"type": "Reference", "policyARN": "arn:aws:iam::210987654321:policy/reference-boundary"}
    error = scenario.refusal(limit(team.name, [team.name], boundary=spec))
    assert "spec.boundary.policyARN" in str(error.status) and "123456789012" in error.message
    for wrong in ({"type": "Reference"}, {"type": "Generated", "policyARN": REFERENCED}, {"policyARN": REFERENCED}):
        error = scenario.refusal(limit(team.name, [team.name], boundary=wrong))
        assert "policyARN is for type Reference, which needs it" in error.message, error.message


def test_what_a_limit_has_no_more_is_not_in_its_status(scenario, team):
    assert scenario.admin.get(team.limit_path)["status"]["boundaries"]
    scenario.admin.patch(team.limit_path, {"spec": {"boundary": {"type": "CheckOnly"}}})
    wait_until(lambda: "boundaries" not in scenario.admin.get(team.limit_path)["status"], "no boundary", 20)
