"""Kinds of cases that people reported of this class of tools, on the API server: what is taken, what is refused, what is said."""

import pytest

from .scenario import BUCKET, LIST, READ, WRITE, Team, binding, document, limit, role

OBJECTS = f"arn:aws:s3:::{BUCKET}/*"
ANYTHING = {"Effect": "Allow", "Action": ["s3:*", "sqs:*", "ec2:*", "elasticloadbalancing:*"], "Resource": "*"}


def allow(action, resource, **more: object) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.fixture(scope="module")
def wide(scenario):
    """A namespace that may have nearly anything, so that all that is said is a finding."""
    team = Team(scenario, "public-cases", ceiling=(ANYTHING,), acknowledgeEscalation=ANYTHING["Action"])
    yield team
    scenario.heal()
    team.leave()


# What nobody means, by kind: the statement, and what the warning says.
FINDINGS = {
    "an action of the API that IAM does not have": (allow(["s3:GetObject", "s3:ListObjectsV2"], OBJECTS), "s3:ListObjectsV2"),
    "an action with a typing error": (allow("s3:GetObjekt", OBJECTS), "did you mean"),
    "an action of buckets on objects only": (allow("s3:ListBucket", OBJECTS), "s3:ListBucket"),
    "a variable as Terraform writes it": (allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/&{{aws:username}}/*"), "&{"),
    "a condition key that no service has": (
        allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", Condition={"StringLike": {"s3:prefixx": "a/*"}}),
        "s3:prefixx",
    ),
    "an account id that Helm printed as a number": (
        allow("sqs:SendMessage", "arn:aws:sqs:us-east-1:1.23456789012e+11:orders"),
        "1.23456789012e+11",
    ),
}


@pytest.mark.parametrize("what", FINDINGS)
def test_what_nobody_means_is_taken_with_a_warning_that_names_it(scenario, wide, what):
    statement, says = FINDINGS[what]
    warnings = scenario.try_create(role(wide.name, "odd", statement))
    found = [w for w in warnings if says in w]
    assert found and all(w.startswith("AWSRole odd: policies[0] Statement[0]") for w in found), warnings
    ceiling = scenario.try_create(limit("odd", ["somewhere"], statement))
    assert any(w.startswith("DelegationLimit odd: ceiling Statement[0]") and says in w for w in ceiling), ceiling


# What real controllers have, in our words: within a limit that says the same.
CONTROLLERS = {
    "a load balancer controller": [
        allow(
            ["ec2:CreateSecurityGroup", "ec2:CreateTags"],
            ["arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:*:security-group/*"],
            Condition={"Null": {"aws:RequestTag/elbv2.k8s.aws/cluster": "false"}},
        ),
        allow(
            ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
            "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*",
        ),
    ],
    "a node autoscaler": [
        allow(
            "ec2:TerminateInstances",
            "arn:aws:ec2:*:*:instance/*",
            Condition={"StringLike": {"aws:ResourceTag/autoscaler.example/node-pool": "*"}},
        ),
        allow("ec2:DescribeInstances", "*"),
    ],
}


@pytest.mark.parametrize("what", CONTROLLERS)
def test_the_policies_of_real_controllers_are_within_a_limit_that_says_the_same(scenario, new_team, what):
    statements = CONTROLLERS[what]
    team = new_team(ceiling=tuple(statements))
    assert scenario.try_create(role(team.name, "controller", *statements)) == []
    without = [{k: v for k, v in statements[0].items() if k != "Condition"}, statements[1]]
    error = scenario.refusal(role(team.name, "controller", *without))
    assert "its Statement[0] allows that only with" in error.message, error.message


def test_one_limit_for_all_namespaces_by_the_tag_of_deputy(scenario, new_team):
    of_namespace = allow("sqs:SendMessage", "arn:aws:sqs:*:*:${aws:PrincipalTag/deputy-namespace}-*")
    team = new_team(ceiling=(of_namespace,))
    own = allow("sqs:SendMessage", f"arn:aws:sqs:ap-northeast-1:123456789012:{team.name}-orders")
    team.role("uploader", own)
    assert team.inline()["deputy"]["Statement"] == [own]
    other = allow("sqs:SendMessage", "arn:aws:sqs:ap-northeast-1:123456789012:other-orders")
    assert f"only on arn:aws:sqs:*:*:{team.name}-*" in scenario.refusal(role(team.name, "other", other)).message


def test_a_bucket_and_its_objects_in_one_statement(scenario, team):
    both = allow(["s3:ListBucket", "s3:GetObject"], [f"arn:aws:s3:::{BUCKET}", OBJECTS])
    team.role("uploader", both)
    error = scenario.refusal(role(team.name, "more", allow(["s3:ListBucket", "s3:GetObjectAcl"], both["Resource"])))
    assert f"grants s3:GetObjectAcl on arn:aws:s3:::{BUCKET}/" in error.message


def test_a_session_policy_that_only_takes_away(scenario, team):
    team.role("uploader", LIST, WRITE)
    takes_away = document(allow("*", "*"), {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"})
    team.binding(policy=takes_away)


def test_every_statement_that_exceeds_is_listed_at_once(scenario, team):
    wants = [READ, allow("dynamodb:*", "*"), allow(["s3:GetObject", "s3:GetObjectAcl"], OBJECTS), allow("kms:Decrypt", "*")]
    error = scenario.refusal(role(team.name, "greedy", *wants))
    fields = [c["field"].removeprefix("spec.policies[0].document.") for c in error.status["details"]["causes"]]
    assert fields == ["Statement[1]", "Statement[2].Action[1]", "Statement[3]"], error.message
    details = error.status["details"]
    assert (details["kind"], details["name"]) == ("AWSRole", "greedy")


def test_a_prefix_with_and_without_its_slash(scenario, new_team):
    bucket = f"arn:aws:s3:::{BUCKET}"

    def below(prefix: str) -> dict:
        return allow("s3:ListBucket", bucket, Condition={"StringLike": {"s3:prefix": prefix}})

    team = new_team(ceiling=(below("warehouse/orders/*"),))
    assert scenario.try_create(role(team.name, "lister", below("warehouse/orders/*"))) == []
    error = scenario.refusal(role(team.name, "lister", below("warehouse/orders*")))
    assert 'its Statement[0] allows that only with StringLike s3:prefix "warehouse/orders/*"' in error.message


def test_an_account_that_is_not_there_is_said_so_with_those_that_are_meant(scenario, team):
    wants = role(team.name, "lost", READ)
    wants["spec"]["accountRef"]["name"] = "prod"
    warnings = scenario.try_create(wants)
    assert any("there is no such AWSAccount" in w and "are for: production" in w for w in warnings), warnings
    bound = binding(team.name, "lost", "nobody", "nobody")
    assert any("does not exist" in w for w in scenario.try_create(bound))
