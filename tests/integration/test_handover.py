"""Two controllers, of which the one that leads dies, falls asleep, or loses its Lease."""

import re
import signal
import threading

import pytest

from rig.aws import Credentials
from rig.deputy import NAMESPACE
from rig.proc import wait_until

from .scenario import LIST, READ, document, role

WRITES = ("CreateRole", "PutRolePolicy", "UpdateAssumeRolePolicy", "DeleteRole")
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/deputy-controller"


class Pair:
    """The controller that leads, and one that waits for its turn, each known in AWS by a key of its own."""

    def __init__(self, scenario) -> None:
        self.scenario, self.deputy, self.recorder = scenario, scenario.deputy, scenario.aws.recorder
        self.key = scenario.iam().create_access_key(UserName="deputy-provisioner")["AccessKey"]
        second = Credentials.of(self.key)
        self.names = {self.deputy.identities["controller"].access_key_id: "first", second.access_key_id: "second"}
        self.second = self.deputy.start_process("controller", replica="b", **second.environment())
        self.first = self.deputy.processes["controller"]

    def end(self) -> None:
        self.deputy.processes.pop("controllerb").stop()
        self.scenario.iam().delete_access_key(UserName="deputy-provisioner", AccessKeyId=self.key["AccessKeyId"])

    def writers(self, since: int) -> list[str]:
        """Who wrote, in order, each as often as it took turns."""
        turns: list[str] = []
        for call in self.recorder.calls(*WRITES, since=since):
            name = self.names[call.access_key_id]
            turns += [name] if turns[-1:] != [name] else []
        return turns

    def holder(self) -> str:
        return self.scenario.admin.get(LEASE)["spec"].get("holderIdentity", "")


@pytest.fixture
def pair(scenario):
    both = Pair(scenario)
    yield both
    both.end()


def test_who_waits_takes_over_a_leader_that_dies_under_load(scenario, team, pair):
    names = [f"role-{n}" for n in range(40)]
    mark = pair.recorder.mark()
    for name in names:
        scenario.create(role(team.name, name, READ))
    pair.recorder.wait_for("PutRolePolicy", count=5, since=mark, timeout=20)
    pair.first.kill()
    # The duration of the Lease and two seconds, and what a loaded machine adds.
    wait_until(lambda: pair.writers(mark) == ["first", "second"], "the second one goes on", 25)
    for name in names:
        team.wait_role(name, timeout=60)
    assert pair.writers(mark) == ["first", "second"]
    made = [n for n in scenario.roles_in_aws() if f".{team.name}." in n]
    assert len(made) == len(names)


def test_a_leader_that_was_asleep_writes_nothing_when_it_wakes(scenario, team, pair):
    mark = pair.recorder.mark()
    team.role("uploader", READ)
    assert pair.writers(mark) == ["first"]
    gate = threading.Event()
    # It is asleep in the middle of a call, with more to do after it.
    fault = pair.recorder.inject("PutRolePolicy", when=lambda c: f".{team.name}." in c.get("RoleName", ""), gate=gate, times=1)
    scenario.create(role(team.name, "other", READ))
    fault.wait_held()
    pair.first.signal(signal.SIGSTOP)
    mark = pair.recorder.mark()
    gate.set()
    try:
        scenario.admin.patch(team.role_path(), {"spec": {"policies": [policy_of(READ, LIST)]}})
        wait_until(lambda: team.inline() == {"deputy": document(READ, LIST)}, "the second one writes", 40)
        team.wait_role("other", timeout=40)
    finally:
        pair.first.signal(signal.SIGCONT)
    assert pair.first.wait(20) == 3, "it finds that it does not lead any more, and ends"
    # The one call that was under way when it fell asleep may be among them, and nothing after it.
    later = [c for c in pair.recorder.calls(*WRITES, since=mark) if pair.names[c.access_key_id] == "first"]
    assert [c.action for c in later if c.action != "PutRolePolicy"] == [] and len(later) <= 1
    assert team.inline() == {"deputy": document(READ, LIST)}


def test_a_lease_that_somebody_deletes_is_nobodys_until_it_would_have_run_out(scenario, team, pair):
    before = pair.holder()
    assert before
    scenario.admin.delete(LEASE)
    wait_until(lambda: pair.holder().startswith("nobody"), "the Lease is there, and nobody's", 10)
    assert pair.first.wait(20) == 3, "who held it ends"
    mark = pair.recorder.mark()
    scenario.create(role(team.name, "uploader", READ))
    team.wait_role(timeout=40)
    assert pair.writers(mark) == ["second"]
    assert pair.holder() not in ("", before)


def test_a_lease_is_renewed_with_the_priority_of_the_clusters_own(scenario):
    labels = r'flow_schema="deputy-leases",priority_level="leader-election"'
    served = re.compile(rf"^apiserver_flowcontrol_dispatched_requests_total\{{{labels}\}} (\d+)$", re.M)

    def renewals() -> int:
        found = served.search(scenario.cluster.kubectl("get", "--raw", "/metrics").stdout)
        return int(found[1]) if found else 0

    before = renewals()
    # Two processes lead, and each renews every five seconds.
    wait_until(lambda: renewals() >= before + 2, "renewals that the FlowSchema takes", 30, every=1)


def policy_of(*statements) -> dict:
    return {"name": "objects", "document": document(*statements)}
