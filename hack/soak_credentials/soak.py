"""The long run: clients ask, pods come and go, keys rotate, and now and then something is away. Memory is read once a minute."""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException

from rig.apiclient import ApiError

from .world import Pod, World, resident

CHURN_EVERY = 2.0
"""Seconds after which a pod goes and another one comes."""
EVENTS: dict[int, tuple[str, Callable[[World], None]]] = {
    2: ("STS frozen for 20 s", lambda world: world.freeze("STS", 20)),
    4: ("another signing key, and an API server that begins anew", lambda world: rotate(world)),
    6: ("the broker's way to the API server frozen for 40 s", lambda world: world.freeze("API server", 40)),
    8: ("the agents' way to the broker frozen for 20 s", lambda world: world.freeze("broker", 20)),
}
"""What happens in which minute of ten."""
_FAILURES = (OSError, TimeoutError, asyncio.IncompleteReadError)


def rotate(world: World) -> None:
    world.cluster.rotate_signing_key()
    # Leaders that lost their Leases begin anew.
    time.sleep(5)
    world.heal()


@dataclass
class Record:
    """What was seen."""

    answers: Counter = field(default_factory=Counter)
    of_agents: Counter = field(default_factory=Counter)
    broker: list[int] = field(default_factory=list)
    """Resident kibibytes, a minute each."""
    agents: list[float] = field(default_factory=list)
    """The median of the agents."""
    events: list[str] = field(default_factory=list)
    pods: int = 0
    """That came and went."""
    sessions: int = 0

    def flatness(self, series: list) -> float:
        """By how many percent the median of the last third is above that of the middle third."""
        third = len(series) // 3
        middle, last = series[third : 2 * third], series[2 * third :]
        return (statistics.median(last) / statistics.median(middle) - 1) * 100


class Soak:
    """One run."""

    def __init__(self, world: World, minutes: int, clients: int) -> None:
        self.world, self.minutes, self.clients = world, minutes, clients
        self.record, self.pods, self._over = Record(), [], False
        self._tasks: dict[str, asyncio.Task] = {}

    async def run(self) -> Record:
        """Until the minutes are over."""
        for _ in range(self.clients):
            await self._add()
        work = [asyncio.ensure_future(one) for one in (self._churn(), self._ask_agents(), self._trouble())]
        began = time.monotonic()
        for minute in range(1, self.minutes + 1):
            await asyncio.sleep(max(0, began + minute * 60 - time.monotonic()))
            agents = [resident(agent.process.pid) for agent in self.world.agents]
            self.record.broker.append(resident(self.world.broker))
            self.record.agents.append(statistics.median(agents))
            print(f"minute {minute}: broker {self.record.broker[-1]} KiB, agents {agents} KiB, {dict(self.record.answers)}", flush=True)
        self._over = True
        for one in (*work, *self._tasks.values()):
            one.cancel()
        await asyncio.gather(*work, *self._tasks.values(), return_exceptions=True)
        self.record.sessions = len(self.world.aws.recorder.calls("AssumeRole"))
        return self.record

    async def _add(self) -> None:
        pod = await asyncio.to_thread(self.world.add_pod)
        self.pods.append(pod)
        self._tasks[pod.name] = asyncio.ensure_future(self._ask(pod))

    async def _ask(self, pod: Pod) -> None:
        """As an agent whose application asks every few seconds: with what it holds, on a new connection mostly."""
        while True:
            try:
                self.record.answers[str(await pod.member.get())] += 1
            except _FAILURES as error:
                pod.member.close()
                self.record.answers[type(error).__name__] += 1
            await asyncio.sleep(random.uniform(2, 6))
            if random.random() < 0.7:
                pod.member.close()

    async def _churn(self) -> None:
        while True:
            await asyncio.sleep(CHURN_EVERY)
            try:
                if len(self.pods) >= self.clients:
                    await self._remove(random.choice(self.pods))
                await self._add()
                self.record.pods += 1
            except (OSError, ApiError, HTTPException):
                # The API server is away: another time.
                continue

    async def _remove(self, pod: Pod) -> None:
        await asyncio.to_thread(self.world.remove_pod, pod)
        self.pods.remove(pod)
        self._tasks.pop(pod.name).cancel()
        pod.member.close()

    async def _ask_agents(self) -> None:
        while True:
            for agent in self.world.agents:
                try:
                    status, _ = await asyncio.to_thread(agent.get)
                    self.record.of_agents[str(status)] += 1
                except OSError as error:
                    self.record.of_agents[type(error).__name__] += 1
            await asyncio.sleep(0.5)

    async def _trouble(self) -> None:
        began = time.monotonic()
        for minute in range(1, self.minutes - 1):
            await asyncio.sleep(max(0, began + minute * 60 + 10 - time.monotonic()))
            if what := EVENTS.get(minute % 10):
                self.record.events.append(f"Minute {minute}: {what[0]}")
                try:
                    await asyncio.to_thread(what[1], self.world)
                except Exception as error:  # noqa: BLE001 - the run goes on, and says so
                    self.record.events.append(f"minute {minute}: {error!r}")
                print(self.record.events[-1], flush=True)
