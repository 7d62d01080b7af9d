"""Before Deputy goes: what is left is told, stays shut, or goes, as the chart's value says. With the rights of the chart's hook."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rig import rbac
from rig.deputy import NAMESPACE
from rig.proc import wait_until

from .scenario import ACCOUNT, API, READ, Scenario, Team, role, started
from .test_cluster_roles import bound, cluster_role, reads
from .test_federated_users import federated
from .test_retain import effects, in_aws, tags

ACCOUNT_PATH = f"{API}/awsaccounts/{ACCOUNT}"
ACCEPT = "deputy.dev/accept-removing-orphans"
FORMER = "deputy.dev/uninstall-former-accept-removing-orphans"
# More than are deleted at once, unless somebody says so.
ROLES = 14
JOB = "deputy-uninstall"


@pytest.fixture(scope="module")
def apart(tmp_path_factory) -> Iterator[Scenario]:
    """Everything started, apart from what other tests use: nothing is left in the end."""
    with started(tmp_path_factory.mktemp("uninstalled")) as whole:
        yield whole


def command(scenario: Scenario, policy: str, seconds: int) -> dict:
    """What the hook of the chart runs, by its ServiceAccount."""
    values = {"injection": {"node": {"enabled": True}}, "uninstall": {"policy": policy, "timeoutSeconds": seconds}}
    scenario.deputy.install(values)
    container = scenario.deputy.rendered.pod_spec(JOB)["containers"][0]
    account = scenario.deputy.rendered.pod_spec(JOB)["serviceAccountName"]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DEPUTY_", "KUBE"))}
    env |= {e["name"]: e["value"] for e in container["env"]}
    env["KUBECONFIG"] = str(scenario.cluster.kubeconfig_for_service_account(NAMESPACE, account))
    return {"args": [scenario.deputy.program, *container["args"]], "env": env, "text": True}


def uninstall(scenario: Scenario, policy: str, seconds: int = 120) -> subprocess.CompletedProcess:
    return subprocess.run(**command(scenario, policy, seconds), capture_output=True, timeout=seconds + 60, check=False)


@contextmanager
def running(scenario: Scenario, policy: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(**command(scenario, policy, 120), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def left(scenario: Scenario, plural: str) -> list[str]:
    return [found["metadata"]["name"] for found in scenario.admin.get(f"{API}/{plural}")["items"]]


def annotations(scenario: Scenario) -> dict[str, str]:
    return scenario.admin.get(ACCOUNT_PATH)["metadata"].get("annotations", {})


def say(scenario: Scenario, status: dict) -> None:
    """Has the status of the account say something else, as it is by now; `deputy controller` does not put it right before its next round."""
    scenario.admin.patch(f"{ACCOUNT_PATH}/status", {"status": status})


def test_nothing_that_is_left_is_no_reason_to_stay(apart):
    apart.wait(ACCOUNT_PATH, "Swept", "True", timeout=60)
    done = uninstall(apart, "Refuse")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "nothing in AWS" in done.stdout
    assert left(apart, "awsaccounts") == [ACCOUNT]


def test_whoever_has_something_left_is_told_what_and_nothing_changes(apart):
    team = Team(apart, "told")
    team.granted("uploader", READ)
    before = apart.admin.get(team.role_path())
    mark = apart.aws.recorder.mark()
    done = uninstall(apart, "Refuse")
    assert done.returncode == 1, done
    for part in (
        "- 1 AWSRole (IAM roles in AWS: 1): told/uploader",
        "- 1 AWSRoleBinding: told/uploader",
        "- 1 DelegationLimit (boundary policies in AWS: 1): told",
        "Nothing was changed",
        "uninstall.policy=Retain",
        "helm uninstall --no-hooks",
    ):
        assert part in done.stdout, done.stdout
    assert apart.admin.get(team.role_path())["metadata"]["generation"] == before["metadata"]["generation"]
    assert apart.writes(mark) == []
    rights = rbac.granted(apart.deputy.rendered.objects, NAMESPACE, JOB)
    assert {verb for verb, _ in rights} == {"list"}, "whoever refuses may change nothing"
    team.leave()
    wait_until(lambda: not apart.roles_in_aws() and not apart.policies_in_aws(), "nothing in AWS", 60)


@pytest.mark.parametrize("policy", ["Refuse", "Retain", "Delete"])
def test_what_is_not_known_is_no_yes(apart, policy):
    apart.wait(ACCOUNT_PATH, "Swept", "True", timeout=60)
    before = apart.admin.get(ACCOUNT_PATH)["status"]
    unknown = [c | {"status": "Unknown", "reason": "AccessDenied", "message": "iam:ListRoles"} for c in before["conditions"] if c["type"] == "Swept"]
    others = [c for c in before["conditions"] if c["type"] != "Swept"]
    for conditions, why in ((others + unknown, "Unknown (AccessDenied): iam:ListRoles"), (others, "AWS has not listed its roles yet")):
        say(apart, {"conditions": conditions})
        try:
            done = uninstall(apart, policy)
        finally:
            say(apart, {"conditions": before["conditions"]})
        assert done.returncode == 1, done
        for part in (why, "Nothing was changed"):
            assert part in done.stdout, done.stdout
    assert annotations(apart).keys() & {FORMER} == set()


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_roles_without_an_object_are_told_before_anything_is_changed(apart, policy):
    apart.wait(ACCOUNT_PATH, "Swept", "True", timeout=60)
    team = Team(apart, f"orphaned-{policy.lower()}", roles={"allowRetain": True})
    team.role("uploader", READ)
    team.wait_role("uploader")
    before, accepted = apart.admin.get(team.role_path()), annotations(apart)
    orphan = {"roleARN": "arn:aws:iam::123456789012:role/deputy/x/y", "object": "AWSRole gone/y", "reason": "its trust could not be closed"}
    say(apart, {"orphans": {"count": 3, "oldest": [orphan | {"since": "2026-01-01T00:00:00Z"}]}})
    mark = apart.aws.recorder.mark()
    try:
        done = uninstall(apart, policy)
    finally:
        say(apart, {"orphans": None})
    assert done.returncode == 1, done
    for part in ("3 IAM roles without an object", "AWSRole gone/y: its trust could not be closed", "Nothing was changed"):
        assert part in done.stdout, done.stdout
    after = apart.admin.get(team.role_path())
    assert after["metadata"]["generation"] == before["metadata"]["generation"] and annotations(apart) == accepted
    assert apart.writes(mark) == []
    team.leave()
    wait_until(lambda: not apart.roles_in_aws() and not apart.policies_in_aws(), "nothing in AWS", 60)


def test_a_role_of_a_cluster_role_that_may_not_stay_is_no_yes(apart):
    """The webhook lets a few grants be suspended, with a warning: that is no proof that they stay."""
    apart.wait(ACCOUNT_PATH, "Swept", "True", timeout=90)
    for name in ("letting", "strict"):
        Team(apart, name, True, True, (reads(name),), roles={"allowRetain": name == "letting"})
    apart.create(cluster_role("keeper", ["letting", "strict"]))
    for name in ("letting", "strict"):
        apart.create(bound(name, "keeper"))
    path = f"{API}/clusterawsroles/keeper"
    wait_until(lambda: len(apart.roles_in_aws()) == 2, "both roles", 30)
    # A role is there before its policies are.
    apart.wait(path, "Ready", "True", timeout=60)
    for name in ("letting", "strict"):
        apart.wait(f"{API}/namespaces/{name}/awsrolebindings/reader", "Ready", "True", timeout=60)
    mark = apart.aws.recorder.mark()
    done = uninstall(apart, "Retain")
    assert done.returncode == 1, done
    for part in ("1 of 1 objects", "ClusterAWSRole keeper: in namespace strict", "DelegationLimit strict", "Nothing was changed"):
        assert part in done.stdout, done.stdout
    assert apart.admin.get(path)["spec"].get("deletionPolicy", "Delete") == "Delete"
    assert apart.writes(mark) == [] and len(apart.roles_in_aws()) == 2
    assert uninstall(apart, "Delete", 180).returncode == 0
    assert apart.roles_in_aws() == [] and apart.policies_in_aws() == []


def test_roles_stay_shut_where_every_limit_lets_them(apart):
    team = Team(apart, "staying")
    team.granted("uploader", READ)
    name, before = team.aws_name(), team.in_aws()
    refused = uninstall(apart, "Retain")
    assert refused.returncode == 1, refused
    for part in ("1 of 1 objects", "AWSRole staying/uploader", "roles.allowRetain", "Nothing was changed"):
        assert part in refused.stdout, refused.stdout
    assert "deletionPolicy" not in apart.admin.get(team.role_path())["spec"]
    apart.admin.patch(team.limit_path, {"spec": {"roles": {"allowRetain": True}}})
    done = uninstall(apart, "Retain")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert left(apart, "awsroles") == []
    assert left(apart, "awsrolebindings") == ["uploader"] and left(apart, "delegationlimits") == ["staying"]
    found = in_aws(apart, name)
    assert effects(found) == {"Deny"} and "deputy-retained" in tags(found)
    assert found["RoleId"] == before["RoleId"]
    # Deputy again, and the object: the role is the one that it was.
    team.role("uploader", READ)
    team.wait_trusted()
    assert team.in_aws()["RoleId"] == before["RoleId"]
    team.leave()
    wait_until(lambda: not apart.roles_in_aws() and not apart.policies_in_aws(), "nothing in AWS", 60)


def test_everything_goes_in_aws_first(apart):
    apart.admin.patch(ACCOUNT_PATH, {"metadata": {"annotations": {ACCEPT: None}}})
    team = Team(apart, "going", federatedUsers=["Manager*"])
    apart.create(federated(team.name, "manager", "Manager-reports"))
    Team(apart, "reading", True, True, (reads("reading"),))
    apart.create(cluster_role("reader", ["reading"]))
    apart.create(bound("reading", "reader"))
    for number in range(ROLES):
        apart.create(role(team.name, f"r{number}", READ))
    team.binding("r0", "r0", "r0", wait=False)
    for number in range(ROLES):
        team.wait_role(f"r{number}", timeout=60)
    wait_until(lambda: len(apart.roles_in_aws()) == ROLES + 1, "all roles, and one of the ClusterAWSRole", 30)
    done = uninstall(apart, "Delete", 180)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert apart.roles_in_aws() == [] and apart.policies_in_aws() == []
    for plural in ("awsroles", "clusterawsroles", "awsrolebindings", "awsfederateduserbindings", "delegationlimits"):
        assert left(apart, plural) == [], plural
    found = apart.admin.get(ACCOUNT_PATH)
    assert ACCEPT not in found["metadata"].get("annotations", {}), "what was accepted is so no more"
    assert found["status"].get("orphans", {}).get("count", 0) == 0, "none was held"
    never = rbac.unused(apart.cluster, apart.deputy.rendered.objects, NAMESPACE, JOB)
    assert never == {("delete", "deputy.dev/awsresourcepolicystatements")}, "the last is not here: it deletes as the others do"


def test_it_ends_in_time_and_says_what_is_not_gone(apart):
    team = Team(apart, "stuck")
    team.role("uploader", READ)
    apart.admin.patch(ACCOUNT_PATH, {"metadata": {"annotations": {ACCEPT: "2"}}})
    apart.deputy.processes["controller"].stop()
    done = uninstall(apart, "Delete", 10)
    assert done.returncode == 3, done
    found = annotations(apart)
    assert found[ACCEPT] == "2" and FORMER not in found, "what was accepted is so no more, however it ended"
    for part in ("in 10 s not everything was gone", "- 1 AWSRole (IAM roles in AWS: 1): stuck/uploader", "Deputy is not removed"):
        assert part in done.stderr, done.stderr
    apart.deputy.start_process("controller")
    apart.wait_gone(team.role_path(), timeout=60)
    assert uninstall(apart, "Delete").returncode == 0
    assert apart.roles_in_aws() == [] and apart.policies_in_aws() == []


def test_what_an_interrupted_run_left_is_put_back_by_the_next_one(apart):
    apart.admin.patch(ACCOUNT_PATH, {"metadata": {"annotations": {ACCEPT: "1000000", FORMER: "2"}}})
    told = uninstall(apart, "Refuse")
    assert told.returncode == 3, told
    for part in (f"AWSAccount {ACCOUNT} still has {ACCEPT}", f"--overwrite {ACCEPT}=2 {FORMER}-"):
        assert part in told.stderr, told.stderr
    assert annotations(apart)[ACCEPT] == "1000000", "whoever refuses changes nothing"
    assert uninstall(apart, "Delete").returncode == 0
    found = annotations(apart)
    assert found[ACCEPT] == "2" and FORMER not in found


def test_who_is_told_to_end_puts_back_what_was_accepted(apart):
    team = Team(apart, "ended")
    team.role("uploader", READ)
    team.wait_role("uploader")
    apart.admin.patch(ACCOUNT_PATH, {"metadata": {"annotations": {ACCEPT: "2"}}})
    apart.deputy.processes["controller"].stop()
    with running(apart, "Delete") as process:
        # It accepts first and deletes then: told to end any earlier, it may have asked for nothing yet.
        wait_until(lambda: "deletionTimestamp" in apart.admin.get(team.role_path())["metadata"], "the role is to go", 30)
        assert FORMER in annotations(apart)
        process.terminate()
        stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 3 and "told to end" in stderr, stderr
    found = annotations(apart)
    assert found[ACCEPT] == "2" and FORMER not in found
    apart.deputy.start_process("controller")
    apart.wait_gone(team.role_path(), timeout=60)
    assert uninstall(apart, "Delete").returncode == 0


def test_a_limit_has_no_time_to_go_where_its_boundary_policy_has_none(apart):
    team = Team(apart, "short")
    team.wait_limit()
    done = uninstall(apart, "Delete", 20)
    assert done.returncode == 3, done
    assert "in 20 s not everything was gone. The limits are there still" in done.stderr, done.stderr
    assert left(apart, "delegationlimits") == [team.name], "the next run sees it"
    assert uninstall(apart, "Delete").returncode == 0
    assert apart.policies_in_aws() == []
