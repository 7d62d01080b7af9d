"""What Deputy depends on freezes: connections stay open, and nothing comes through them. Whoever has a credential goes on with it, whoever is
new hears why not yet within a second, nobody else notices, and all comes back by itself soon after."""

import fcntl
import http.client
import json
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.apiclient import ApiError
from rig.proc import Process, wait_until
from rig.wire import Wire

from .scenario import LIST, READ, Scenario, Team
from .wires import Answer, answers, before_api_server, before_sts, elsewhere, granted_there, timed


def kept_and_new(team: Team) -> dict[str, Callable[[], Answer]]:
    """A pod whose session the broker keeps, and one of which it has none yet."""
    for name in ("uploader", "late"):
        team.granted(name, READ)
    team.pod("kept", "uploader")
    team.pod("new", "late")
    team.wait_answer(200, "kept")
    return answers(team, "kept", "new")


# --- the API server


def test_a_frozen_api_server_takes_no_session_away_and_gives_no_new_one(scenario, team, new_team):
    with before_api_server(scenario, "broker") as wire:
        other = new_team()
        other.granted("uploader", READ)
        other.pod()
        other.wait_answer(200)
        ask = kept_and_new(team) | {"other": answers(other, "app")["app"]}
        with wire.frozen():
            # A pod that nobody has told the broker of.
            team.pod("unseen", "uploader")
            ask |= answers(team, "unseen")
            unseen = ask["unseen"]()
            assert unseen.status == 503 and unseen.is_at_once, unseen
            said = "has said nothing about"

            def stale() -> bool:
                assert ask["kept"]().status == ask["other"]().status == 200
                return said in str(scenario.deputy.unready("broker"))

            wait_until(stale, "what it knows is too old to decide by", 45, every=0.5)
            new = ask["new"]()
            assert new.status == 503 and new.is_at_once, new
            assert new.words.startswith("NotReady: ") and said in new.words, new.words
            for name in ("kept", "other"):
                kept = ask[name]()
                assert kept.status == 200 and kept.is_at_once, (name, kept)
        for name in ("new", "unseen"):
            wait_until(lambda name=name: ask[name]().status == 200, f"{name}: after it thawed", 30)
        assert scenario.deputy.unready("broker") == {}


def test_a_webhook_without_the_api_server_says_so_and_sessions_go_on(scenario, team):
    with before_api_server(scenario, "webhook") as wire:
        team.granted("uploader", READ)
        team.pod()
        team.wait_answer(200)
        with wire.frozen():
            began = time.monotonic()
            pod = team.pod("early")
            assert time.monotonic() - began < 5 and "deputy-agent" in json.dumps(pod["spec"]), "known by heart"
            said = "has said nothing about"
            # Not ready: its Service sends the reviews to other replicas.
            wait_until(lambda: said in str(scenario.deputy.unready("webhook")), "it is too old", 45, every=0.5)
            began = time.monotonic()
            with pytest.raises(ApiError) as refused:
                team.role("second", LIST)
            assert said in refused.value.message and time.monotonic() - began < 5, refused.value.message
            # Sessions, and what was granted, are none of the webhook's.
            assert team.ask()[0] == 200
            team.wait_role()
            # A pod must not begin without what it is to have; whoever makes it tries again.
            began = time.monotonic()
            with pytest.raises(ApiError) as refused:
                team.pod("later")
            assert "what injection goes by could not be read" in refused.value.message, refused.value.message
            assert time.monotonic() - began < 5

        def taken() -> bool:
            team.role("second", LIST, wait=False)
            return True

        wait_until(taken, "a role, after it thawed", 30, every=0.5)
        assert "deputy-agent" in json.dumps(team.pod("later")["spec"])
        team.wait_role("second")


# --- STS


def test_a_frozen_sts_keeps_what_is_kept_and_says_so_to_whoever_is_new(scenario, team):
    with before_sts(scenario) as wire:
        ask = kept_and_new(team)
        with wire.frozen():
            first = ask["new"]()
            assert first.status == 503 and first.is_at_once, first
            assert first.words.startswith("NotReady: no session of AWSRole ") and "has not answered yet" in first.words
            # The call goes on; one that ends in vain is told as that.
            for _ in range(4):
                kept, new = ask["kept"](), ask["new"]()
                assert kept.status == 200 and kept.is_at_once, kept
                assert new.status == 503 and new.is_at_once, new
        wait_until(lambda: ask["new"]().status == 200, "a session, after it thawed", 35)


def test_of_two_accounts_a_frozen_sts_is_noticed_in_its_own_alone(scenario, team, new_team):
    team.granted("uploader", READ)
    there = new_team(limit=False)
    with elsewhere(scenario, "elsewhere") as apart, granted_there(scenario, there, apart, "kept", "new"):
        there.wait_answer(200, "kept", timeout=30)
        ask = answers(there, "kept", "new")
        with apart.wire.frozen():
            waiting = [threading.Thread(target=ask["new"]) for _ in range(32)]
            for one in waiting:
                one.start()
            team.pod("first")
            first = timed(lambda: team.ask("first"))
            assert first.status == 200, "a first session of the other account"
            new, kept = ask["new"](), ask["kept"]()
            assert new.status == 503 and new.is_at_once and "has not answered yet" in new.words, new
            assert kept.status == 200 and kept.is_at_once, kept
            for one in waiting:
                one.join()
        wait_until(lambda: ask["new"]().status == 200, "a session there, after it thawed", 35)


