"""Deputy behind wires: its ways to others lead through proxies that the test freezes."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.proc import wait_until
from rig.wire import Wire

from .scenario import ACCOUNT, API, Scenario

SOON = 1.2
"""Seconds within which whoever asks is answered: the second after which SDKs give up, and what a loaded machine adds."""


def through(scenario: Scenario, wire: Wire, name: str) -> None:
    """Starts a process anew, whose way to the API server leads through `wire`."""
    scenario.deputy.kill(name)
    own = Path(scenario.deputy.environment(name)["KUBECONFIG"])
    config = scenario.deputy.folder / f"{name}.wire.kubeconfig"
    config.write_text(own.read_text().replace(f":{scenario.cluster.port}", f":{wire.port}"))
    scenario.deputy.start_process(name, KUBECONFIG=str(config))


@contextmanager
def before_api_server(scenario: Scenario, name: str) -> Iterator[Wire]:
    """The way of one process to the API server."""
    with Wire(scenario.cluster.port) as wire:
        through(scenario, wire, name)
        try:
            yield wire
        finally:
            scenario.deputy.kill(name)
            scenario.deputy.start_process(name)


@contextmanager
def before_sts(scenario: Scenario) -> Iterator[Wire]:
    """The way to STS of the account; the one to IAM stays as it is."""
    path = f"{API}/awsaccounts/{ACCOUNT}"
    before = scenario.admin.get(path)["spec"]["endpoints"]["sts"]
    with Wire(int(re.search(r":(\d+)$", before)[1])) as wire:
        scenario.admin.patch(path, {"spec": {"endpoints": {"sts": wire.url}}})
        # The broker asks who it is there as soon as it knows of it.
        wait_until(lambda: wire.accepted, "the broker uses the wire", 30)
        try:
            yield wire
        finally:
            wire.thaw()
            scenario.admin.patch(path, {"spec": {"endpoints": {"sts": before}}})


@dataclass
class Answer:
    """What somebody heard, and after how long."""

    status: int
    body: dict
    seconds: float

    @property
    def is_at_once(self) -> bool:
        return self.seconds < SOON

    @property
    def words(self) -> str:
        return f"{self.body.get('Code')}: {self.body.get('Message')}"


def timed(ask: Callable[[], tuple[int, dict]]) -> Answer:
    """Asks once."""
    began = time.monotonic()
    status, body = ask()
    return Answer(status, body, time.monotonic() - began)
