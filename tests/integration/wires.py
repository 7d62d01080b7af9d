"""Deputy behind wires: its ways to others lead through proxies that the test freezes."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.proc import wait_until
from rig.sts import Sts
from rig.wire import Wire

from .scenario import ACCOUNT, API, READ, Scenario, Team, binding, limit, role

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


def answers(team: Team, *pods: str) -> dict[str, Callable[[], Answer]]:
    """How each of these pods asks the broker. Their tokens are made now."""
    deputy, bundle = team.deputy, team.deputy.broker_bundle()

    def asking(token: str) -> Callable[[], Answer]:
        def ask() -> tuple[int, dict]:
            status, _, body = deputy.ask_broker(token, bundle=bundle)
            return status, body

        return lambda: timed(ask)

    return {pod: asking(team.cluster.pod_token(team.name, pod)) for pod in pods}


@dataclass
class Elsewhere:
    """A second AWS account."""

    name: str
    wire: Wire
    """Before its STS."""
    sts: Sts


@contextmanager
def elsewhere(scenario: Scenario, name: str) -> Iterator["Elsewhere"]:
    """A second AWS account with an STS of its own behind a wire. Its IAM takes connections and never answers."""
    identity = "arn:aws:iam::210987654321:user/deputy-broker"
    with Sts(identity=identity) as sts, Wire(int(sts.url.rpartition(":")[2])) as wire, Wire(wire.port) as iam:
        iam.freeze()
        manifest = scenario.account(name, accountID="210987654321")
        manifest["spec"]["issuer"]["principalARN"] = identity
        manifest["spec"]["endpoints"] = {"iam": iam.url, "sts": wire.url}
        scenario.create(manifest)
        try:
            yield Elsewhere(name, wire, sts)
        finally:
            scenario.delete_account(name)


@contextmanager
def granted_there(scenario: Scenario, team: Team, account: "Elsewhere", *names: str) -> Iterator[None]:
    """Grants in that account. Its controller never gets to them, so the test says of their roles what AWS would."""
    boundary = {"type": "Reference", "policyARN": "arn:aws:iam::210987654321:policy/boundary"}
    scenario.create(limit(team.name, [team.name], READ, accounts=[account.name], boundary=boundary))
    for name in names:
        team.cluster.create_service_account(team.name, name)
        scenario.create(role(team.name, name, READ, accountRef={"name": account.name}))
        scenario.create(binding(team.name, name, name, name))
        scenario.admin.patch(f"{team.role_path(name)}/status", {"status": {"roleID": f"AROA{name.upper()}"}})
        team.pod(name, name)
    try:
        yield
    finally:
        for name in names:
            scenario.admin.delete(team.binding_path(name))
            # In AWS there is nothing to take away.
            scenario.admin.patch(team.role_path(name), {"metadata": {"finalizers": None}})
            scenario.admin.delete(team.role_path(name))
        team.leave()