# --- the broker


def test_a_frozen_broker_takes_nothing_away_and_new_pods_hear_why_they_wait(scenario, team, new_team):
    other = new_team()
    deputy = scenario.deputy
    for one in (team, other):
        one.granted("uploader", READ)
    with Wire(deputy.port("broker")) as wire:
        behind = {"DEPUTY_BROKER_ADDRESS": f"127.0.0.1:{wire.port}"}
        agents = {"kept": deputy.start_agent(team.pod("kept"), **behind), "other": deputy.start_agent(other.pod())}
        try:
            for agent in agents.values():
                agent.wait_ready()
            before = agents["kept"].get()[1]
            with wire.frozen():
                new = agents["new"] = deputy.start_agent(team.pod("new"), **behind)
                wait_until(new.is_listening, "the new agent listens", 10)
                first = timed(new.get)
                assert first.status == 503 and first.is_at_once, first
                assert "the broker has not answered yet" in first.words, first.words
                time.sleep(6)  # what was confirmed for longer than five seconds is asked about again
                for _ in range(3):
                    kept = timed(agents["kept"].get)
                    assert kept.status == 200 and kept.is_at_once, kept
                    assert kept.body["AccessKeyId"] == before["AccessKeyId"]
                assert timed(agents["other"].get).status == 200
            # After pauses of ten seconds at most, one call that still waits, and a dial.
            new.wait_ready(timeout=25)
            assert new.get()[0] == 200
        finally:
            for agent in agents.values():
                agent.stop()


# --- where the audit log goes


class Reader:
    """Whoever reads the standard output of a process: a named pipe of a page, and a file for what was read."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.pipe, self.file = folder / "stdout", file
        os.mkfifo(self.pipe)
        self._may_read = threading.Event()
        self._may_read.set()
        # Open for both, so that nobody waits for the other end, and none ends when the writer does.
        self._end = os.open(self.pipe, os.O_RDWR)
        fcntl.fcntl(self._end, fcntl.F_SETPIPE_SZ, 4096)
        threading.Thread(target=self._read, daemon=True).start()

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    def _read(self) -> None:
        with self.file.open("ab") as file:
            while True:
                self._may_read.wait()
                file.write(os.read(self._end, 4096))
                file.flush()


@pytest.fixture
def reader(scenario, tmp_path) -> Iterator[Reader]:
    """Whoever reads the audit log of the broker, which makes no session when a line has waited for two seconds."""
    deputy = scenario.deputy
    deputy.processes["broker"].stop()
    reader = Reader(tmp_path, deputy.folder / "broker-read.log")
    env = {**deputy.environment("broker"), "DEPUTY_AUDIT_REQUIRED_WITHIN": "2s"}
    program = [deputy.program, *deputy.rendered.container_args("deputy-broker")[-1:]]
    process = Process("deputy broker", program, reader.pipe, env, cwd=deputy.folder)
    process.log = reader.file
    deputy.processes["broker"] = process
    deputy.wait_ready("broker")
    yield reader
    reader.resume()
    deputy.processes["broker"].stop()
    deputy.start_process("broker")


def fill_pipe(scenario: Scenario) -> None:
    """Has audit lines written until the pipe is full: strangers have one for each address that they come from."""
    context = ssl.create_default_context(cadata=scenario.deputy.broker_bundle())
    for number in range(1, 101):
        source = (f"127.0.9.{number}", 0)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", scenario.deputy.port("broker"), timeout=5, context=context, source_address=source
        )
        connection.request("GET", "/v1/credentials", headers={"Authorization": "Bearer a.b.c"})
        assert connection.getresponse().status == 401
        connection.close()
    wait_until(lambda: "audit" in (scenario.deputy.unready("broker") or {}), "audit lines wait for too long", 20)


def test_while_nobody_reads_the_audit_log_what_is_kept_is_given_and_nothing_new(scenario, team, reader):
    ask = kept_and_new(team)
    issued = "SessionIssued"
    wait_until(lambda: issued in reader.file.read_text(), "lines are read", 10)
    reader.pause()
    fill_pipe(scenario)
    kept, new = ask["kept"](), ask["new"]()
    assert kept.status == 200 and kept.is_at_once, kept
    assert new.status == 503 and new.is_at_once, new
    assert new.words.startswith("Unavailable: ") and "the audit log can't be written" in new.words, new.words
    assert not [c for c in scenario.aws.recorder.calls("AssumeRole") if f".{team.name}.late" in c.parameters["RoleArn"]]
    reader.resume()
    wait_until(lambda: ask["new"]().status == 200, "a session, once it is read", 15)

    def recorded() -> bool:
        lines = [json.loads(line) for line in reader.file.read_text().splitlines() if line.endswith("}")]
        mine = [one for one in lines if one.get("namespace") == team.name and one.get("event") == issued]
        return {one["service_account"] for one in mine} == {"uploader", "late"}

    wait_until(recorded, "each session has its line", 10)
