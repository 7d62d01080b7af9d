"""What is tried with each SDK. Each case gives a word that is the same in every run, or what the user saw instead."""

import contextlib
import datetime
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .agent import Agent
from .broker import BUSY, MESSAGE, Broker, Certificates
from .catalogue import Sdk
from .program import Answer, Program
from .sts import Proxy, Sts

# The agent hands out nothing in the last minute of a session, so these are used for a few seconds more than a minute at most. The
# SDKs that hold on to a session longest ask again 5 s before its end.
SHORT_LIFE = 66
SESSIONS = 3
"""How many sessions one client has to see."""
_SESSIONS_WITHIN = 180
# After this the agent asks the broker before it gives what it keeps.
_CONFIRMED_FOR = 5.5
# Programs start at the same time, and this machine has few cores.
_busy = threading.Semaphore(4)


@dataclass
class Stage:
    """What all cases share."""

    folder: Path
    certificates: Certificates
    sts: Sts


@dataclass
class Outcome:
    """What came of the cases of one SDK."""

    words: dict[str, str] = field(default_factory=dict)
    """By case."""
    seen: dict[str, str] = field(default_factory=dict)
    """What a user sees, by case."""


@dataclass
class _Set:
    """One SDK on the stage."""

    sdk: Sdk
    argv: Sequence[str | Path]
    stage: Stage
    name: str

    @contextlib.contextmanager
    def broker(self) -> Iterator[Broker]:
        broker = Broker(self.stage.certificates)
        try:
            yield broker
        finally:
            broker.close()

    def agent(self, what: str, broker: Broker, host: str = "127.0.0.1") -> Agent:
        return Agent(self.stage.folder / self.name / f"agent-{what}", broker, self.stage.certificates, host)

    def program(self, what: str, agent: Agent, **more: str) -> Program:
        env = {"AWS_ENDPOINT_URL": self.stage.sts.url, **agent.environment(), **more}
        return Program(self.argv, env, self.stage.folder / self.name / f"home-{what}", self.sdk.one_shot)


def try_all(sdk: Sdk, argv: Sequence[str | Path], stage: Stage) -> Outcome:
    """All cases but `several_sessions`."""
    its = _Set(sdk, argv, stage, _folder_name(sdk))
    outcome = Outcome()
    with _busy, its.broker() as broker:
        with its.agent("main", broker) as agent, its.program("main", agent) as program:
            first = program.call(new=True)
            outcome.words["first"] = _word(first)
            if first.error:
                outcome.seen["first"] = _told(first)
            if sdk.first_only:
                return outcome
            _refused(program, agent, broker, outcome)
            _slow(program, agent, broker, outcome)
            _kept(program, agent, broker, outcome)
        broker.change("normal")
        with its.agent("proxy", broker) as agent, Proxy(stage.sts.address) as proxy:
            outcome.words["proxy"] = _through(proxy, its, agent)
        with its.agent("v6", broker, "::1") as agent, its.program("v6", agent) as program:
            outcome.words["v6"] = _word(program.call(new=True))
    return outcome


def several_sessions(sdk: Sdk, argv: Sequence[str | Path], stage: Stage) -> str:
    """One client of the SDK over several sessions, with a new token in the file after each."""
    its = _Set(sdk, argv, stage, f"{_folder_name(sdk)}-sessions")
    with its.broker() as broker:
        broker.life, broker.renew_after = SHORT_LIFE, 3
        with its.agent("main", broker) as agent, its.program("main", agent) as program:
            used: list[str] = []
            until = time.monotonic() + _SESSIONS_WITHIN
            while time.monotonic() < until:
                answer = program.call()
                word = _word(answer)
                if word != "yes":
                    return f"after {len(used)} sessions: {_told(answer)}"
                if broker.sessions[answer.access_key_id].expiration < datetime.datetime.now(datetime.UTC):
                    return f"session {len(used)} was used after its end"
                if answer.access_key_id not in used:
                    used.append(answer.access_key_id)
                    if len(used) == SESSIONS:
                        return "yes"
                    agent.rotate_token()
                time.sleep(2)
            return f"{len(used)} sessions in {_SESSIONS_WITHIN} s"


def _refused(program: Program, agent: Agent, broker: Broker, outcome: Outcome) -> None:
    for mode, status, message in (("refuse", "403", MESSAGE), ("busy", "503", BUSY)):
        broker.change(mode)
        agent.start()
        answer = program.call(new=True)
        outcome.seen[status] = _told(answer)
        names = {"403": "403|Forbidden", "503": "503|Service ?Unavailable"}[status]
        if message in answer.error:
            outcome.words[status] = "message"
        else:
            outcome.words[status] = "status alone" if re.search(names, answer.error) else "neither"


def _slow(program: Program, agent: Agent, broker: Broker, outcome: Outcome) -> None:
    broker.change("normal")
    for broker.delay in (0.6, 2.5):
        agent.start()
        outcome.words[f"slow {broker.delay}"] = _word(program.call(new=True))
    broker.delay = 0


def _kept(program: Program, agent: Agent, broker: Broker, outcome: Outcome) -> None:
    agent.start()
    before = program.call(new=True).access_key_id
    for mode in ("hang", "gone"):
        broker.change(mode)
        time.sleep(_CONFIRMED_FOR)
        answer = program.call(new=True)
        same = answer.access_key_id == before
        outcome.words[mode] = "yes" if answer.access_key_id and same else f"no: {_told(answer)}"


def _through(proxy: Proxy, its: _Set, agent: Agent) -> str:
    names = [f"{scheme}_proxy" for scheme in ("http", "https")]
    variables: Mapping[str, str] = {n: proxy.url for name in names for n in (name, name.upper())}
    with its.program("proxy", agent, **variables) as program:
        answer = program.call(new=True)
    if agent.authority in proxy.asked:
        return "asked"
    return "not asked" if answer.access_key_id else f"no: {_told(answer)}"


def _folder_name(sdk: Sdk) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", f"{sdk.name} {sdk.version}".lower()).strip("-")


def _word(answer: Answer) -> str:
    return "yes" if answer.access_key_id else "no"


def _told(answer: Answer) -> str:
    """What the user sees, without what differs from run to run."""
    text = re.sub(r"(127\.0\.0\.1|\[::1\]):\d+", r"\1:7419", answer.error)
    # Java names objects by their addresses.
    text = re.sub(r"@[0-9a-f]{6,8}\b", "", text)
    return re.sub(r"\s+", " ", text).strip()
