"""A limit over several accounts, of which one never answers; and what somebody changes of a boundary policy."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from rig.proc import wait_until

from .scenario import ACCOUNT, LIST, READ, WRITE, document

HANGS = "a-hangs"


@pytest.fixture
def hanging_account(scenario) -> Iterator[str]:
    """An AWSAccount whose endpoints take connections and never answer. By name it comes before the one that works."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        manifest = scenario.account(HANGS, accountID="210987654321")
        manifest["spec"]["issuer"]["principalARN"] = "arn:aws:iam::210987654321:user/deputy-broker"
        manifest["spec"]["endpoints"] = {"iam": url, "sts": url}
        scenario.create(manifest)
        try:
            yield HANGS
        finally:
            scenario.delete_account(HANGS)


def entries(team) -> dict[str, dict]:
    """The entries of the limit's status, by account."""
    return {entry["account"]: entry for entry in team.admin.get(team.limit_path)["status"].get("boundaries", [])}


def in_aws(scenario, arn: str) -> dict:
    """The document that AWS has in force."""
    iam = scenario.iam()
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def test_an_account_that_never_answers_holds_up_no_other(scenario, team, hanging_account):
    known = entries(team)[ACCOUNT]
    team.admin.patch(team.limit_path, {"spec": {"accounts": [hanging_account, ACCOUNT]}})
    condition = team.wait_limit("False", "Unavailable", timeout=40)
    assert "in 1 of 2 accounts; not in: a-hangs: " in str(condition), condition
    now = entries(team)
    assert now[ACCOUNT] == known, "nothing has to be looked at there"
    assert now[HANGS]["problem"]["reason"] == "Unavailable"
    assert "policyARN" not in now[HANGS] and "lastVerified" not in now[HANGS]
    # A role where it is in force is made, and narrowing lands there.
    team.role("uploader", READ)
    team.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST, READ)}})
    arn = known["policyARN"]
    wait_until(lambda: "s3:PutObject" not in json.dumps(in_aws(scenario, arn)), "narrowed in AWS", 20)
    wait_until(lambda: entries(team)[ACCOUNT]["documentHash"] != known["documentHash"], "narrowed by the status", 20)
    team.wait_role()
    # The entry goes with the account.
    team.admin.patch(team.limit_path, {"spec": {"accounts": [ACCOUNT]}})
    team.wait_limit()
    assert list(entries(team)) == [ACCOUNT]


def test_what_somebody_changed_is_put_right_and_told_with_the_difference(scenario, team):
    arn = entries(team)[ACCOUNT]["policyARN"]
    there, wider = in_aws(scenario, arn), json.dumps(document(WRITE, {**READ, "Action": "s3:*"}))
    scenario.iam().create_policy_version(PolicyArn=arn, PolicyDocument=wider, SetAsDefault=True)
    # Looked at in half an hour to an hour, and by the next process at once.
    scenario.deputy.restart("limits")
    wait_until(lambda: in_aws(scenario, arn) == there, "as it was", 40)

    def told() -> list[str]:
        events = scenario.admin.get("/apis/events.k8s.io/v1/events")["items"]
        drift = [e for e in events if e["reason"] == "DriftReverted" and e["regarding"]["name"] == team.name]
        return [e["note"] for e in drift]

    [note] = wait_until(told, "the event", 20)
    assert "was changed by somebody else" in note and '"s3:*"' in note, note
