"""Who Deputy is in AWS, and what people hear when AWS makes no session."""

import json
import re

import pytest

from rig.apiclient import ApiError
from rig.aws import Credentials, error_code
from rig.deputy import adapted_to_double, wait_condition
from rig.proc import wait_until

from .scenario import ACCOUNT, API, READ
from .test_broker import assumed, tags
from .test_revocation import may_read, session_of

PATH = f"{API}/awsaccounts/{ACCOUNT}"
CONDITIONS = {
    "IssuerReady": "deputy broker is arn:aws:iam::123456789012:user/deputy-broker",
    "ProvisionerReady": "deputy controller is arn:aws:iam::123456789012:user/deputy-provisioner",
    "BoundaryWriterReady": "deputy limits is arn:aws:iam::123456789012:user/deputy-boundary-writer",
}


def test_the_account_says_who_each_identity_is(scenario):
    for kind, says in CONDITIONS.items():
        assert scenario.wait(PATH, kind, "True", "Ready", timeout=40)["message"] == says


def test_a_broker_that_is_not_the_issuer_is_seen_from_account_and_binding(scenario, team):
    team.granted("uploader", READ)
    issuer = scenario.admin.get(PATH)["spec"]["issuer"]["principalARN"]
    another = "arn:aws:iam::123456789012:user/somebody-else"
    try:
        scenario.admin.patch(PATH, {"spec": {"issuer": {"principalARN": another}}})
        condition = scenario.wait(PATH, "IssuerReady", "False", "IdentityMismatch", timeout=40)
        assert another in condition["message"] and "deputy-broker" in condition["message"]
        assert another in scenario.wait(PATH, "Ready", "False", "IdentityMismatch")["message"]
        team.wait_role()
        assert "deputy-broker" in team.wait_binding(status="False", reason="IssuerNotReady")["message"]
        warned = [line for line in scenario.deputy.log("broker") if line["level"] == "WARN" and another in str(line)]
        assert warned
    finally:
        scenario.admin.patch(PATH, {"spec": {"issuer": {"principalARN": issuer}}})
    scenario.wait(PATH, "IssuerReady", "True", timeout=40)
    scenario.wait(PATH, "Ready", "True")
    team.wait_role()
    team.wait_binding()
    team.wait_trusted()


