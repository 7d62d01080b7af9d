"""Sessions that run when a grant is taken back: those of who lost it end, all others go on."""

import time

import botocore.exceptions
import pytest

from rig.aws import Credentials, policy
from rig.proc import wait_until

from .scenario import API, BUCKET, READ, WRITE, binding, role
from .test_cluster_roles import bound, cluster_role, entries, template  # noqa: F401


def session_of(scenario, team, pod: str):
    """What a pod does with the credentials that it gets now, for as long as it likes."""
    got = team.wait_answer(200, pod)
    return scenario.aws.client("s3", Credentials(got["AccessKeyId"], got["SecretAccessKey"], got["Token"]))


def may_read(s3) -> bool:
    try:
        s3.get_object(Bucket=BUCKET, Key="report.txt")
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
        return False
    return True


def wait_cut(s3, what: str) -> float:
    """Waits until a session is refused; how long that took."""
    began = time.monotonic()
    wait_until(lambda: not may_read(s3), f"{what} is refused", 20)
    return time.monotonic() - began


def sessions(scenario, team) -> dict:
    return scenario.admin.get(team.role_path())["status"]["sessions"]


@pytest.fixture
def shared(scenario, team):
    """A role that two ServiceAccounts have by one binding, and a running session of each."""
    for name in ("uploader", "batch"):
        team.pod(name, name)
    team.role("uploader", READ)
    team.binding("uploader", "uploader", "uploader", "batch")
    team.wait_trusted()
    running = {name: session_of(scenario, team, name) for name in ("uploader", "batch")}
    assert all(may_read(s3) for s3 in running.values())
    return running


def name_subjects(scenario, team, *names: str) -> None:
    subjects = [{"kind": "ServiceAccount", "name": name} for name in names]
    scenario.admin.patch(team.binding_path(), {"spec": {"subjects": subjects}})


def test_the_session_of_a_removed_subject_ends_and_the_others_go_on(scenario, team, shared):
    name_subjects(scenario, team, "uploader")
    took = wait_cut(shared["batch"], "the session of who was removed")
    print(f"a running session was refused {took:.1f} s after its subject was removed")
    assert may_read(shared["uploader"]), "who shares the role keeps working"
    assert team.wait_answer(403, "batch")["Code"] == "NoBinding"
    deny, allow = sorted(team.inline()["deputy"]["Statement"], key=lambda s: s["Effect"] == "Allow")
    assert deny["Condition"]["StringEquals"] == {"aws:PrincipalTag/deputy-service-account": "batch"}
    assert allow == READ
    (cut,) = sessions(scenario, team)["cut"]
    assert cut["serviceAccount"] == "batch" and cut["until"] > cut["before"]
    # Bound again: whatever it has works again, and so does what it gets.
    name_subjects(scenario, team, "uploader", "batch")
    wait_until(lambda: may_read(shared["batch"]), "bound again", 20)
    assert may_read(session_of(scenario, team, "batch"))
    wait_until(lambda: "cut" not in sessions(scenario, team), "nobody is cut", 20)
    assert len(team.inline()["deputy"]["Statement"]) == 1


def test_the_sessions_of_a_binding_that_goes_end_although_the_role_stays(scenario, team, shared):
    scenario.create(binding(team.name, "second", "uploader", "uploader"))
    team.wait_binding("second")
    scenario.admin.delete(team.binding_path())
    wait_cut(shared["batch"], "the session of a binding that is gone")
    assert may_read(shared["uploader"]), "the other binding names it"
    scenario.admin.delete(team.binding_path("second"))
    wait_cut(shared["uploader"], "the session of the last binding")
    assert team.in_aws() is not None, "the role stays"


def test_a_removal_while_no_controller_runs_is_made_up_for(scenario, team, shared):
    scenario.deputy.processes["controller"].stop()
    try:
        name_subjects(scenario, team, "uploader")
        assert team.wait_answer(403, "batch")["Code"] == "NoBinding"
        # Somebody who is bound now gets nothing that nobody could take back.
        team.pod("late", "late")
        name_subjects(scenario, team, "uploader", "late")
        assert "status" in team.wait_answer(503, "late")["Message"]
    finally:
        scenario.deputy.start_process("controller")
    wait_cut(shared["batch"], "the session of who was removed meanwhile")
    assert may_read(shared["uploader"])
    assert may_read(session_of(scenario, team, "late"))


