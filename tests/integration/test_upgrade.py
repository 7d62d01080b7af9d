"""Two versions of Deputy, one after the other and beside each other: what one wrote, the other one reads, and no role is made again.

An older version is there where DEPUTY_TEST_OLDER_BUILD names the folder that `hack/older-build` made of it.
"""

import copy
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig.aws import Aws, Credentials, error_code
from rig.cluster import Cluster
from rig.deputy import Deputy
from rig.kube_render import CHART
from rig.proc import wait_until
from rig.tools import cargo_binary

from .scenario import ACCOUNT, API, BUCKET, LIST, READ, Scenario, Team, document, started

OLDER = os.environ.get("DEPUTY_TEST_OLDER_BUILD", "")
ORDER = ("webhook", "limits", "controller", "broker")
KINDS = ("awsaccounts", "delegationlimits", "awsroles", "awsrolebindings")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FUTURE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


# --- statuses of other versions


@contextmanager
def newer_schema(scenario: Scenario) -> Iterator[None]:
    """While the definitions are those of a newer version: their status has a field more."""
    before = {}
    for plural in KINDS:
        path = f"{CRDS}/{plural}.deputy.dev"
        found = scenario.admin.get(path)
        before[path] = copy.deepcopy(found["spec"])
        for version in found["spec"]["versions"]:
            version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["future"] = FUTURE
        scenario.admin.patch(path, {"spec": {"versions": found["spec"]["versions"]}})
    try:
        yield
    finally:
        for path, spec in before.items():
            scenario.admin.patch(path, {"spec": {"versions": spec["versions"]}})


def paths(team: Team) -> list[str]:
    return [f"{API}/awsaccounts/{ACCOUNT}", team.limit_path, team.role_path(), team.binding_path()]


@pytest.fixture(scope="module")
def apart(tmp_path_factory) -> Iterator[Scenario]:
    """Everything started, apart from what other tests use."""
    with started(tmp_path_factory.mktemp("versions")) as whole:
        yield whole


def may_read(scenario: Scenario, who: Credentials) -> bool:
    return error_code(scenario.aws.client("s3", who).get_object, Bucket=BUCKET, Key="report.txt") is None


def test_what_a_newer_version_wrote_into_a_status_is_kept(apart):
    team = Team(apart, "newer")
    team.granted("uploader", READ)
    with newer_schema(apart):

        def noted() -> bool:
            """The API server takes the field as soon as it serves the schema."""
            for path in paths(team):
                apart.admin.patch(f"{path}/status", {"status": {"future": {"phase": "Later"}}})
            return all(apart.admin.get(path)["status"].get("future") for path in paths(team))

        wait_until(noted, "the newer status is stored", 20)
        for name in ("controller", "limits"):
            apart.deputy.restart(name)
        # Each status is written by the version that does not know the field.
        change = [{"name": "objects", "document": document(READ, LIST)}]
        apart.admin.patch(team.role_path(), {"spec": {"policies": change}})
        apart.admin.patch(team.limit_path, {"spec": {"session": {"maxDuration": "2h"}}})
        apart.admin.patch(team.binding_path(), {"spec": {"session": {"duration": "30m"}}})
        team.wait_limit(timeout=60)
        team.wait_role(timeout=60)
        team.wait_binding(timeout=60)
        wait_until(lambda: team.inline() == {"deputy": document(READ, LIST)}, "decided and done", 30)
        kept = {path: apart.admin.get(path)["status"].get("future") for path in paths(team)}
        assert all(kept.values()), kept


