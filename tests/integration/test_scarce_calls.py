"""An AWS account that grants one call a second, and thousands of looks that wait for it. In a cluster of its own: what is made here is
never to be finished."""

import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.proc import wait_until

from .scenario import API, LIST, READ, Scenario, Team, document, limit, role, started

TIMES = int(os.environ.get("DEPUTY_TEST_TIMES", "1"))
"""How often each way to take something away is measured."""
LOOKS = int(os.environ.get("DEPUTY_TEST_LOOKS", "5000"))
"""Roles that wait to be looked at."""
CROWDS, CLIENTS = 20, 8
CHANGES = 50
"""Of these roles so many are changed, and wait among what changed."""
WITHIN = 10
"""Seconds within which a suspension is to be in AWS."""
SETTLED = 5
"""Seconds without a call about a role after which it is done with."""
DEPTH = re.compile(r'^deputy_controller_queue_depth\{kind="(?P<kind>\w+)",lane="(?P<lane>\w+)"\} (?P<depth>\d+)$', re.MULTILINE)


class Grant:
    """So many calls a second, and none saved up beyond a second's: the others are refused as AWS does."""

    def __init__(self, rate: float) -> None:
        self._rate, self._tokens, self._filled = rate, rate, time.monotonic()
        self._lock = threading.Lock()
        self.granted = 0

    def refuses(self, call: dict[str, str]) -> bool:
        """Whether a call with these parameters is one too many. STS has limits of its own."""
        if call.get("Action") in ("AssumeRole", "GetCallerIdentity"):
            return False
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._rate, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens < 1:
                return True
            self._tokens -= 1
            self.granted += 1
            return False


class Crowd:
    """All of it: the roles that wait, and some in namespaces of their own that are well and bound."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.admin, self.recorder = scenario, scenario.admin, scenario.aws.recorder
        self.names = [(f"crowd-{n % CROWDS}", f"app-{n}") for n in range(LOOKS)]
        self.grant: Grant
        scenario.create(limit("crowd", ["crowd-*"]))
        for n in range(CROWDS):
            scenario.cluster.create_namespace(f"crowd-{n}")

    def gather(self) -> None:
        """Makes the roles while no controller runs, and starts one to which AWS grants one call a second, and no list: each role has to
        be looked at by itself."""
        deputy = self.scenario.deputy
        deputy.processes["controller"].stop()
        started = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(lambda name: self.scenario.create(role(*name, READ)), self.names):
                pass
        print(f"{LOOKS} roles made in {time.monotonic() - started:.0f} s")
        self.grant = Grant(1)
        self.recorder.inject(when=self.grant.refuses, code="Throttling", name="one call a second")
        self.recorder.inject("ListRoles", "GetAccountAuthorizationDetails", code="AccessDenied", status=403, name="no list")
        deputy.start_process("controller")
        wait_until(lambda: self.depth("routine") > LOOKS - 100, "all wait to be looked at", 120)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(self.change, self.names[-CHANGES:]):
                pass
        wait_until(lambda: self.depth("change") > CHANGES // 2, "some wait that changed", 60)
        # The controller has found out what AWS grants.
        before = self.grant.granted
        wait_until(lambda: self.grant.granted >= before + 15, "calls are granted", 60)

    def change(self, name: tuple[str, str]) -> None:
        """Another duration of its sessions."""
        path = f"{API}/namespaces/{name[0]}/awsroles/{name[1]}"
        self.admin.patch(path, {"spec": {"maxSessionDuration": "2h"}})

    def depth(self, lane: str) -> int:
        """How many roles wait in a lane."""
        page = self.scenario.deputy.metrics("controller")
        return sum(int(m["depth"]) for m in DEPTH.finditer(page) if (m["kind"], m["lane"]) == ("AWSRole", lane))

    def is_settled(self, role_name: str) -> bool:
        """Whether nobody has called AWS about a role for so long that nobody will."""
        last = [call.time for call in self.recorder.calls() if call.parameters.get("RoleName") == role_name]
        return time.time() - last[-1] > SETTLED

    def closed(self, role_name: str, since: int) -> float | None:
        """When the write that lets nobody in arrived at AWS."""
        for call in self.recorder.calls("UpdateAssumeRolePolicy", since=since):
            if call.parameters["RoleName"] == role_name and call.ok and '"Allow"' not in call.parameters["PolicyDocument"]:
                return call.time
        return None


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> Iterator[Crowd]:
    """Everything started, the roles not gathered yet."""
    with started(tmp_path_factory.mktemp("scarce")) as scenario:
        yield Crowd(scenario)


def unbind(team: Team) -> None:
    """Nobody is bound to the role any more."""
    team.admin.delete(team.binding_path())


def refuse(team: Team) -> None:
    """Another limit of the namespace allows less than the role has."""
    path = f"{API}/delegationlimits/{team.name}-other"
    meant = {"annotations": {"deputy.dev/accept-suspending": "10"}}
    team.admin.patch(path, {"metadata": meant, "spec": {"ceiling": document(LIST)}})


def delete(team: Team) -> None:
    """The role is not to be there any more."""
    team.admin.delete(team.role_path())


WAYS = (unbind, refuse, delete)


def test_a_suspension_lands_in_time_while_thousands_of_looks_wait(crowd):
    teams = [(way, Team(crowd.scenario, f"{way.__name__}-{n}")) for n in range(TIMES) for way in WAYS]
    for way, team in teams:
        if way is refuse:
            # Who has to be quick is the controller alone: no boundary policy follows from this limit.
            team.another_limit("other", LIST, READ, boundary={"type": "CheckOnly"})
        team.granted("uploader", READ)
    names = {team.name: team.aws_name() for _, team in teams}
    crowd.gather()
    took: dict[str, float] = {}
    for way, team in teams:
        waiting, mark = crowd.depth("routine"), crowd.recorder.mark()
        assert waiting > LOOKS * 0.9, waiting
        way(team)
        answered = time.time()
        at = wait_until(lambda name=names[team.name], mark=mark: crowd.closed(name, mark), f"{team.name}: closed", 60)
        took[team.name] = at - answered
        print(f"{team.name}: {took[team.name]:.1f} s, {waiting} looks and {crowd.depth('change')} changes waited")
        wait_until(lambda name=names[team.name]: crowd.is_settled(name), f"{team.name}: nothing more is done about it", 60)
    calls = crowd.recorder.calls()
    refused = sum(c.fault == "one call a second" for c in calls)
    print(f"{crowd.grant.granted} calls granted, {refused} refused")
    assert max(took.values()) <= WITHIN, took