def test_a_deny_that_somebody_takes_out_comes_back(scenario, team, shared):
    name_subjects(scenario, team, "uploader")
    wait_cut(shared["batch"], "the session of who was removed")
    team.wait_converged()
    scenario.iam().put_role_policy(RoleName=team.aws_name(), PolicyName="deputy", PolicyDocument=policy(READ))
    assert may_read(shared["batch"])
    # The role changes, too: both are in one policy.
    changed = role(team.name, "uploader", READ, WRITE)["spec"]["policies"]
    scenario.admin.patch(team.role_path(), {"spec": {"policies": changed}})
    wait_cut(shared["batch"], "the session of who was removed")


def test_a_role_without_its_status_cuts_whoever_is_not_named(scenario, team, shared):
    name_subjects(scenario, team, "uploader")
    wait_cut(shared["batch"], "the session of who was removed")
    scenario.deputy.processes["controller"].stop()
    # As after a restore from a backup that has no status, on a role that somebody cleaned up by hand.
    scenario.admin.patch(f"{team.role_path()}/status", {"status": {"sessions": None, "roleID": None}})
    scenario.iam().put_role_policy(RoleName=team.aws_name(), PolicyName="deputy", PolicyDocument=policy(READ))
    assert may_read(shared["batch"])
    scenario.deputy.start_process("controller")
    wait_cut(shared["batch"], "the session of whom nobody remembers")
    assert may_read(shared["uploader"])
    assert [set(entry) for entry in sessions(scenario, team)["cut"]] == [{"before", "until"}], "all others"


def test_of_a_template_the_sessions_in_one_namespace_end(scenario, new_team, template):  # noqa: F811
    first, second = new_team(), new_team()
    name = template(cluster_role("shared-reader", [first.name, second.name], READ))
    running = {}
    for team in (first, second):
        made = bound(team.name, name)
        made["spec"]["subjects"].append({"kind": "ServiceAccount", "name": "batch"})
        scenario.create(made)
        team.wait_binding("reader")
        for who in ("reader", "batch"):
            team.pod(who, who)
            running[team, who] = session_of(scenario, team, who)
    assert all(may_read(s3) for s3 in running.values())
    left = [{"kind": "ServiceAccount", "name": "reader"}]
    scenario.admin.patch(first.binding_path("reader"), {"spec": {"subjects": left}})
    wait_cut(running.pop((first, "batch")), "the session of who was removed")
    assert all(may_read(s3) for s3 in running.values()), "also of that name in another namespace"
    seen = entries(scenario, name)
    assert [cut["serviceAccount"] for cut in seen[first.name]["sessions"]["cut"]] == ["batch"]
    assert seen[second.name]["sessions"] == {"serviceAccounts": ["batch", "reader"]}


def test_what_has_no_room_is_said(scenario, team, shared):
    keys = [f"arn:aws:s3:::{BUCKET}/{n:0>85}" for n in range(87)]
    full = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [*keys, f"arn:aws:s3:::{BUCKET}/report.txt"]}
    changed = role(team.name, "uploader", full)["spec"]["policies"]
    scenario.admin.patch(team.role_path(), {"spec": {"policies": changed}})
    wait_until(lambda: len(str(team.inline()["deputy"])) > 9000, "the large policy", 20)
    name_subjects(scenario, team, "uploader")
    remain = wait_until(lambda: sessions(scenario, team).get("remain"), "what remains is said", 20)
    assert [entry["reason"] for entry in remain] == ["NoRoom"]
    assert remain[0]["until"] == sessions(scenario, team)["cut"][0]["until"]
    assert may_read(shared["uploader"])
    assert scenario.admin.get(f"{API}/namespaces/{team.name}/awsroles/uploader")["status"]["roleID"]
