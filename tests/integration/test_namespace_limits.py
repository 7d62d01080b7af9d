"""What a namespace may be granted, read there with the role `view`."""

import pytest

from rig.apiclient import ApiError
from rig.proc import wait_until

from .scenario import ACCOUNT, API, LIST, READ, WRITE, document


def copies(team, name: str = "") -> str:
    return f"{API}/namespaces/{team.name}/namespacelimits" + (f"/{name}" if name else "")


def canonical(policy: dict) -> dict:
    """A policy with its actions in one order: a copy has them in Deputy's."""
    statements = [{**s, "Action": sorted([s["Action"]] if isinstance(s["Action"], str) else s["Action"])} for s in policy["Statement"]]
    return {**policy, "Statement": statements}


def wait_ceiling(team, *statements: dict) -> dict:
    """Waits until the copy of the team's own limit has this ceiling."""

    def shown() -> dict | None:
        if not team.admin.exists(copies(team, team.name)):
            return None
        found = team.admin.get(copies(team, team.name))
        return found if canonical(found["spec"]["ceiling"]) == canonical(document(*statements)) else None

    return wait_until(shown, f"the ceiling of {team.name}", 20)


def viewer(team):
    """Somebody with what the chart adds to the roles `view`, `edit` and `admin`, in this namespace alone.

    Nothing aggregates here: the chart's roles are bound themselves.
    """
    team.cluster.create_service_account(team.name, "viewer")
    for role in ("deputy-aggregate-to-view", "deputy-aggregate-to-admin"):
        team.admin.create(
            f"/apis/rbac.authorization.k8s.io/v1/namespaces/{team.name}/rolebindings",
            {
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": team.name}],
            },
        )
    return team.cluster.client_for_service_account(team.name, "viewer")


def forbidden(call, *arguments: object) -> bool:
    with pytest.raises(ApiError) as refused:
        call(*arguments)
    return refused.value.code == 403


def test_a_namespace_reads_its_own_limits_and_writes_none(scenario, new_team):
    mine, theirs = new_team(), new_team(ceiling=(READ,))
    wait_ceiling(mine, LIST, WRITE)
    wait_ceiling(theirs, READ)
    user = viewer(mine)
    (found,) = user.get(copies(mine))["items"]
    assert found["metadata"]["name"] == mine.name
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "deputy"}
    # All that the limit says, but for the namespaces that it names.
    said = scenario.admin.get(mine.limit_path)["spec"]
    assert said.pop("namespaces") == [mine.name]
    assert found["spec"] == said
    uid = scenario.admin.get(mine.limit_path)["metadata"]["uid"]
    assert uid not in str(found) and "ownerReferences" not in found["metadata"]

    assert forbidden(user.get, copies(theirs)) and forbidden(user.get, copies(theirs, theirs.name))
    assert forbidden(user.get, f"{API}/namespacelimits") and forbidden(user.get, mine.limit_path)
    wider = {**found, "spec": {**found["spec"], "ceiling": document({**READ, "Resource": "*"})}}
    assert forbidden(user.replace, copies(mine, mine.name), wider)
    assert forbidden(user.patch, copies(mine, mine.name), {"spec": wider["spec"]})
    assert forbidden(user.delete, copies(mine, mine.name))
    made_up = {k: wider[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "made-up"}}
    assert forbidden(user.create, copies(mine), made_up)


def test_the_copy_follows_its_limit_and_leaves_with_it(scenario, new_team):
    team, late = new_team(), new_team(limit=False)
    wait_ceiling(team, LIST, WRITE)
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(READ)}})
    wait_ceiling(team, READ)
    # Another namespace comes into the scope, and this one leaves it.
    scenario.admin.patch(team.limit_path, {"spec": {"namespaces": [late.name]}})
    scenario.wait_gone(copies(team, team.name))
    wait_until(lambda: scenario.admin.exists(copies(late, team.name)), "the copy where the limit applies now", 20)
    # A namespace that is made later.
    scenario.admin.patch(team.limit_path, {"spec": {"namespaces": [late.name, f"{late.name}-*"]}})
    scenario.cluster.create_namespace(f"{late.name}-more")
    shown = f"{API}/namespaces/{late.name}-more/namespacelimits/{team.name}"
    wait_until(lambda: scenario.admin.exists(shown), "the copy in the new namespace", 20)
    scenario.admin.delete(team.limit_path)
    scenario.wait_gone(shown)
    scenario.wait_gone(copies(late, team.name))


def test_an_edit_decides_nothing_and_is_put_right(scenario, new_team):
    team = new_team(ceiling=(READ,))
    before = wait_ceiling(team, READ)
    everything = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    edit = {"spec": {"ceiling": everything, "session": {"tags": {"owner": ["somebody"]}}}}
    scenario.admin.patch(copies(team, team.name), edit)
    made_up = {k: before[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "made-up"}}
    scenario.admin.create(copies(team), made_up)
    refused = scenario.refusal(
        {
            "apiVersion": "deputy.dev/v1alpha1",
            "kind": "AWSRole",
            "metadata": {"name": "wide", "namespace": team.name},
            "spec": {"accountRef": {"name": ACCOUNT}, "policies": [{"name": "all", "document": document(WRITE)}]},
        }
    )
    assert "s3:PutObject" in str(refused)
    # With the next look: the one of a process that begins, rather than the one in ten minutes.
    scenario.deputy.restart("limits")
    after = wait_ceiling(team, READ)
    assert after["spec"] == before["spec"]
    scenario.wait_gone(copies(team, "made-up"))
    # And then nothing is written.
    scenario.deputy.restart("limits")
    new_team()
    other = wait_ceiling(new_team(ceiling=(READ,)), READ)
    assert other and scenario.admin.get(copies(team, team.name))["metadata"] == after["metadata"]
