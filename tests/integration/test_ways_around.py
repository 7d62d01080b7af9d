"""Ways around admission that other projects had: subresources, dry runs, containers that come later."""

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import ELSEWHERE, collection, role
from .test_injection import create, variables


def test_a_status_that_somebody_writes_grants_nothing(scenario, team):
    """The status is what Deputy says; nobody goes by it who decides."""
    team.granted("uploader")
    with scenario.without_validation():
        scenario.create(role(team.name, "thief", ELSEWHERE))
    team.binding("thief", "thief", "thief", wait=False)
    real = scenario.admin.get(team.role_path())["status"]
    path = team.role_path("thief")
    wait_until(lambda: scenario.admin.get(path).get("status"), "the controller has looked at it", 10)
    scenario.admin.patch(f"{path}/status", {"status": real})
    team.pod("thief", "thief")
    status, body = team.ask("thief")
    assert status in (403, 503) and body["Code"] != "Ok", body
    # The controller says what is so again, and AWS has no role of it.
    scenario.admin.patch(path, {"metadata": {"annotations": {"deputy.dev/reconcile-requested-at": "now"}}})
    scenario.wait(path, "Accepted", "False")
    assert team.ask("thief")[0] == 403
    assert not [name for name in scenario.roles_in_aws() if name.startswith(f"deputy.{team.name}.thief")]


def test_a_container_that_comes_later_gets_nothing_of_its_own(scenario, new_team):
    """An ephemeral container can't have a volume of its own, and no variables of Deputy's."""
    team = new_team(limit=False, inject=True)
    pod = create(team)
    path = f"/api/v1/namespaces/{team.name}/pods/app"
    debug = {"name": "debug", "image": "app.invalid/debug:1"}
    scenario.admin.call(
        "PATCH",
        f"{path}/ephemeralcontainers",
        {"spec": {"ephemeralContainers": [debug]}},
        "application/strategic-merge-patch+json",
    )
    stored = scenario.admin.get(path)["spec"]
    assert stored["containers"] == pod["spec"]["containers"]
    assert variables(stored["ephemeralContainers"][0]) == {}


def test_a_dry_run_of_anything_calls_nobody(scenario, team):
    team.granted("uploader")
    good, bad = role(team.name, "another"), role(team.name, "too-much", ELSEWHERE)
    mark = scenario.aws.recorder.mark()
    scenario.try_create(good)
    with pytest.raises(ApiError, match="ExceedsLimit"):
        scenario.try_create(bad)
    scenario.admin.patch(f"{team.role_path()}?dryRun=All", {"spec": {"maxSessionDuration": "2h"}})
    scenario.admin.call("DELETE", f"{team.role_path()}?dryRun=All")
    body = {"metadata": {"name": "tried"}, "spec": {"containers": [{"name": "app", "image": "app.invalid/app:1"}]}}
    tried = scenario.admin.create(f"/api/v1/namespaces/{team.name}/pods?dryRun=All", body)
    assert tried["metadata"]["annotations"]["deputy.dev/injected"] == "v1"
    about = [c for c in scenario.aws.recorder.calls(since=mark) if team.name in str(c.parameters)]
    assert not [c.action for c in about if not c.action.startswith(("Get", "List"))]
    assert not scenario.admin.exists(f"{collection(good)}/another")
