"""Managed policies of roles and sessions: which may be had, what comes of them in AWS, and what is said of their content."""

import copy

import pytest

from rig.apiclient import ApiError
from rig.aws import Credentials, error_code, policy
from rig.proc import wait_until

from .scenario import BUCKET, LIST, READ, WRITE, collection, document, role
from .test_faults import of

OWN = "arn:aws:iam::123456789012:policy"


@pytest.fixture
def reader(scenario, request):
    """A customer-managed policy that reads the bucket and, beyond every limit here, lists queues."""
    iam = scenario.iam()
    name = f"reader-{request.node.originalname[-20:]}"
    arn = iam.create_policy(
        PolicyName=name,
        PolicyDocument=policy(READ, {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}),
    )["Policy"]["Arn"]
    yield arn
    for entity in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]:
        iam.detach_role_policy(RoleName=entity["RoleName"], PolicyArn=arn)
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=arn)


def attached(team, name: str = "uploader") -> list[str]:
    found = team.scenario.iam().list_attached_role_policies(RoleName=team.aws_name(name))["AttachedPolicies"]
    return sorted(p["PolicyArn"] for p in found)


def managed_role(team, *arns: str, **spec: object) -> dict:
    """A role with managed policies alone."""
    manifest = role(team.name, "uploader", managedPolicyARNs=list(arns), **spec)
    if "policies" not in spec:
        del manifest["spec"]["policies"]
    return manifest


def managed_team(scenario, new_team, reader: str):
    """A namespace whose role has this managed policy alone, and lets the ServiceAccount in."""
    team = new_team(managedPolicies=[f"{OWN}/reader-*"])
    team.cluster.create_service_account(team.name, "uploader")
    scenario.create(managed_role(team, reader))
    team.binding(wait=False)
    team.wait_role()
    team.wait_trusted()
    return team


def test_a_managed_policy_is_attached_used_and_capped(scenario, new_team, reader):
    team = managed_team(scenario, new_team, reader)
    assert attached(team) == [reader] and team.inline() == {}
    capped = scenario.wait(team.role_path(), "CappedByBoundary", "True", "Capped")
    assert f"{reader} allows sqs:ListQueues" in capped["message"], capped

    team.pod()
    credentials = team.wait_answer(200)
    s3 = s3_of(scenario, credentials)
    assert s3.get_object(Bucket=BUCKET, Key="report.txt")["Body"].read() == b"numbers"
    assert error_code(s3.put_object, Bucket=BUCKET, Key="x", Body=b"") == "AccessDenied"

    # To own policies and back, and all goes with the role.
    own = [{"name": "objects", "document": document(LIST)}]
    scenario.admin.patch(team.role_path(), {"spec": {"policies": own, "managedPolicyARNs": None}})
    wait_until(lambda: attached(team) == [] and team.inline() == {"deputy": document(LIST)}, "own policies alone", 20)
    scenario.wait(team.role_path(), "Ready", "True")
    scenario.admin.patch(team.role_path(), {"spec": {"policies": None, "managedPolicyARNs": [reader]}})
    wait_until(lambda: attached(team) == [reader] and team.inline() == {}, "the managed policy alone", 20)
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())


def s3_of(scenario, body: dict):
    """S3 as a session that the broker gave."""
    return scenario.aws.client("s3", Credentials(body["AccessKeyId"], body["SecretAccessKey"], body["Token"]))


def test_a_session_that_runs_ends_when_its_role_is_suspended(scenario, new_team, reader):
    """Its managed policy stays attached, and the boundary still allows what it allows: the deny alone stops it."""
    team = managed_team(scenario, new_team, reader)
    team.pod()
    s3 = s3_of(scenario, team.wait_answer(200))
    assert s3.get_object(Bucket=BUCKET, Key="report.txt")["Body"].read() == b"numbers"
    scenario.admin.patch(team.limit_path, {"spec": {"managedPolicies": None}})
    team.wait_role(status="False", reason="Suspended")
    assert attached(team) == [reader]
    wait_until(lambda: error_code(s3.get_object, Bucket=BUCKET, Key="report.txt") == "AccessDenied", "denied", 10)
    # Accepted again, it goes on.
    scenario.admin.patch(team.limit_path, {"spec": {"managedPolicies": [f"{OWN}/reader-*"]}})
    team.wait_role()
    assert team.inline() == {}
    assert s3.get_object(Bucket=BUCKET, Key="report.txt")["Body"].read() == b"numbers"


def test_a_policy_that_somebody_edits_changes_one_condition_and_nothing_else(scenario, new_team, reader):
    team = new_team(managedPolicies=[f"{OWN}/reader-*"])
    scenario.create(managed_role(team, reader))
    team.wait_role()
    scenario.wait(team.role_path(), "CappedByBoundary", "True", "Capped")
    edited = policy(READ)
    scenario.iam().create_policy_version(PolicyArn=reader, PolicyDocument=edited, SetAsDefault=True)
    since = scenario.aws.recorder.mark()
    # What was read is kept for an hour, by the process.
    scenario.deputy.restart("controller")
    team.ask_for_a_look()
    scenario.wait(team.role_path(), "CappedByBoundary", "False", "NotCapped")
    team.wait_role()
    calls = [c.action for c in scenario.aws.recorder.calls(since=since) if of(team)(c.parameters)]
    assert calls and all(action.startswith(("Get", "List")) for action in calls), calls


