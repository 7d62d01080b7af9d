"""Before Deputy goes: what is left is told, stays shut, or goes, as the chart's value says. With the rights of the chart's hook."""

import os
import subprocess
from collections.abc import Iterator

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
# More than are deleted at once, unless somebody says so.
ROLES = 14
JOB = "deputy-uninstall"


@pytest.fixture(scope="module")
def apart(tmp_path_factory) -> Iterator[Scenario]:
    """Everything started, apart from what other tests use: nothing is left in the end."""
    with started(tmp_path_factory.mktemp("uninstalled")) as whole:
        yield whole


def uninstall(scenario: Scenario, policy: str, seconds: int = 120) -> subprocess.CompletedProcess:
    """Runs what the hook of the chart runs, by its ServiceAccount."""
    values = {"injection": {"node": {"enabled": True}}, "uninstall": {"policy": policy, "timeoutSeconds": seconds}}
    scenario.deputy.install(values)
    container = scenario.deputy.rendered.pod_spec(JOB)["containers"][0]
    account = scenario.deputy.rendered.pod_spec(JOB)["serviceAccountName"]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DEPUTY_", "KUBE"))}
    env |= {e["name"]: e["value"] for e in container["env"]}
    env["KUBECONFIG"] = str(scenario.cluster.kubeconfig_for_service_account(NAMESPACE, account))
    program = [scenario.deputy.program, *container["args"]]
    return subprocess.run(program, env=env, capture_output=True, text=True, timeout=seconds + 60, check=False)


def left(scenario: Scenario, plural: str) -> list[str]:
    return [found["metadata"]["name"] for found in scenario.admin.get(f"{API}/{plural}")["items"]]


def test_nothing_that_is_left_is_no_reason_to_stay(apart):
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
    wait_until(lambda: not apart.roles_in_aws(), "no role", 30)


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
    apart.deputy.processes["controller"].stop()
    done = uninstall(apart, "Delete", 10)
    assert done.returncode == 3, done
    for part in ("in 10 s not everything was gone", "- 1 AWSRole (IAM roles in AWS: 1): stuck/uploader", "Deputy is not removed"):
        assert part in done.stderr, done.stderr
    apart.deputy.start_process("controller")
    apart.wait_gone(team.role_path(), timeout=60)
    assert uninstall(apart, "Delete").returncode == 0
    assert apart.roles_in_aws() == [] and apart.policies_in_aws() == []
