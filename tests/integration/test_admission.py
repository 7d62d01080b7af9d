"""What the webhook lets in and refuses, on the API server."""

import copy
import itertools
import json

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import API, BUCKET, ELSEWHERE, LIST, READ, WRITE, Team, binding, collection, document, limit, role


def test_a_refusal_lists_every_violation_with_field_limit_and_witness(scenario, team):
    wants = role(team.name, "greedy", READ, ELSEWHERE)
    wants["spec"]["policies"].append(
        {"name": "keys", "document": document({"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"})}
    )
    error = scenario.refusal(wants)
    assert (error.code, error.reason) == (403, "Forbidden")
    lines = error.message.splitlines()
    assert f"AWSRole {team.name}/greedy is refused" in lines[0]
    first = next(line for line in lines if "spec.policies[0]" in line or "policies[objects]" in line)
    assert "s3:GetObject" in first and "customer-records" in first and team.name in first
    second = next(line for line in lines if "spec.policies[1]" in line or "policies[keys]" in line)
    assert "iam:CreateUser" in second and team.name in second
    assert len(error.status["details"]["causes"]) >= 2
    assert {c["reason"] for c in error.status["details"]["causes"]} == {"ExceedsLimit"}


def test_a_role_without_a_limit_is_stored_with_a_warning_and_nothing_is_made(scenario, new_team):
    outside = new_team(limit=False)
    wants = role(outside.name, "uploader", READ)
    for warnings in (
        scenario.try_create(wants),
        scenario.admin.warnings("POST", f"{collection(wants)}?fieldValidation=Strict", wants),
    ):
        assert warnings[0].endswith(": NoLimit: nothing is granted until a DelegationLimit applies"), warnings
        assert outside.name in warnings[1] and "DelegationLimit" in warnings[1], warnings
    scenario.wait(outside.role_path(), "Accepted", "False", "NoLimit")
    outside.wait_role(status="False")
    assert not [name for name in scenario.roles_in_aws() if outside.name in name]
    # And all of it comes about once the limit is there.
    outside.limit()
    outside.wait_role()


def test_limit_role_and_binding_are_applied_in_any_order_without_waiting(scenario, new_team):
    """As Helm and GitOps tools do: everything first as a dry run, then all at once, in whatever order."""
    for order in itertools.permutations(range(3)):
        team = new_team(limit=False)
        objects = [
            limit(team.name, [team.name]),
            role(team.name, "uploader", READ),
            binding(team.name, "uploader", "uploader", "uploader"),
        ]
        for i in order:
            scenario.try_create(objects[i])
        for i in order:
            scenario.create(objects[i])
        team.wait_role()
        team.wait_binding()


def test_a_refusal_for_a_limit_is_never_one_of_a_moment_ago(scenario, team):
    """A limit is widened, and in the same breath a role asks for it: twenty times, without a wait."""
    for i in range(20):
        bucket = {**READ, "Resource": f"arn:aws:s3:::bucket-{i}/*"}
        scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST, WRITE, bucket)}})
        assert scenario.try_create(role(team.name, "uploader", bucket)) == []
        scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST, WRITE)}})


def test_a_binding_may_come_before_its_role_and_grants_when_that_is_there(scenario, team):
    warnings = scenario.try_create(binding(team.name, "uploader", "uploader", "uploader"))
    assert any("does not exist" in w and "uploader" in w for w in warnings)
    team.binding(wait=False)
    team.wait_binding(status="False", reason="RoleNotFound")
    team.pod()
    # Not yet, which is no refusal: the pod asks again.
    assert team.ask()[0] == 503
    team.role()
    team.wait_binding(status="True", reason="Ready")
    team.wait_trusted()


def test_a_session_beyond_the_limit_is_refused(scenario, team):
    team.role()
    everything = document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    bad = binding(
        team.name, "wide", "uploader", "uploader", policy=everything, tags={"team": "red"}, duration="2h"
    )
    error = scenario.refusal(bad)
    fields = {c["field"].partition("[")[0].removesuffix(".Statement") for c in error.status["details"]["causes"]}
    # The role stays within, and a session has no more than its role: a policy that is wider takes nothing.
    assert fields == {"spec.session.tags", "spec.session.duration"}, error
    warnings = scenario.try_create(binding(team.name, "narrow", "uploader", "uploader", tags={"team": "blue"}))
    assert all("ServiceAccount uploader does not exist (yet)" in warning for warning in warnings), warnings