# The code and status of STS, and of the broker.
REFUSALS = {
    "PackedPolicyTooLarge": ("PackedPolicyTooLarge", 400, 403),
    "RegionDisabled": ("RegionDisabledException", 403, 503),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_a_session_that_aws_does_not_make_is_told_by_its_binding(scenario, team, reason):
    code, status, answer = REFUSALS[reason]
    team.granted("uploader", READ)
    team.pod()
    scenario.aws.recorder.inject(
        "AssumeRole",
        when=lambda call: f".{team.name}" in call.get("RoleArn", ""),
        code=code,
        status=status,
        message="Packed size of session policy consumes 112% of allotted space.",
    )
    mark = scenario.aws.recorder.mark()
    assert "112%" in team.wait_answer(answer)["Message"]
    condition = team.wait_binding(status="False", reason=reason)
    assert "112%" in condition["message"]
    events = f"/apis/events.k8s.io/v1/namespaces/{team.name}/events"

    def told() -> list:
        found = scenario.admin.get(events)["items"]
        return [e for e in found if e["reason"] == reason and e["type"] == "Warning" and "112%" in e["note"]]

    wait_until(told, "an event", 10)
    # However often pods ask, STS is not asked as often.
    for _ in range(30):
        team.ask()
    assert len(scenario.aws.recorder.calls("AssumeRole", since=mark)) < 10
    scenario.aws.recorder.clear_faults()
    team.wait_answer(200)
    team.wait_binding()
    wait_condition(scenario.cluster, team.binding_path(), "SessionsIssued", "True")


def test_an_account_tells_what_is_left_of_its_quotas_and_nothing_waits_for_it(scenario, team):
    team.granted("uploader", READ)

    def told() -> dict | None:
        return scenario.admin.get(PATH)["status"].get("quotas")

    quotas = wait_until(told, "quotas", 40)
    assert quotas["roles"]["quota"] == 1000 and 0 <= quotas["roles"]["used"] < 1000
    assert quotas["policies"]["quota"] == 1500
    recorder = scenario.aws.recorder
    recorder.inject("GetAccountSummary", code="AccessDenied", status=403)
    scenario.deputy.restart("controller")
    team.role("second", READ)
    silent = "the quotas of the AWS account are not known: what exceeds them is refused by AWS alone"

    def said() -> list[dict]:
        return [line for line in scenario.deputy.log("controller") if line.get("message") == silent]

    wait_until(said, "the warning", 40)
    assert len(said()) == 1
    recorder.clear_faults()


@pytest.fixture
def second_broker(scenario):
    """Another identity for the broker, with what `deputy bootstrap aws` prints about an account that names both; in the end the broker is
    the former one."""
    first = scenario.deputy.identities["broker"]
    manifest = scenario.account()
    former = manifest["spec"]["issuer"]
    arn = former["principalARN"].replace("deputy-broker", "second-broker")
    manifest["spec"] |= {"issuer": {"principalARN": arn}, "previousIssuers": [former]}
    [printed] = scenario.deputy.bootstrap_of(json.dumps(manifest))
    policies = {i["arn"]: i["policy"] for i in printed["identities"] if i["process"] == "deputy broker"}
    assert list(policies) == sorted([former["principalARN"], arn])
    second = scenario.aws.create_user("second-broker", *adapted_to_double(policies[arn])["Statement"])
    scenario.deputy.secrets.add(second.secret_access_key)
    yield {"principalARN": arn}, second
    scenario.admin.patch(PATH, {"spec": {"issuer": former, "previousIssuers": None}})
    if scenario.deputy.identities["broker"] != first:
        become(scenario, first)
    scenario.wait(PATH, "IssuerReady", "True", "Ready", timeout=40)


def become(scenario, identity: Credentials) -> None:
    scenario.deputy.identities["broker"] = identity
    scenario.deputy.restart("broker")


def trusted(team) -> list[str]:
    """The issuers that the trust policy of a role lets in."""
    statements = team.in_aws()["AssumeRolePolicyDocument"]["Statement"]
    named = [s.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn", []) for s in statements]
    [first, *others] = [sorted([n] if isinstance(n, str) else n) for n in named]
    assert all(other == first for other in others), statements
    return first


def test_the_broker_becomes_another_one_without_an_outage(scenario, team, second_broker):
    """As docs/operations.md says."""
    issuer, second = second_broker
    former, first = scenario.admin.get(PATH)["spec"]["issuer"], scenario.deputy.identities["broker"]
    arns = sorted([former["principalARN"], issuer["principalARN"]])
    team.granted("uploader", READ)
    team.pod()
    mark = scenario.aws.recorder.mark()
    running = session_of(scenario, team, "app")
    [call] = [c for c in assumed(scenario, team, mark) if c.ok]

    def refused(who: Credentials) -> str | None:
        """What AWS says to whoever asks for the session that the broker asked for."""
        sent = call.parameters
        named = [{"Key": key, "Value": value} for key, value in tags(sent).items()]
        more = {"ExternalId": sent["ExternalId"], "Tags": named}
        return error_code(scenario.aws.assume_role, who, sent["RoleArn"], sent["RoleSessionName"], **more)

    assert (refused(first), refused(second)) == (None, "AccessDenied")
    # Both are let in, and the broker is the one of before.
    scenario.admin.patch(PATH, {"spec": {"issuer": issuer, "previousIssuers": [former]}})
    condition = scenario.wait(PATH, "IssuerReady", "True", "PreviousIssuer", timeout=40)
    assert issuer["principalARN"] in condition["message"]
    wait_until(lambda: trusted(team) == arns, "both are trusted", 40)
    assert (refused(first), refused(second)) == (None, None)
    team.wait_binding()
    # The broker is the one of now.
    mark = scenario.aws.recorder.mark()
    become(scenario, second)
    condition = scenario.wait(PATH, "IssuerReady", "True", "Ready", timeout=40)
    assert "take it out of spec.previousIssuers" in condition["message"]
    now = session_of(scenario, team, "app")
    assert {c.access_key_id for c in assumed(scenario, team, mark)} == {second.access_key_id}
    assert may_read(now) and may_read(running), "sessions of the former one go on"
    # Nobody is the former one any more.
    mark = scenario.aws.recorder.mark()
    scenario.admin.patch(PATH, {"spec": {"previousIssuers": None}})
    wait_until(lambda: trusted(team) == arns[1:], "one is trusted", 40)
    assert (refused(first), refused(second)) == ("AccessDenied", None)
    written = [c.action for c in scenario.aws.recorder.calls(since=mark) if c.parameters.get("RoleName") == team.aws_name()]
    assert "PutRolePolicy" not in written, "its permissions are what they were"
    team.wait_answer(200)
    assert may_read(now)


def test_an_account_that_would_leave_many_without_sessions_has_to_be_meant(scenario, team):
    names = [f"reader-{n}" for n in range(6)]
    team.role("reader", READ)
    for name in names:
        team.cluster.create_service_account(team.name, name)
        team.binding(name, "reader", name)
    scenario.wait(PATH, "IssuerReady", "True", "Ready", timeout=40)
    former = scenario.admin.get(PATH)["spec"]["issuer"]
    another = {"principalARN": "arn:aws:iam::123456789012:user/somebody-else"}

    def held(**more: object) -> str:
        """What is said to another issuer; nothing when it is let in."""
        change = {"spec": {"issuer": another, **more}}
        return error_message(scenario, change)

    wait_until(lambda: f"{team.name}/reader-5" in held(), "the bindings known to the webhook", 10)
    message = held()
    # There may be something left of what ran before.
    count = int(re.search(r'accept-suspending: "(\d+)"', message)[1])
    assert count >= 6 and f"leave pods of {count} bindings without further sessions" in message, message
    few = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "5"}}, "spec": {"issuer": another}}
    assert '(it says "5")' in error_message(scenario, few)
    meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": str(count)}}, "spec": {"issuer": another}}
    assert error_message(scenario, meant) == ""
    assert held(previousIssuers=[former]) == "", "beside the former one it takes nothing away"
    # Nothing of it was done.
    assert scenario.admin.get(PATH)["spec"]["issuer"] == former


def error_message(scenario, change: dict) -> str:
    """What the webhook says to a change of the account; nothing when it is let in."""
    try:
        scenario.admin.call("PATCH", f"{PATH}?dryRun=All", change, "application/merge-patch+json")
    except ApiError as error:
        return error.message
    return ""
