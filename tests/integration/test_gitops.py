"""What GitOps tools make of objects as the processes leave them."""

from rig.proc import NotReady, wait_until

from gitops.health import argo_cd, flux

from .scenario import LIST, READ, document


def test_tools_see_a_grant_come_wait_be_suspended_and_come_back(scenario, new_team):
    team = new_team(limit=False)
    team.role("uploader", READ, wait=False)
    team.binding("uploader", "uploader", wait=False)
    paths = (team.role_path(), team.binding_path())

    def seen() -> list[tuple[str, str]]:
        found = [scenario.admin.get(path) for path in paths]
        return [(argo_cd(one)[0], flux(one)) for one in found]

    def are(role: tuple[str, str], binding: tuple[str, str]) -> None:
        try:
            wait_until(lambda: seen() == [role, binding], f"{role} and {binding}")
        except NotReady as error:
            raise AssertionError(f"{seen()}: {[scenario.admin.get(p)['status']['conditions'] for p in paths]}") from error

    waiting, good = ("Progressing", "inProgress"), ("Healthy", "current")
    are(waiting, waiting)
    team.limit(READ)
    are(good, good)
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST)}})
    # The binding is as it should be, and waits for its role.
    are(("Degraded", "failed"), waiting)
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(READ)}})
    are(good, good)
    limit = scenario.admin.get(team.limit_path)
    assert argo_cd(limit)[0] == "Healthy"
