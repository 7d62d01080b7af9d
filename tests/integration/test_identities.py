"""Who Deputy is in AWS, and what people hear when AWS makes no session."""

import pytest

from rig.deputy import wait_condition
from rig.proc import wait_until

from .scenario import ACCOUNT, API, READ

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
