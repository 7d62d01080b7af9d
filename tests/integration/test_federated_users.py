"""Federated users: which names a namespace may have, what their sessions may do, and whose a name is."""

import pytest

from .scenario import ACCOUNT, API, READ, WRITE, document


def federated(namespace: str, name: str, user: str, **session: object) -> dict:
    """An AWSFederatedUserBinding for the ServiceAccount `reports`."""
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "AWSFederatedUserBinding",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accountRef": {"name": ACCOUNT},
            "userName": user,
            "subjects": [{"kind": "ServiceAccount", "name": "reports"}],
            "session": session or {"policy": document(READ)},
        },
    }


def path(namespace: str, name: str) -> str:
    return f"{API}/namespaces/{namespace}/awsfederateduserbindings/{name}"


def test_an_allowed_name_has_its_arn_and_another_one_is_refused(scenario, new_team):
    team = new_team(federatedUsers=["Manager*"])
    scenario.cluster.create_service_account(team.name, "reports")
    scenario.create(federated(team.name, "manager", "Manager-reports"))
    scenario.wait(path(team.name, "manager"), "Accepted", "True", "WithinLimits")
    found = scenario.wait(path(team.name, "manager"), "Ready", "True", "Ready")
    assert found["message"] == "pods of ServiceAccount reports get credentials"
    status = scenario.admin.get(path(team.name, "manager"))["status"]
    assert status["federatedUserARN"] == "arn:aws:sts::123456789012:federated-user/Manager-reports", status
    refused = scenario.refusal(federated(team.name, "other", "Report"))
    assert refused.code == 403 and "it allows Manager*" in refused.message, refused.message


def test_a_session_policy_stays_within_the_ceiling_or_is_openly_none(scenario, new_team):
    team = new_team(ceiling=(READ,), federatedUsers=["Manager*"])
    wide = scenario.refusal(federated(team.name, "wide", "Manager", policy=document(READ, WRITE)))
    assert "ExceedsLimit" in wide.message and "s3:PutObject" in wide.message, wide.message
    neither = scenario.refusal(federated(team.name, "neither", "Manager", resourcePolicyOnly=False))
    assert "resourcePolicyOnly" in neither.message, neither.message
    both = scenario.refusal(federated(team.name, "both", "Manager", policy=document(READ), resourcePolicyOnly=True))
    assert "not both" in both.message, both.message
    scenario.create(federated(team.name, "named", "Manager", resourcePolicyOnly=True))
    scenario.wait(path(team.name, "named"), "Accepted", "True", "WithinLimits")


def test_a_name_belongs_to_one_namespace_until_its_last_binding_is_gone(scenario, new_team):
    first, second = new_team(federatedUsers=["Shared*"]), new_team(federatedUsers=["Shared*"])
    scenario.create(federated(first.name, "shared", "Shared-name"))
    scenario.wait(path(first.name, "shared"), "Accepted", "True")
    refused = scenario.refusal(federated(second.name, "shared", "Shared-NAME"))
    assert "Conflict" in refused.message and first.name not in refused.message, refused.message
    with scenario.without_validation():
        scenario.create(federated(second.name, "shared", "Shared-NAME"))
    scenario.wait(path(second.name, "shared"), "Accepted", "False", "Conflict")
    assert "federatedUserARN" not in scenario.admin.get(path(second.name, "shared"))["status"]
    scenario.admin.delete(path(first.name, "shared"))
    scenario.wait(path(second.name, "shared"), "Accepted", "True")


def test_what_a_limit_takes_away_is_not_accepted_any_more(scenario, new_team):
    team = new_team(federatedUsers=["Manager*"])
    scenario.create(federated(team.name, "manager", "Manager-away"))
    scenario.wait(path(team.name, "manager"), "Accepted", "True")
    scenario.admin.patch(team.limit_path, {"spec": {"federatedUsers": ["Report*"]}})
    found = scenario.wait(path(team.name, "manager"), "Accepted", "False", "FederatedUser")
    assert "it allows Report*" in found["message"], found
    assert "federatedUserARN" not in scenario.admin.get(path(team.name, "manager"))["status"]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("userName", "a", "should be at least 2 chars"),
        ("userName", "a*b", "should match"),
        ("userName", "a" * 33, "Too long"),
        ("session", {"resourcePolicyOnly": True, "duration": "14m"}, "must be 15m to 36h"),
        ("session", {"resourcePolicyOnly": True, "duration": "37h"}, "must be 15m to 36h"),
        ("subjects", [{"kind": "User", "name": "jane"}], "Unsupported value"),
    ],
)
def test_the_api_server_refuses_by_itself(scenario, field, value, why):
    manifest = federated("default", "cel", "Manager")
    manifest["spec"][field] = value
    with scenario.without_validation():
        assert why in scenario.refusal(manifest).message


def test_name_and_account_stay(scenario, new_team):
    team = new_team(federatedUsers=["Manager*"])
    scenario.create(federated(team.name, "manager", "Manager-stays"))
    with scenario.without_validation():
        for field, value in (("userName", "Manager2"), ("accountRef", {"name": "other"})):
            with pytest.raises(Exception, match="is immutable"):
                scenario.admin.patch(path(team.name, "manager"), {"spec": {field: value}})
