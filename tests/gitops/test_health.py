"""Each state that an object can be in, and what GitOps tools make of it."""

import re

import pytest
import yaml

from rig.tools import ROOT

from .health import argo_cd, flux, flux_expressions, lua_scripts


def obj(*conditions: tuple[str, str, str], kind: str = "AWSRole", generation: int = 2, observed: int = 2, **metadata: object) -> dict:
    """An object with these conditions: type, status, reason."""
    listed = [
        {"type": type_, "status": status, "reason": reason, "message": "because", "observedGeneration": observed}
        for type_, status, reason in conditions
    ]
    return {"kind": kind, "metadata": {"generation": generation, **metadata}, "status": {"conditions": listed}}


ACCEPTED = ("Accepted", "True", "WithinLimits")
STATES = {
    "new": ({"kind": "AWSRole", "metadata": {"generation": 1}}, "Progressing", "inProgress"),
    "an empty status": ({"kind": "AWSRole", "metadata": {"generation": 1}, "status": {}}, "Progressing", "inProgress"),
    "ready": (obj(ACCEPTED, ("Ready", "True", "Ready")), "Healthy", "current"),
    "ready before it was changed": (obj(ACCEPTED, ("Ready", "True", "Ready"), observed=1), "Progressing", "inProgress"),
    "refused before it was changed": (
        obj(("Accepted", "False", "ExceedsLimit"), ("Ready", "False", "Suspended"), observed=1),
        "Progressing",
        "inProgress",
    ),
    "suspended": (obj(("Accepted", "False", "ExceedsLimit"), ("Ready", "False", "Suspended")), "Degraded", "failed"),
    "refused": (obj(("Accepted", "False", "Duration"), ("Ready", "False", "NotAccepted")), "Degraded", "failed"),
    "without a limit yet": (obj(("Accepted", "False", "NoLimit"), ("Ready", "False", "NotAccepted")), "Progressing", "inProgress"),
    "not decided yet": (obj(("Accepted", "Unknown", "ManagedPolicy"), ("Ready", "False", "NotAccepted")), "Progressing", "inProgress"),
    "under way": (obj(ACCEPTED, ("Ready", "False", "Progressing")), "Progressing", "inProgress"),
    "not known": (obj(ACCEPTED, ("Ready", "Unknown", "AWSError")), "Progressing", "inProgress"),
    # AWS may give in; Flux goes on for `timeout`.
    "refused by AWS": (obj(ACCEPTED, ("Ready", "False", "AccessDenied")), "Degraded", "inProgress"),
    "on its way out": (
        obj(ACCEPTED, ("Ready", "True", "Ready"), deletionTimestamp="2026-11-30T12:00:00Z"),
        "Progressing",
        "current",
    ),
    "a binding without its role yet": (
        obj(("Accepted", "False", "RoleNotFound"), ("Ready", "False", "RoleNotFound"), kind="AWSRoleBinding"),
        "Progressing",
        "inProgress",
    ),
    "a binding that is refused": (
        obj(("Accepted", "False", "SessionTag"), ("Ready", "False", "NotAccepted"), kind="AWSRoleBinding"),
        "Degraded",
        "failed",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_tool_waits_goes_on_or_gives_up_as_the_conditions_say(state):
    found, argo, of_flux = STATES[state]
    assert argo_cd(found)[0] == argo
    assert flux(found) == of_flux


@pytest.mark.parametrize("kind", ["AWSAccount", "DelegationLimit"])
def test_kinds_that_are_not_accepted_are_judged_by_ready_alone(kind):
    assert argo_cd(obj(("Ready", "True", "Ready"), kind=kind))[0] == "Healthy"
    assert argo_cd(obj(("Ready", "False", "Invalid"), kind=kind))[0] == "Degraded"


def test_argo_cd_has_a_check_of_every_kind_and_no_key_of_anybody_else():
    kinds = {yaml.safe_load(path.read_text())["spec"]["names"]["kind"] for path in (ROOT / "crds").glob("*.yaml")}
    assert set(lua_scripts()) == kinds


def test_a_copy_of_a_limit_is_healthy_as_it_is():
    assert argo_cd({"kind": "NamespaceLimit", "metadata": {"generation": 1}, "status": {}})[0] == "Healthy"


def test_argo_cd_shows_why_an_object_is_not_ready():
    refused = obj(("Accepted", "False", "ExceedsLimit"), ("Ready", "False", "Suspended"))
    assert argo_cd(refused)[1] == "ExceedsLimit: because"


def test_both_tools_wait_for_the_same_reasons_and_all_are_reasons_of_deputy():
    [script] = set(lua_scripts().values())
    by_lua = set(re.findall(r"(\w+) = true", script))
    contracts = (ROOT / "docs" / "contracts.md").read_text()
    assert by_lua <= set(re.findall(r"`(\w+)`", contracts))
    for expressions in flux_expressions().values():
        assert set(re.findall(r"'(\w+)'[,\]]", expressions["failed"])) == by_lua
