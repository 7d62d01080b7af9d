"""Many objects are deleted by accident: few IAM roles go, the others are shut, and the same when their objects are back."""

import json
from collections.abc import Iterator

import pytest

from rig.apiclient import ApiError
from rig.cluster import load_manifests
from rig.proc import wait_until
from rig.tools import ROOT

from .scenario import ACCOUNT, API, READ, Scenario, Team, binding, role, started

DEFINITION = "awsroles.deputy.dev"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ACCEPT = "deputy.dev/accept-removing-orphans"
AT_ONCE = 10
ROLES = 25
PATH = f"{API}/awsaccounts/{ACCOUNT}"


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Iterator[Scenario]:
    """A cluster of its own: a definition is deleted in it."""
    with started(tmp_path_factory.mktemp("alone")) as whole:
        yield whole


@pytest.fixture(scope="module")
def teams(alone: Scenario) -> dict[str, list[str]]:
    """Two namespaces with their roles."""
    names = {"first": [f"r{n}" for n in range(ROLES // 2)], "second": [f"r{n}" for n in range(ROLES - ROLES // 2)]}
    for name in names:
        Team(alone, name)
    return names


def accept(scenario: Scenario, count: int | None) -> None:
    """A person accepts that so many roles go at once, or does not any more."""
    value = None if count is None else str(count)
    scenario.admin.patch(PATH, {"metadata": {"annotations": {ACCEPT: value}}})


def make(scenario: Scenario, teams: dict[str, list[str]]) -> None:
    """Makes all roles, and waits until each is ready."""
    for namespace, names in teams.items():
        for name in names:
            scenario.create(role(namespace, name, READ))
    for namespace, names in teams.items():
        for name in names:
            scenario.wait(f"{API}/namespaces/{namespace}/awsroles/{name}", "Ready", "True", timeout=60)


def in_aws(scenario: Scenario) -> dict[str, str]:
    """The unique ids of Deputy's roles by their names."""
    roles = scenario.iam().list_roles()["Roles"]
    return {r["RoleName"]: r["RoleId"] for r in roles if r["RoleName"].startswith("deputy.")}


def is_shut(scenario: Scenario, name: str) -> bool:
    """Whether nobody can become a role, and no session of it can do anything."""
    iam = scenario.iam()
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    inline = iam.get_role_policy(RoleName=name, PolicyName="deputy")["PolicyDocument"]
    documents = [json.loads(d) if isinstance(d, str) else d for d in (trust, inline)]
    return all(s["Effect"] == "Deny" for document in documents for s in document["Statement"])


def swept(scenario: Scenario) -> dict:
    """The condition `Swept` of the account."""
    conditions = scenario.admin.get(PATH)["status"].get("conditions", [])
    return next((c for c in conditions if c["type"] == "Swept"), {})


def events(scenario: Scenario, reason: str) -> list[dict]:
    """Events of a reason about the account."""
    found = scenario.admin.get("/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    return [e for e in found if e["reason"] == reason and e["regarding"]["kind"] == "AWSAccount"]


def test_a_deleted_definition_takes_few_roles_and_the_others_come_back(alone, teams):
    accept(alone, None)
    make(alone, teams)
    team = teams["first"]
    alone.create(binding("first", team[0], team[0], team[0]))
    alone.wait(f"{API}/namespaces/first/awsrolebindings/{team[0]}", "Ready", "True")
    first = Served(alone, team[0])
    first.waits_for(200)
    before = in_aws(alone)
    assert len(before) == ROLES

    alone.admin.delete(f"{DEFINITIONS}/{DEFINITION}")
    # Nothing holds it up: neither AWS nor an object.
    alone.wait_gone(f"{DEFINITIONS}/{DEFINITION}", timeout=120)
    left = in_aws(alone)
    assert len(before) - len(left) == AT_ONCE
    assert left.items() <= before.items(), "those that are left are the same"
    assert all(is_shut(alone, name) for name in left)
    status = alone.admin.get(PATH)["status"]
    assert status["orphans"]["count"] == len(left)
    assert {o["roleID"] for o in status["orphans"]["oldest"]} == set(left.values())
    condition = swept(alone)
    assert (condition["status"], condition["reason"]) == ("False", "DeletionsHeld")
    assert f'{ACCEPT}: "{len(left)}"' in condition["message"]
    [event] = wait_until(lambda: events(alone, "DeletionsHeld"), "the event", 10)
    assert f"more than {AT_ONCE} IAM roles" in event["note"]
    first.waits_for(403, 404, 503)

    [definition] = [
        found
        for path in (ROOT / "crds").glob("*.yaml")
        for found in load_manifests(path.read_text())
        if found["metadata"]["name"] == DEFINITION
    ]
    alone.cluster.apply([definition])
    alone.cluster.wait_established(DEFINITION)
    # Whoever watches hears of it within its pause.
    wait_served(alone)
    make(alone, teams)
    after = in_aws(alone)
    assert len(after) == ROLES
    assert left.items() <= after.items(), "each has its role again, the same one"
    made = after.keys() - left.keys()
    assert all(after[name] != before[name] for name in made)
    alone.wait(f"{API}/namespaces/first/awsrolebindings/{team[0]}", "Ready", "True", timeout=60)
    first.waits_for(200)


def wait_served(scenario: Scenario) -> None:
    """Waits until the webhook knows the kind again."""

    def would_be_made() -> bool:
        try:
            scenario.try_create(role("first", "r0", READ))
        except ApiError:
            return False
        return True

    wait_until(would_be_made, "an AWSRole can be made", 60)


class Served:
    """A pod that asks for credentials."""

    def __init__(self, scenario: Scenario, service_account: str) -> None:
        self.scenario = scenario
        scenario.cluster.create_service_account("first", service_account)
        scenario.cluster.create_pod("first", "app", service_account)

    def waits_for(self, *statuses: int) -> None:
        token = self.scenario.cluster.pod_token("first", "app")

        def answered() -> bool:
            return self.scenario.deputy.ask_broker(token, "/v1/credentials")[0] in statuses

        wait_until(answered, f"the broker's {statuses}", 60)


def test_as_many_roles_go_at_once_as_a_person_has_accepted(alone, teams):
    if not in_aws(alone):
        make(alone, teams)
    # What went before counts as well.
    accept(alone, 2 * ROLES)
    for namespace in teams:
        alone.admin.delete(f"{API}/namespaces/{namespace}/awsroles")
    wait_until(lambda: not in_aws(alone), "all roles gone", 120)
    for namespace in teams:
        path = f"{API}/namespaces/{namespace}/awsroles"
        wait_until(lambda p=path: not alone.admin.get(p)["items"], "objects gone", 60)
    accept(alone, None)
