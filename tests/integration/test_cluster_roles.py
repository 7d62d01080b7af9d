"""One ClusterAWSRole for several namespaces, each with an IAM role of its own under its own limit."""

import pytest

from rig.apiclient import ApiError
from rig.aws import Credentials, error_code
from rig.proc import wait_until

from .scenario import ACCOUNT, API, BUCKET, binding, document
from .test_managed_policies import OWN, reader  # noqa: F401


def reads(folder: str) -> dict:
    """Leave to read a folder of the bucket."""
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/{folder}/*"}


def cluster_role(name: str, namespaces: list[str], *statements: dict) -> dict:
    policies = [{"name": "objects", "document": document(*(statements or (reads("${namespace}"),)))}]
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "ClusterAWSRole",
        "metadata": {"name": name},
        "spec": {"namespaces": namespaces, "policies": policies},
    }


def bound(namespace: str, role: str, account: str = ACCOUNT) -> dict:
    made = binding(namespace, "reader", role, "reader")
    made["spec"]["roleRef"]["kind"] = "ClusterAWSRole"
    made["spec"]["accountRef"] = {"name": account}
    return made


def path(name: str) -> str:
    return f"{API}/clusterawsroles/{name}"


def entries(scenario, name: str) -> dict[str, dict]:
    """The entries in the status, by namespace."""
    status = scenario.admin.get(path(name)).get("status", {})
    return {e["namespace"]: e for e in status.get("instances", [])}


def aws_role(scenario, arn: str) -> dict | None:
    iam = scenario.iam()
    try:
        return iam.get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None


@pytest.fixture
def template(scenario):
    """Makes a ClusterAWSRole, and deletes it after the test."""
    made = []

    def make(manifest: dict) -> str:
        made.append(scenario.create(manifest)["metadata"]["name"])
        return made[-1]

    yield make
    for name in made:
        if scenario.admin.exists(path(name)):
            meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "1000"}}}
            scenario.admin.patch(path(name), meant)
            scenario.admin.delete(path(name))


def test_one_template_is_a_role_of_its_own_in_each_namespace(scenario, new_team, template):
    first, second = new_team(limit=False), new_team(limit=False)
    for team in (first, second):
        team.limit(reads(team.name))
    name = template(cluster_role("own-folder", [first.name, second.name]))
    scenario.wait(path(name), "Ready", "True")
    for team in (first, second):
        scenario.create(bound(team.name, name))
    for team in (first, second):
        team.wait_binding("reader")
    seen = entries(scenario, name)
    assert set(seen) == {first.name, second.name}
    for team in (first, second):
        entry = seen[team.name]
        assert entry["ready"] and entry["reason"] == "Ready" and entry["account"] == ACCOUNT
        found = aws_role(scenario, entry["roleARN"])
        assert found["RoleId"] == entry["roleID"]
        tags = {t["Key"]: t["Value"] for t in found["Tags"]}
        assert tags["deputy-kind"] == "ClusterAWSRole"
        assert tags["deputy-namespace"] == team.name and tags["deputy-name"] == name
        iam = scenario.iam()
        policy = iam.get_role_policy(RoleName=found["RoleName"], PolicyName="deputy")["PolicyDocument"]
        assert policy == document(reads(team.name))
        assert scenario.admin.get(team.binding_path("reader"))["status"]["roleARN"] == entry["roleARN"]
    counts = wait_until(lambda: scenario.admin.get(path(name))["status"].get("counts"), "counts", 10)
    assert counts["total"] == 2
    # The broker gives a session of the namespace's own role, which AWS holds to its folder.
    s3 = scenario.aws.client("s3")
    for team in (first, second):
        s3.put_object(Bucket=BUCKET, Key=f"{team.name}/report.txt", Body=b"own")
    first.pod("app", "reader")
    got = first.wait_answer(200)
    session = scenario.aws.client("s3", Credentials(got["AccessKeyId"], got["SecretAccessKey"], got["Token"]))
    assert session.get_object(Bucket=BUCKET, Key=f"{first.name}/report.txt")["Body"].read() == b"own"
    assert error_code(session.get_object, Bucket=BUCKET, Key=f"{second.name}/report.txt") in ("AccessDenied", "403")


def test_what_exceeds_one_limit_is_refused_there_alone(scenario, new_team, template):
    good, bad = new_team(limit=False), new_team(limit=False)
    good.limit(reads(good.name))
    bad.limit(reads("somewhere-else"))
    name = template(cluster_role("excess", [good.name, bad.name]))
    refused = scenario.refusal(bound(bad.name, name))
    assert "ExceedsLimit" in refused.message and f"{BUCKET}/{bad.name}/" in refused.message, refused.message
    # It comes in although nobody asks the webhook: nothing is made of it.
    with scenario.without_validation():
        scenario.create(bound(bad.name, name))
    scenario.create(bound(good.name, name))
    good.wait_binding("reader")
    condition = bad.wait_binding("reader", "False", "RoleNotReady")
    entry = wait_until(lambda: entries(scenario, name).get(bad.name), "an entry of the refused one", 15)
    assert entry["reason"] == "ExceedsLimit" and "roleARN" not in entry and not entry["ready"], condition
    ready = scenario.wait(path(name), "Ready", "False", "InstancesNotReady")
    assert ready, "one of two"


def test_a_namespace_that_is_not_allowed_any_more_is_suspended_and_comes_back(scenario, new_team, template):
    team = new_team(limit=False)
    team.limit(reads(team.name))
    name = template(cluster_role("allowed", [team.name]))
    outside = new_team()
    refused = scenario.refusal(bound(outside.name, name))
    assert "NamespaceNotAllowed" in refused.message, refused.message
    scenario.create(bound(team.name, name))
    team.wait_binding("reader")
    before = entries(scenario, name)[team.name]
    scenario.admin.patch(path(name), {"spec": {"namespaces": ["somebody-else"]}})
    suspended = wait_until(
        lambda: (e := entries(scenario, name)[team.name])["reason"] == "NamespaceNotAllowed" and e, "suspended", 15
    )
    assert suspended["roleARN"] == before["roleARN"] and suspended["roleID"] == before["roleID"]
    trust = aws_role(scenario, before["roleARN"])["AssumeRolePolicyDocument"]
    assert [s["Effect"] for s in trust["Statement"]] == ["Deny"]
    team.wait_binding("reader", "False", "NotAccepted")
    scenario.admin.patch(path(name), {"spec": {"namespaces": [team.name]}})
    team.wait_binding("reader")
    after = entries(scenario, name)[team.name]
    assert after["roleID"] == before["roleID"], "the same IAM role as before"


def test_the_last_binding_takes_its_role_along_and_the_template_waits_for_all(scenario, new_team, template):
    first, second = new_team(limit=False), new_team(limit=False)
    for team in (first, second):
        team.limit(reads(team.name))
    name = template(cluster_role("goes", [first.name, second.name]))
    for team in (first, second):
        scenario.create(bound(team.name, name))
    for team in (first, second):
        team.wait_binding("reader")
    seen = entries(scenario, name)
    scenario.admin.delete(first.binding_path("reader"))
    wait_until(lambda: set(entries(scenario, name)) == {second.name}, "the entry is gone", 20)
    assert aws_role(scenario, seen[first.name]["roleARN"]) is None
    assert aws_role(scenario, seen[second.name]["roleARN"]) is not None
    scenario.admin.delete(path(name))
    scenario.wait_gone(path(name))
    assert aws_role(scenario, seen[second.name]["roleARN"]) is None
    second.wait_binding("reader", "False", "RoleNotFound")


def test_its_roles_stay_where_it_says_so_and_every_limit_allows_it(scenario, new_team, template, remove):
    stays, not_allowed = new_team(limit=False), new_team(limit=False)
    stays.limit(reads(stays.name), roles={"allowRetain": True})
    not_allowed.limit(reads(not_allowed.name))
    manifest = cluster_role("retained", [stays.name, not_allowed.name])
    manifest["spec"]["deletionPolicy"] = "Retain"
    name = template(manifest)
    refused = scenario.refusal(bound(not_allowed.name, name))
    assert "Retain" in refused.message and "allowRetain" in refused.message, refused.message
    scenario.create(bound(stays.name, name))
    stays.wait_binding("reader")
    entry = entries(scenario, name)[stays.name]
    remove(entry["roleARN"].rsplit("/", 1)[-1])

    def closed() -> bool:
        found = aws_role(scenario, entry["roleARN"])
        assert found["RoleId"] == entry["roleID"]
        tags = {t["Key"] for t in found["Tags"]}
        statements = found["AssumeRolePolicyDocument"]["Statement"]
        return "deputy-retained" in tags and [s["Effect"] for s in statements] == ["Deny"]

    # With its last binding it is left, and with the next one it is taken back.
    scenario.admin.delete(stays.binding_path("reader"))
    wait_until(lambda: not entries(scenario, name), "the entry is gone", 20)
    assert closed()
    scenario.create(bound(stays.name, name))
    stays.wait_binding("reader")
    assert entries(scenario, name)[stays.name]["roleID"] == entry["roleID"]
    assert not closed()
    # And so with the template.
    scenario.admin.delete(path(name))
    scenario.wait_gone(path(name))
    assert closed()


def test_what_the_boundary_cuts_off_in_one_namespace_is_said_of_it_and_summed_up(
    scenario,
    new_team,
    template,
    reader,  # noqa: F811
):
    team = new_team(managedPolicies=[f"{OWN}/reader-*"])
    manifest = cluster_role("capped", [team.name])
    manifest["spec"] |= {"managedPolicyARNs": [reader]}
    del manifest["spec"]["policies"]
    name = template(manifest)
    scenario.create(bound(team.name, name))
    team.wait_binding("reader")
    condition = scenario.wait(path(name), "CappedByBoundary", "True", "Capped")
    assert f"namespace {team.name}" in condition["message"] and "sqs:ListQueues" in condition["message"], condition
    capped = entries(scenario, name)[team.name]["capped"]
    assert capped["reason"] == "Capped" and "sqs:ListQueues" in capped["message"], capped
    scenario.wait(path(name), "Tagged", "True")
    scenario.wait(path(name), "Ready", "True")


def test_a_template_that_fits_nowhere_is_refused_by_itself(scenario):
    longest = cluster_role("too-large", ["team-*"])
    resources = [f"arn:aws:s3:::{BUCKET}/${{namespace}}/{n}/*" for n in range(120)]
    longest["spec"]["policies"][0]["document"]["Statement"][0]["Resource"] = resources
    refused = scenario.refusal(longest)
    assert "63 characters" in refused.message and "10240" in refused.message, refused.message
    for namespaces in ([], ["Upper"]):
        with pytest.raises(ApiError):
            scenario.try_create(cluster_role("names", namespaces))
