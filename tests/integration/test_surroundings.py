"""What is around a process is slow, full, read-only or about to end: what is kept is served, and what is new comes as soon as it can."""

import datetime
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import geteuid

import pytest

from rig.proc import Process, wait_until
from rig.wire import Wire

from .scenario import READ, Scenario, Team
from .test_broker import sessions_of
from .wires import answers, before_api_server, before_sts, elsewhere, granted_there, timed

MARGIN = datetime.timedelta(seconds=60)
"""How long before its end a session is given no more."""


def events_of(scenario: Scenario, team: Team, pod: str, reason: str) -> list[str]:
    found = scenario.admin.get(f"/apis/events.k8s.io/v1/namespaces/{team.name}/events")["items"]
    return [e["note"] for e in found if e["reason"] == reason and e["regarding"].get("name") == pod]


def test_a_session_that_ends_while_sts_is_away_is_refused_with_the_reason(scenario, new_team):
    team = new_team(limit=False)
    with elsewhere(scenario, "short-lived") as apart, granted_there(scenario, team, apart, "kept"):
        apart.sts.lifetime = MARGIN + datetime.timedelta(seconds=12)
        until = datetime.datetime.fromisoformat(team.wait_answer(200, "kept", timeout=30)["Expiration"]) - MARGIN
        apart.sts.refusal = (503, "ServiceUnavailable", "away")
        ask = answers(team, "kept")["kept"]
        assert ask().status == 200, "served while STS is away"

        def ended() -> str | None:
            now, answer = datetime.datetime.now(datetime.UTC), ask()
            assert answer.is_at_once, answer
            if answer.status == 200:
                assert now < until, "given after its time"
                return None
            assert answer.status == 503, answer
            return answer.words

        words = wait_until(ended, "it is given no more", 30, every=0.5)
        # What STS said, or that the tries go on.
        assert "no session of AWSRole " in words and words.startswith(("Unavailable: ", "NotReady: ")), words
        told = wait_until(lambda: (ask(), events_of(scenario, team, "kept", "CredentialsNotReady"))[1], "an event", 20, every=0.5)
        assert "no session of AWSRole " in told[0], told
        apart.sts.refusal, apart.sts.lifetime = None, datetime.timedelta(hours=1)
        wait_until(lambda: ask().status == 200, "a session, once STS is back", 35)


def test_half_a_second_to_everybody_harms_no_pod(scenario, team):
    deputy = scenario.deputy
    with ExitStack() as stack:
        wires = [stack.enter_context(before_api_server(scenario, "broker")), stack.enter_context(before_sts(scenario))]
        wires.append(stack.enter_context(Wire(deputy.port("broker"))))
        for wire in wires:
            wire.delay(0.25)
        team.granted("uploader", READ)
        agent = deputy.start_agent(team.pod(), DEPUTY_BROKER_ADDRESS=f"127.0.0.1:{wires[-1].port}")
        stack.callback(agent.stop)
        agent.wait_ready(timeout=15)
        # Longer than what was confirmed is served without another question.
        for _ in range(4):
            kept = timed(agent.get)
            assert kept.status == 200 and kept.is_at_once, kept
            time.sleep(2)
        scenario.admin.delete(team.binding_path())
        wait_until(lambda: agent.get()[0] == 403, "what is taken away is taken away", 15)


@contextmanager
def broker_by(scenario: Scenario, *wrapper: str) -> Iterator[None]:
    """While the broker runs as another program starts it."""
    deputy = scenario.deputy
    deputy.processes["broker"].stop()
    program = [*wrapper, deputy.program, *deputy.rendered.container_args("deputy-broker")[-1:]]
    log = deputy.folder / "broker.log"
    deputy.processes["broker"] = Process("deputy broker", program, log, deputy.environment("broker"), cwd=deputy.folder)
    try:
        deputy.wait_ready("broker")
        yield
    finally:
        deputy.processes["broker"].stop()
        deputy.start_process("broker")


def test_with_few_open_files_whoever_says_nothing_keeps_nobody_out(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    with broker_by(scenario, "prlimit", "--nofile=96"), ExitStack() as stack:
        team.wait_answer(200)
        ask = answers(team, "app")["app"]
        for number in range(120):
            source = (f"127.0.8.{number % 30 + 1}", 0)
            address = ("127.0.0.1", scenario.deputy.port("broker"))
            silent = stack.enter_context(socket.create_connection(address, timeout=5, source_address=source))
            silent.setblocking(False)
            if number % 20 == 0:
                answer = ask()
                assert answer.status == 200 and answer.is_at_once, (number, answer)
        assert ask().status == 200
        assert scenario.deputy.unready("broker") == {}


READ_ONLY = 'mount --make-rprivate / && mount -o remount,bind,ro "$0" && ! touch "$1/probe" && shift && exec "$@"'


@pytest.mark.skipif(geteuid() != 0, reason="only root mounts a file system read-only")
def test_a_broker_needs_no_disk(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    folder = str(scenario.deputy.folder)
    with broker_by(scenario, "unshare", "--mount", "sh", "-c", READ_ONLY, mount_of(folder), folder):
        team.wait_answer(200)
        # Also a new one.
        team.granted("other", READ)
        team.pod("later", "other")
        team.wait_answer(200, "later")


def mount_of(folder: str) -> str:
    """The file system that a folder is in, as it is mounted."""
    points = [line.split()[1] for line in open("/proc/self/mounts", encoding="utf-8")]  # noqa: SIM115
    return max((p for p in points if f"{folder}/".startswith(p.rstrip("/") + "/")), key=len)


def test_an_agent_that_is_killed_serves_again_as_soon_as_it_is_started(scenario, team):
    team.granted("uploader", READ)
    agent = scenario.deputy.start_agent(team.pod())
    try:
        agent.wait_ready()
        before = agent.get()[1]["AccessKeyId"]
        for _ in range(3):
            # As where memory runs out.
            agent.process.kill()
            agent.begin()
            began = time.monotonic()
            wait_until(agent.is_listening, "it listens", 10)
            first = timed(agent.get)
            assert first.status == 200 and first.is_at_once and first.body["AccessKeyId"] == before, first
            assert time.monotonic() - began < 3
    finally:
        agent.stop()


def test_a_broker_that_is_told_to_end_answers_what_is_under_way(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    ask = answers(team, "app")["app"]
    gate = threading.Event()
    fault = scenario.aws.recorder.inject("AssumeRole", when=sessions_of(team), gate=gate)
    heard = []
    asking = threading.Thread(target=lambda: heard.append(ask()))
    asking.start()
    fault.wait_held()
    broker = scenario.deputy.processes["broker"]
    broker.signal(signal.SIGTERM)
    gate.set()
    asking.join()
    assert heard and heard[0].status == 200, heard
    assert broker.wait(10) == 0
    scenario.deputy.start_process("broker")
    wait_until(lambda: ask().status == 200, "the next one", 15)