def test_a_status_of_an_older_version_is_read(apart):
    team = Team(apart, "older")
    team.granted("uploader", READ)
    team.pod()
    running = Credentials.of(credentials(team.wait_answer(200)))
    assert may_read(apart, running)
    before = team.in_aws()
    # All that an older version may not have written. The conditions stay, and what names the role.
    apart.deputy.processes["controller"].stop()
    apart.deputy.processes["limits"].stop()
    known = {"conditions", "observedGeneration", "roleARN", "roleID", "boundaries"}
    for path in paths(team):
        status = apart.admin.get(path)["status"]
        apart.admin.patch(f"{path}/status", {"status": {field: None for field in status if field not in known}})
    for entry in (limit := apart.admin.get(team.limit_path))["status"]["boundaries"]:
        entry.pop("documentHash", None), entry.pop("lastVerified", None)
    apart.admin.patch(f"{team.limit_path}/status", {"status": {"boundaries": limit["status"]["boundaries"]}})
    for name in ("limits", "controller"):
        apart.deputy.start_process(name)
    mark = apart.aws.recorder.mark()
    team.ask_for_a_look()
    apart.aws.recorder.wait_for("GetRole", since=mark, timeout=60)
    wait_until(lambda: "sessions" in apart.admin.get(team.role_path())["status"], "the record is written again", 60)
    team.wait_limit(timeout=60)
    team.wait_role(timeout=60)
    team.wait_binding(timeout=60)
    after = team.in_aws()
    assert (after["RoleId"], after["AssumeRolePolicyDocument"]) == (before["RoleId"], before["AssumeRolePolicyDocument"])
    assert may_read(apart, running), "who is bound is not cut off"
    team.wait_answer(200)


def credentials(answer: dict) -> dict:
    """What the broker answers, under the names of STS."""
    return {"AccessKeyId": answer["AccessKeyId"], "SecretAccessKey": answer["SecretAccessKey"], "SessionToken": answer["Token"]}


# --- an older version, upgraded, rolled back, and upgraded again


class Load:
    """Objects that are made, and sessions that are asked for, for as long as it runs."""

    def __init__(self, team: Team) -> None:
        self.team, self.made, self.answers = team, [], []
        self._token = team.cluster.pod_token(team.name, "app")
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=what, daemon=True) for what in (self._make, self._ask)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _make(self) -> None:
        while not self._ended.wait(1):
            name = f"made-{len(self.made)}"
            try:
                self.team.cluster.create_service_account(self.team.name, name)
                self.team.role(name, READ, wait=False)
                self.team.binding(name, name, wait=False)
            except Exception:  # noqa: BLE001, S112 - the webhook is between two versions
                continue
            self.made.append(name)

    def _ask(self) -> None:
        bundle = self.team.deputy.broker_bundle()
        while not self._ended.wait(0.2):
            try:
                status, _, body = self.team.deputy.ask_broker(self._token, bundle=bundle)
            except OSError:
                status, body = 0, {}
            self.answers.append((time.monotonic(), status, body.get("Code", "")))