def statement(**parts: object) -> dict:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*", **parts}


def without(key: str) -> dict:
    return {k: v for k, v in statement().items() if k != key}


DOCUMENTS = {
    "a wrong version": (document(READ, version="2015-10-17"), "Version"),
    "the old version": (document(READ, version="2008-10-17"), "Version"),
    "no version": ({"Statement": [READ]}, "Version"),
    "a NotPrincipal": (document(statement(NotPrincipal={"AWS": "*"})), "NotPrincipal"),
    "a Principal": (document(statement(Principal="*")), "Principal"),
    "an unknown element": (document(statement(Resources="*")), "Resources"),
    "an unknown top-level element": ({**document(READ), "Comment": "x"}, "Comment"),
    "an unknown effect": (document(statement(Effect="Permit")), "Effect"),
    "an unknown operator": (document(statement(Condition={"StringSame": {"aws:PrincipalTag/x": "y"}})), "StringSame"),
    "no action": (document(without("Action")), "Action"),
    "no resource": (document(without("Resource")), "Resource"),
    "an account id that YAML made a number": (
        document(statement(Condition={"StringEquals": {"aws:ResourceAccount": 12345678901}})),
        "quote",
    ),
    "a zero-width space in an action": (document(statement(Action="s3:Get\u200bObject")), "U+200B"),
    "a right-to-left override in a resource": (
        document(statement(Resource=f"arn:aws:s3:::{BUCKET}/\u202e*")),
        "U+202E",
    ),
    "a letter that only looks like one": (document(statement(Action="s3:GetObj\u0435ct")), "U+0435"),
    "no statement": ({"Version": "2012-10-17", "Statement": []}, "Statement"),
    "a list": ({"Version": "2012-10-17", "Statement": [[READ]]}, "Statement"),
    "100 kB": (
        document(statement(Resource=[f"arn:aws:s3:::{BUCKET}/{i:05}/*" for i in range(2500)])),
        "10240",
    ),
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_bad_policy_is_refused_and_says_what_is_wrong(scenario, documents_team, what):
    bad, says = DOCUMENTS[what]
    wants = role(documents_team.name, "bad", READ)
    wants["spec"]["policies"][0]["document"] = bad
    error = scenario.refusal(wants)
    assert error.code in (403, 422), error
    assert "policies" in error.message and says.lower() in error.message.lower().replace(",", ""), error.message
    assert len(error.message) < 5000
    # As a session policy and as a ceiling as well.
    sessions = scenario.refusal(binding(documents_team.name, "bad", "uploader", "uploader", policy=bad))
    assert "spec.session.policy" in sessions.message and sessions.code in (403, 422)
    ceiling = limit("bad", ["somewhere"], READ)
    ceiling["spec"]["ceiling"] = bad
    assert "spec.ceiling" in scenario.refusal(ceiling).message


@pytest.fixture(scope="module")
def documents_team(scenario):
    return Team(scenario, "documents")


def test_two_bindings_for_one_service_account_are_told_and_the_older_one_is_the_default(scenario, team):
    team.granted()
    team.role("other", READ)
    warnings = scenario.try_create(binding(team.name, "z-second", "other", "uploader"))
    assert any("AWSRoleBinding z-second: Shadowed: pods of uploader get another binding" in w for w in warnings), warnings
    team.binding("z-second", "other", "uploader", wait=False)
    team.wait_binding("z-second", "True", "Shadowed")
    team.wait_binding("uploader", "True", "Ready")
    scenario.admin.delete(team.binding_path("uploader"))
    team.wait_binding("z-second", "True", "Ready")


def test_whoever_deletes_a_role_is_told_what_names_it(scenario, team):
    team.granted()
    path = team.role_path()
    said = f"AWSRole uploader: named by 1 AWSRoleBinding, which gives no further credentials once it is gone: {team.name}/uploader"
    wait_until(lambda: said in scenario.admin.warnings("DELETE", f"{path}?dryRun=All"), "the binding known", 10)
    done = scenario.cluster.kubectl("delete", "awsrole", "uploader", "-n", team.name, "--dry-run=server")
    assert f"Warning: {said}" in done.stderr, done.stderr
    assert scenario.admin.warnings("DELETE", f"{team.binding_path()}?dryRun=All") == []
    # The controllers of the API server are not told: nobody reads it there.
    for account in ("generic-garbage-collector", "namespace-controller"):
        who = f"system:serviceaccount:kube-system:{account}"
        done = scenario.cluster.kubectl(
            "delete", "awsrole", "uploader", "-n", team.name, "--dry-run=server", "--as", who, "--as-group", "system:masters"
        )
        assert "Warning" not in done.stderr, done.stderr
    # Without the webhook it goes without a word.
    scenario.deputy.processes["webhook"].stop()
    assert scenario.admin.warnings("DELETE", path) == []
    scenario.deputy.start_process("webhook")
    team.wait_binding(status="False", reason="RoleNotFound")


@pytest.mark.parametrize("session", [{"policy": None}, {"policy": None, "scope": "Pod"}, None], ids=["policy", "with-scope", "session"])
def test_a_null_that_kubectl_drops_is_refused_as_one_that_it_sends(scenario, team, session):
    team.role()
    wants = binding(team.name, "uploader", "uploader", "uploader")
    wants["spec"]["session"] = session
    words = "spec.session"

    def apply(manifest: dict, *flags: str) -> str:
        done = scenario.cluster.kubectl("apply", *flags, "-f", "-", input=json.dumps(manifest), check=False)
        return done.stderr if done.returncode else ""

    refusals = [apply(wants), apply(wants, "--server-side")]
    assert all(words in refusal for refusal in refusals), refusals
    said = [refusal[refusal.index(words) :].strip() for refusal in refusals]
    assert said[0] == said[1], said
    # A policy that is there is not taken away by it either.
    narrow = copy.deepcopy(wants)
    narrow["spec"]["session"] = {"policy": document(READ)}
    assert apply(narrow) == ""
    assert words in apply(wants)
    assert scenario.admin.get(team.binding_path())["spec"]["session"]["policy"] == document(READ)
    # Without the field it is meant.
    del wants["spec"]["session"]
    assert apply(wants) == ""


def test_a_limit_in_use_is_not_deleted_by_mistake(scenario, team):
    team.granted()
    with pytest.raises(ApiError) as error:
        scenario.admin.delete(team.limit_path)
    assert error.value.code == 403
    assert "is in use: its deletion would suspend 2 of the 2 grants" in error.value.message
    assert f"{team.name}/uploader" in error.value.message and "accept-suspending" in error.value.message
    scenario.admin.patch(team.limit_path, {"metadata": {"annotations": {"deputy.dev/accept-suspending": "2"}}})
    scenario.admin.delete(team.limit_path)
    team.wait_role(status="False", reason="Suspended")
    team.wait_trusted(trusted=False)


def test_a_limit_whose_boundary_roles_carry_stays_generated(scenario, new_team):
    team = new_team()
    team.role("uploader", READ)
    check_only = {"spec": {"boundary": {"type": "CheckOnly"}}}

    def refused() -> bool:
        try:
            scenario.admin.patch(f"{team.limit_path}?dryRun=All", check_only)
        except ApiError as error:
            return "needs boundary.type Generated" in error.message and f"{team.name}/uploader" in error.message
        return False

    wait_until(refused, "the role known", 10)
    # Alone, one that only checks lets nothing be made, and says so at once. The other one may come in the same file.
    other = new_team(limit=False)
    scenario.create(limit(other.name, [other.name], boundary={"type": "CheckOnly"}))
    warnings = scenario.try_create(role(other.name, "uploader", READ))
    assert any("NoBoundary: " in w and "boundary type Generated" in w for w in warnings), warnings


def test_an_account_in_use_is_not_deleted(scenario, team):
    team.role(wait=False)
    path = f"{API}/awsaccounts/production"
    wait_until(lambda: f"{team.name}/uploader" in _deletion_error(scenario, path), "the role known", 10)
    assert "is in use by" in _deletion_error(scenario, path)
    team.wait_role()


def _deletion_error(scenario, path: str) -> str:
    try:
        scenario.admin.call("DELETE", f"{path}?dryRun=All")
    except ApiError as error:
        return error.message
    return ""


def test_a_limit_that_would_suspend_many_has_to_be_meant(scenario, team):
    for i in range(6):
        team.role(f"r{i}", READ, LIST, wait=False)
    narrow = {"spec": {"ceiling": document(READ)}}

    def held() -> str:
        try:
            scenario.admin.call(
                "PATCH", f"{team.limit_path}?dryRun=All", narrow, "application/merge-patch+json"
            )
        except ApiError as error:
            return error.message
        return ""

    wait_until(lambda: "suspend 6 of the 6 grants" in held(), "six roles known", 10)
    message = held()
    assert 'deputy.dev/accept-suspending: "6"' in message and f"{team.name}/r0" in message
    assert "is in use" not in message
    too_few = {**narrow, "metadata": {"annotations": {"deputy.dev/accept-suspending": "5"}}}
    with pytest.raises(ApiError, match="suspend 6"):
        scenario.admin.patch(team.limit_path, too_few)
    meant = {**narrow, "metadata": {"annotations": {"deputy.dev/accept-suspending": "6"}}}
    scenario.admin.patch(team.limit_path, meant)
    for i in range(6):
        team.wait_role(f"r{i}", "False")


def test_few_suspended_grants_are_a_warning(scenario, team):
    team.granted()
    path = f"{team.limit_path}?dryRun=All"
    warnings = scenario.admin.warnings(
        "PATCH", path, {"spec": {"ceiling": document(READ)}}, "application/merge-patch+json"
    )
    assert any("suspends 2 of 2 grants" in w for w in warnings), warnings


def test_without_the_webhook_labels_and_finalizers_change_and_specs_do_not(scenario, team):
    team.granted()
    scenario.deputy.processes["webhook"].stop()
    scenario.admin.patch(team.role_path(), {"metadata": {"labels": {"a": "b"}, "finalizers": ["deputy.dev/role", "x.dev/y"]}})
    scenario.admin.patch(team.role_path(), {"metadata": {"finalizers": ["deputy.dev/role"]}})
    scenario.admin.patch(team.limit_path, {"metadata": {"labels": {"a": "b"}}})
    status = copy.deepcopy(scenario.admin.get(team.role_path()))
    scenario.admin.replace(f"{team.role_path()}/status", status)
    changed = {"spec": {"maxSessionDuration": "2h"}}
    with pytest.raises(ApiError, match="objects.deputy.dev"):
        scenario.admin.patch(team.role_path(), changed)
    with pytest.raises(ApiError, match="objects.deputy.dev"):
        scenario.create(role(team.name, "another", READ))
    scenario.deputy.start_process("webhook")
    wait_until(lambda: scenario.admin.patch(team.role_path(), changed), "the webhook answers again", 10)
    wait_until(lambda: team.in_aws()["MaxSessionDuration"] == 7200, "the new duration in AWS", 10)


def test_a_namespace_deleted_while_the_webhook_is_down_finishes(scenario, team):
    team.granted()
    name = team.aws_name()
    scenario.deputy.processes["webhook"].stop()
    scenario.cluster.delete_namespace(team.name)
    assert name not in scenario.roles_in_aws()


def test_the_audit_log_of_the_api_server_says_what_was_decided(scenario, team):
    team.role(wait=False)
    text = scenario.cluster.audit_log.read_text()
    events = [json.loads(line) for line in text.splitlines() if f'"{team.name}"' in line and '"awsroles"' in line]
    found = [e.get("annotations", {}) for e in events if e["verb"] == "create" and "dryRun" not in e["requestURI"]]
    assert any(a.get("objects.deputy.dev/decision") == "accepted" for a in found), found