def test_a_policy_that_does_not_exist_is_said_and_holds_up_nothing_else(scenario, new_team):
    team = new_team(managedPolicies=[f"{OWN}/*"])
    absent = f"{OWN}/{team.name}/absent"
    own = [{"name": "objects", "document": document(READ)}]
    # The double attaches also what is not there.
    message = f"Policy {absent} does not exist or is not attachable."
    fault = scenario.aws.recorder.inject("AttachRolePolicy", when=of(team), code="NoSuchEntity", status=404, message=message)
    scenario.create(managed_role(team, absent, policies=own))
    team.binding(wait=False)
    condition = team.wait_role(status="False", reason="PolicyNotFound")
    assert absent in condition["message"] and fault.hits, condition
    assert team.inline() == {"deputy": document(READ)} and attached(team) == []
    team.wait_trusted()
    team.pod()
    team.wait_answer(200)
    scenario.wait(team.role_path(), "CappedByBoundary", "Unknown", "PolicyNotFound")

    iam = scenario.iam()
    iam.create_policy(PolicyName="absent", Path=f"/{team.name}/", PolicyDocument=policy(READ))
    scenario.aws.recorder.clear_faults()
    # It is looked at after ten minutes, or when its object changes.
    scenario.admin.patch(team.role_path(), {"spec": {"maxSessionDuration": "2h"}})
    team.wait_role()
    assert attached(team) == [absent]
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path())
    iam.delete_policy(PolicyArn=absent)


def test_what_no_limit_names_is_refused_and_says_what_one_names(scenario, new_team):
    team = new_team(managedPolicies=["arn:aws:iam::aws:policy/AmazonS3*"])
    allowed = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    scenario.try_create(managed_role(team, allowed))
    for arn, says in [
        ("arn:aws:iam::aws:policy/AdministratorAccess", "it allows arn:aws:iam::aws:policy/AmazonS3*"),
        ("arn:aws:iam::999999999999:policy/AmazonS3", "of AWS account 999999999999"),
        (f"{OWN}/deputy/demo/limits/x", "Deputy's own"),
        ("arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess", "partition aws-cn"),
    ]:
        error = scenario.refusal(managed_role(team, allowed, arn))
        assert error.code == 403 and says in error.message and arn in error.message, error


def test_session_policies_by_arn_narrow_a_session(scenario, new_team, reader):
    team = new_team(managedPolicies=[f"{OWN}/reader-*"])
    team.granted("uploader", LIST, WRITE, policyARNs=[reader], policy=document(LIST))
    team.pod()
    since = scenario.aws.recorder.mark()
    s3 = s3_of(scenario, team.wait_answer(200))
    call = next(c for c in scenario.aws.recorder.calls("AssumeRole", since=since) if f".{team.name}." in c.parameters["RoleArn"])
    assert call.parameters["PolicyArns.member.1.arn"] == reader and "Policy" in call.parameters
    # The role ∩ (the inline policy ∪ the managed one).
    assert s3.get_object(Bucket=BUCKET, Key="report.txt")["Body"].read() == b"numbers"
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] >= 1
    assert error_code(s3.put_object, Bucket=BUCKET, Key="x", Body=b"") == "AccessDenied"
    # Taken from the limit, the binding is no more accepted, and the role is.
    meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "1000"}}, "spec": {"managedPolicies": None}}
    scenario.admin.patch(team.limit_path, meant)
    scenario.wait(team.binding_path(), "Accepted", "False", "ManagedPolicy")
    scenario.wait(team.role_path(), "Accepted", "True")


BAD = [
    ("managedPolicyARNs", [], "should have at least 1 items"),
    ("managedPolicyARNs", [f"{OWN}/a"] * 2, "Duplicate value"),
    ("managedPolicyARNs", [f"{OWN}/{i}" for i in range(11)], "must have at most 10 items"),
    ("managedPolicyARNs", ["ReadOnlyAccess"], "should match"),
    ("managedPolicyARNs", ["arn:aws:iam::aws:policy/*"], "should match"),
    ("policies", [], "should have at least 1 items"),
    ("policies", None, "policies or managedPolicyARNs"),
]


@pytest.mark.parametrize(("field", "value", "says"), BAD, ids=[f"{f}={v}"[:40] for f, v, _ in BAD])
def test_a_bad_list_of_policies_is_refused_by_the_schema(scenario, field, value, says):
    bad = copy.deepcopy(role("default", "cel", READ))
    if value is None:
        del bad["spec"][field]
    else:
        bad["spec"][field] = value
    with pytest.raises(ApiError) as error:
        scenario.admin.create(f"{collection(bad)}?fieldValidation=Strict&dryRun=All", bad)
    assert error.value.code == 422 and says in error.value.message, error.value
