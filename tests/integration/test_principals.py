"""Users and roles of AWS as subjects. The double keeps a trust policy as it is written; what AWS makes of one is written by hand here."""

import copy
import json

import pytest

from rig.proc import wait_until

from .scenario import READ, binding
from .test_faults import of

DEPLOY = "arn:aws:iam::999999999999:role/ci/deploy"
OTHER = "arn:aws:iam::999999999999:role/ci/other"
ALICE = "arn:aws:iam::123456789012:user/alice"
GONE = "AROADBQP57FF2AEXAMPLE"
RULES = [{"match": ["arn:aws:iam::999999999999:*", "arn:aws:iam::123456789012:*"]}]


def subject(arn: str, **more: object) -> dict:
    return {"kind": "AWSPrincipal", "arn": arn, **more}


def bound(team, *subjects: dict) -> dict:
    """A binding of the role for these."""
    manifest = binding(team.name, "uploader", "uploader")
    manifest["spec"]["subjects"] = list(subjects)
    return manifest


@pytest.fixture
def partners(new_team):
    """A namespace with a role, whose limit allows principals of two accounts."""
    team = new_team(principals=RULES)
    team.role("uploader", READ)
    return team


def trusted(team) -> dict[str, dict]:
    """The statements that trust somebody, by whom."""
    statements = team.in_aws()["AssumeRolePolicyDocument"]["Statement"]
    return {s["Principal"]["AWS"]: s for s in statements if s["Effect"] == "Allow"}


def as_aws_shows(team, arn: str, shown: str) -> None:
    """The trust policy with an id in place of an ARN, as AWS shows it when the principal was deleted, and perhaps made again."""
    team.wait_converged()
    document = team.in_aws()["AssumeRolePolicyDocument"]
    text = json.dumps(document)
    assert f'"{arn}"' in text, text
    team.scenario.iam().update_assume_role_policy(
        RoleName=team.aws_name(), PolicyDocument=text.replace(f'"{arn}"', f'"{shown}"')
    )


def left_out(team) -> list[dict]:
    return team.admin.get(team.role_path())["status"].get("leftOutPrincipals", [])


def test_a_user_and_a_role_are_trusted_by_what_they_have_to_show(scenario, partners):
    scenario.create(bound(partners, subject(DEPLOY, externalID="acme-7"), subject(ALICE, requireMFA=True)))
    partners.wait_binding()
    found = trusted(partners)
    assert set(found) == {DEPLOY, ALICE}
    assert found[DEPLOY]["Condition"] == {"StringEquals": {"sts:ExternalId": "acme-7"}}
    assert found[ALICE]["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    # By the Sid it is known whose id it was, once AWS shows that alone.
    assert len({s["Sid"] for s in found.values()}) == 2 and all(s["Sid"].startswith("P") for s in found.values())
    status = scenario.admin.get(partners.binding_path())["status"]
    (statement,) = json.loads(status["callerPolicy"])["Statement"]
    assert statement["Action"] == "sts:AssumeRole" and statement["Resource"] == status["roleARN"]
    assert left_out(partners) == []


def test_one_that_was_replaced_is_out_until_its_subject_says_so(scenario, partners):
    scenario.create(bound(partners, subject(DEPLOY), subject(ALICE)))
    partners.wait_binding()
    as_aws_shows(partners, DEPLOY, GONE)
    # What was seen right in AWS is not looked at again at once, unless somebody asks for it.
    partners.ask_for_a_look()
    condition = partners.wait_binding(status="False", reason="PrincipalReplaced", timeout=40)
    assert DEPLOY in condition["message"] and f"replaces: {GONE}" in condition["message"]
    assert set(trusted(partners)) == {ALICE}
    assert left_out(partners) == [{"arn": DEPLOY, "id": GONE, "reason": "PrincipalReplaced"}]
    said = scenario.wait(partners.role_path(), "PrincipalReplaced", "True", "PrincipalReplaced")
    assert GONE in said["message"]
    partners.wait_role()

    # What is noted down goes when nobody names the ARN any more.
    scenario.admin.delete(partners.binding_path())
    partners.wait_trusted(trusted=False)
    assert GONE not in json.dumps(partners.in_aws()["AssumeRolePolicyDocument"])


def test_what_is_noted_down_outlives_a_suspension_and_ends_with_replaces(scenario, partners):
    scenario.create(bound(partners, subject(DEPLOY), subject(ALICE)))
    partners.wait_binding()
    as_aws_shows(partners, DEPLOY, GONE)
    meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "1000"}}}
    scenario.admin.patch(partners.limit_path, {**meant, "spec": {"principals": []}})
    partners.wait_trusted(trusted=False)
    wait_until(lambda: GONE in json.dumps(partners.in_aws()["AssumeRolePolicyDocument"]), "the id is noted down", 20)
    scenario.admin.patch(partners.limit_path, {"spec": {"principals": RULES}})
    partners.wait_binding(status="False", reason="PrincipalReplaced", timeout=40)
    assert set(trusted(partners)) == {ALICE}

    another = [subject(DEPLOY, replaces="AROAANOTHER7FF2AEXAMPLE"), subject(ALICE)]
    scenario.admin.patch(partners.binding_path(), {"spec": {"subjects": another}})
    partners.wait_binding(status="False", reason="PrincipalReplaced")
    assert set(trusted(partners)) == {ALICE}
    knowing = [subject(DEPLOY, replaces=GONE), subject(ALICE)]
    scenario.admin.patch(partners.binding_path(), {"spec": {"subjects": knowing}})
    partners.wait_binding()
    assert set(trusted(partners)) == {DEPLOY, ALICE} and left_out(partners) == []
    assert GONE not in json.dumps(partners.in_aws()["AssumeRolePolicyDocument"])


