"""Several limits at once: dry runs, and what the status of a limit says of the grants under it."""

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import LIST, READ, WRITE, binding, limit, role


def would_refuse(team, path: str, count: int) -> list[dict]:
    """Waits until a dry run would refuse so many grants; those that it names."""

    def said() -> dict | None:
        found = team.admin.get(path).get("status", {}).get("wouldRefuse")
        return found if found is not None and found["count"] == count else None

    return wait_until(said, f"{path} would refuse {count}", 20).get("grants", [])


def test_a_dry_run_says_what_it_would_refuse_and_is_enforced_when_that_is_meant(scenario, team):
    team.granted()
    for i in range(2):
        team.role(f"w{i}", WRITE, wait=False)
        team.binding(f"w{i}", wait=False)
    dry = team.another_limit("reading", READ, LIST, enforcement="DryRun", boundary={"type": "CheckOnly"})
    grants = would_refuse(team, dry, 6)
    assert [(g["kind"], g["namespace"], g["name"]) for g in grants] == [
        (kind, team.name, name) for kind in ("AWSRole", "AWSRoleBinding") for name in ("uploader", "w0", "w1")
    ]
    assert {g["reason"] for g in grants} == {"ExceedsLimit"}
    assert all("s3:PutObject" in g["message"] for g in grants), grants
    assert grants[3]["message"].startswith("its role would be refused: ")
    # Nothing is refused by it, and nothing is made for it.
    team.wait_role("w1")
    warnings = scenario.try_create(role(team.name, "more", WRITE))
    assert any("DryRun, would be refused: " in w and "s3:PutObject" in w for w in warnings), warnings
    accepted = next(c for c in team.admin.get(team.role_path())["status"]["conditions"] if c["type"] == "Accepted")
    assert accepted["message"].startswith(f"within {team.name}\nDryRun, would be refused: "), accepted
    assert "boundaries" not in team.admin.get(dry)["status"]
    assert not [p for p in scenario.policies_in_aws() if p.startswith(f"deputy-limit.{team.name}-reading")]

    # Enforcing it is a narrowing like any other.
    enforce = {"spec": {"enforcement": "Enforce"}}
    with pytest.raises(ApiError, match="suspend 6 of the 6 grants"):
        team.admin.patch(dry, enforce)
    team.admin.patch(dry, {**enforce, "metadata": {"annotations": {"deputy.dev/accept-suspending": "6"}}})
    team.wait_role(status="False", reason="Suspended")
    team.wait_trusted(trusted=False)
    wait_until(lambda: "wouldRefuse" not in team.admin.get(dry)["status"], "nothing that it would refuse", 20)
    # And back again.
    team.admin.patch(dry, {"spec": {"enforcement": "DryRun"}})
    team.wait_role()
    team.wait_trusted()
    would_refuse(team, dry, 6)


def test_where_only_a_dry_run_applies_nothing_is_granted(scenario, new_team):
    team = new_team(limit=False)
    scenario.create(limit(team.name, [team.name], enforcement="DryRun"))
    ready = team.wait_limit()
    assert "a dry run: nothing is refused by it" in str(ready)
    warnings = scenario.try_create(role(team.name, "uploader", READ))
    assert any("NoLimit: " in w for w in warnings), warnings
    assert any(f"{team.name} there with enforcement DryRun, by which nothing is granted" in w for w in warnings), warnings
    assert team.admin.get(team.limit_path)["status"].get("boundaries", []) == []
    # Enforced, it is a limit with a boundary.
    team.admin.patch(team.limit_path, {"spec": {"enforcement": "Enforce"}})
    team.role("uploader", READ)
    assert team.admin.get(team.limit_path)["status"]["boundaries"]


def test_another_word_than_the_two_is_refused(scenario, new_team):
    team = new_team(limit=False)
    error = scenario.refusal(limit(team.name, [team.name], enforcement="Warn"))
    assert error.code == 422 and "spec.enforcement" in error.message and '"DryRun"' in error.message


def test_a_second_limit_with_a_boundary_is_refused_and_names_both(scenario, team):
    error = scenario.refusal(limit(f"{team.name}-second", ["elsewhere", team.name]))
    assert error.code == 403
    assert f"spec.namespaces[1]: DelegationLimit {team.name} has a boundary" in error.message
    assert f"as {team.name}-second is" in error.message and "BoundaryOverlap" in error.message
    # A pattern, too, once there is a namespace that both name.
    error = scenario.refusal(limit(f"{team.name}-second", [f"{team.name}*"]))
    assert "BoundaryOverlap" in error.message
    scenario.try_create(limit(f"{team.name}-second", [team.name], boundary={"type": "CheckOnly"}))


def test_a_limit_says_in_how_many_grants_its_statements_are_used(scenario, new_team):
    unused = {"Sid": "Unused", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    team = new_team(ceiling=(LIST, WRITE, unused))
    team.granted("reader", READ)
    team.granted("lister", READ, LIST, policy={"Version": "2012-10-17", "Statement": [LIST]})

    def used() -> bool:
        found = team.admin.get(team.limit_path)["status"].get("ceilingUse")
        return found == [
            {"statement": 0, "grants": 2},
            {"statement": 1, "grants": 2},
            {"statement": 2, "sid": "Unused", "grants": 0},
        ]

    wait_until(used, "the use of each statement", 20)
    # What is used in none may go; the webhook counts the same.
    path = f"{team.limit_path}?dryRun=All"
    without = {"spec": {"ceiling": {"Version": "2012-10-17", "Statement": [LIST, WRITE]}}}
    warnings = scenario.admin.warnings("PATCH", path, without, "application/merge-patch+json")
    assert not any("suspends" in w for w in warnings), warnings
    without["spec"]["ceiling"]["Statement"] = [WRITE, unused]
    warnings = scenario.admin.warnings("PATCH", path, without, "application/merge-patch+json")
    assert any("suspends 2 of 4 grants" in w for w in warnings), warnings


def test_what_waits_for_a_limit_says_so(scenario, new_team):
    team = new_team(limit=False)
    team.role(wait=False)
    team.wait_role(status="False", reason="NoLimit")
    warnings = scenario.try_create(binding(team.name, "uploader", "uploader", "nobody"))
    assert any("ServiceAccount nobody does not exist (yet)" in w for w in warnings), warnings
    team.binding(wait=False)
    team.wait_binding(status="False", reason="NoLimit")
