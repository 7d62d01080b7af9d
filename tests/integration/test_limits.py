"""Several limits at once: dry runs, and what the status of a limit says of the grants under it."""

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import LIST, READ, WRITE, limit, role


def other_limit(team, name: str, *ceiling: dict, **spec: object) -> str:
    """A second limit of the team's namespace; its path."""
    full = f"{team.name}-{name}"
    team.scenario.create(limit(full, [team.name], *ceiling, **spec))
    return f"{team.limit_path}-{name}"


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
    policies = scenario.policies_in_aws()
    dry = other_limit(team, "reading", READ, LIST, enforcement="DryRun", boundary={"type": "CheckOnly"})
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
    assert scenario.policies_in_aws() == policies

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