def test_one_whom_aws_does_not_know_keeps_nobody_else_out(scenario, partners):
    mine = of(partners)
    refused = scenario.aws.recorder.inject(
        "UpdateAssumeRolePolicy",
        when=lambda call: mine(call) and DEPLOY in call.get("PolicyDocument", ""),
        code="MalformedPolicyDocument",
        message=f'Invalid principal in policy: "AWS":"{DEPLOY}"',
        status=400,
    )
    scenario.create(bound(partners, subject(DEPLOY), subject(OTHER), subject(ALICE)))
    condition = partners.wait_binding(status="False", reason="InvalidPrincipal")
    assert f"AWS does not know {DEPLOY}" in condition["message"] and refused.hits
    assert set(trusted(partners)) == {OTHER, ALICE}
    assert left_out(partners) == [{"arn": DEPLOY, "reason": "InvalidPrincipal"}]
    scenario.wait(partners.role_path(), "Provisioned", "False", "InvalidPrincipal")
    scenario.aws.recorder.clear_faults()
    # It is there now: a change of the binding is looked at at once.
    scenario.admin.patch(partners.binding_path(), {"spec": {"subjects": [subject(DEPLOY), subject(ALICE)]}})
    partners.wait_binding()
    assert set(trusted(partners)) == {DEPLOY, ALICE} and left_out(partners) == []


BAD = {
    "a second factor of a role": (subject(DEPLOY, requireMFA=True), "requireMFA is for users and accounts"),
    "a user's id of a role": (subject(DEPLOY, replaces="AIDADBQP57FF2AEXAMPLE"), "AROA… beside a role"),
    "a role's id of a user": (subject(ALICE, replaces=GONE), "AIDA… beside a user"),
    "an id of an account": (subject("999999999999", replaces=GONE), "nothing beside an account"),
    "no id": (subject(DEPLOY, replaces="deploy"), "replaces"),
    "an id of a ServiceAccount": ({"kind": "ServiceAccount", "name": "uploader", "replaces": GONE}, "replaces are of AWSPrincipal"),
    "every role": (subject("arn:aws:iam::999999999999:role/*"), "no wildcard"),
    "everybody": (subject("*"), "arn"),
    "a session": (subject("arn:aws:sts::999999999999:assumed-role/deploy/x"), "the role instead of one of its sessions"),
    "a service": (subject("ec2.amazonaws.com"), "no service"),
    "a group": (subject("arn:aws:iam::999999999999:group/admins"), "no wildcard, no service"),
    "an account that no rule names": (subject("arn:aws:iam::888888888888:role/deploy"), "is not among the subjects of limit"),
    "the issuer": (subject("arn:aws:iam::123456789012:user/deputy-broker"), "has the name of the issuer"),
    "what writes roles": (subject("arn:aws:iam::123456789012:role/deputy-provisioner"), "has the name of the provisioner"),
    "a role of Deputy's": (subject("arn:aws:iam::123456789012:role/deputy/demo/deputy.a.b-c"), "is under /deputy/"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_can_not_be_a_subject_is_refused(scenario, partners, what):
    bad, words = BAD[what]
    refused = scenario.refusal(bound(partners, copy.deepcopy(bad)))
    assert words in refused.message, refused.message