class Upgrade:
    """From one version to the other and back."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.deputy = scenario, scenario.deputy
        self.away: list[tuple[float, float]] = []
        """When no broker was ready."""
        self.role_ids: dict[str, str] = {}

    def to(self, program: Path, chart: Path) -> None:
        """As `helm upgrade` and `helm rollback` do: definitions and rights first, then one process after the other."""
        self.deputy.program, self.deputy.chart = program, chart
        self.deputy.install()
        for name in ORDER:
            stopped = time.monotonic()
            self.deputy.processes[name].stop()
            self.deputy.start_process(name, wait=False)
            self.deputy.wait_ready(name, timeout=90)
            if name == "broker":
                self.away.append((stopped, time.monotonic()))

    def refused(self, answers: list[tuple[float, int, str]]) -> list[tuple[float, int, str]]:
        """Answers without a session, but for those while no broker was ready."""

        def served(at: float) -> bool:
            return not any(begin <= at <= end + 1 for begin, end in self.away)

        return [answer for answer in answers if answer[1] != 200 and served(answer[0])]

    def settle(self, team: Team, names: list[str]) -> None:
        """Waits until all is as asked for; each role is the one that it was."""
        for name in names:
            team.wait_role(name, timeout=120)
            team.wait_binding(name, timeout=120)
            team.wait_trusted(name, timeout=60)
            role_id = team.in_aws(name)["RoleId"]
            assert self.role_ids.setdefault(name, role_id) == role_id, name


@pytest.fixture
def older(tmp_path) -> Iterator[Upgrade]:
    """Everything of the older version, started."""
    if not OLDER:
        pytest.skip("DEPUTY_TEST_OLDER_BUILD names no older version: hack/older-build makes one")
    with Cluster(tmp_path / "cluster") as cluster, Aws(tmp_path / "aws") as aws:
        deputy = Deputy(cluster, aws, tmp_path)
        deputy.program, deputy.chart = Path(OLDER) / "bin" / "deputy", Path(OLDER) / "source" / "charts" / "deputy"
        try:
            yield Upgrade(Scenario(cluster, aws, deputy).start())
        finally:
            deputy.stop()


def test_an_upgrade_under_load_and_back_makes_no_role_again(older):
    scenario, recorder = older.scenario, older.scenario.aws.recorder
    old, new = (older.deputy.program, older.deputy.chart), (cargo_binary("deputy"), CHART)
    team = Team(scenario, "upgraded")
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    names = ["uploader"]
    with Load(team) as load:
        for program, chart in (new, old, new):
            made = len(load.made)
            wait_until(lambda made=made: len(load.made) >= made + 5, "some are made before it", 60)
            older.to(program, chart)
            made = len(load.made)
            wait_until(lambda made=made: len(load.made) >= made + 5, "some are made after it", 60)
            names = ["uploader", *load.made]
            older.settle(team, names)
    names = ["uploader", *load.made]
    older.settle(team, names)
    assert older.refused(load.answers) == []
    assert len(load.answers) > 100 and recorder.calls("DeleteRole") == []
    made = [c.parameters["RoleName"] for c in recorder.calls("CreateRole") if c.ok]
    assert len(made) == len(set(made)) == len(names)

    # Who begins anew finds nothing to do.
    mark = recorder.mark()
    for name in ("limits", "controller"):
        older.deputy.restart(name)

    def looked() -> bool:
        seen = {c.parameters["RoleName"] for c in recorder.calls("GetRole", since=mark)}
        return seen >= set(made) or any(c.ok for c in recorder.calls("GetAccountAuthorizationDetails", since=mark))

    wait_until(looked, "each role is looked at", 200)
    wait_until(lambda: recorder.calls("GetPolicy", since=mark), "and its boundary", 60)
    assert scenario.writes(mark) == []


def test_agents_and_brokers_of_two_versions_work_together(older):
    """Agents live for months in pods. Those of the older version go on with the broker of the newer one, and a newer agent is served by an
    older broker, as while an upgrade is under way or taken back."""
    scenario, deputy = older.scenario, older.deputy
    newest, before = cargo_binary("deputy-agent"), Path(OLDER) / "bin" / "deputy-agent"
    team = Team(scenario, "skewed")
    team.granted("uploader", READ)
    team.wait_binding("uploader")
    agents = []
    try:
        for name, program in (("older", before), ("newer", newest)):
            deputy.agent_program = program
            agents.append(deputy.start_agent(team.pod(name)))
        for agent in agents:
            agent.wait_ready()
            assert agent.get()[0] == 200
        older.to(cargo_binary("deputy"), CHART)
        # The same agents, which ask the new broker for what they hold, and an older one that begins now.
        deputy.agent_program = before
        agents.append(deputy.start_agent(team.pod("later")))
        agents[-1].wait_ready()
        scenario.admin.delete(team.binding_path())
        for agent in agents:
            wait_until(lambda agent=agent: agent.get()[0] == 403, "a refusal of the new broker is heard", 20)
        team.binding()
        for agent in agents:
            wait_until(lambda agent=agent: agent.get()[0] == 200, "a grant of the new broker is heard", 30)
    finally:
        for agent in agents:
            agent.stop()
