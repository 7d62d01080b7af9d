"""What is measured on: a real API server, ministack, Deputy's four processes, agents, and what the network does to them."""

import os
import re
import ssl
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from integration.scenario import ACCOUNT, API, READ, Scenario, Team
from rig.aws import Aws
from rig.cluster import Cluster
from rig.crowd import Member, address_of
from rig.deputy import Agent, Deputy
from rig.wire import Wire

GRANTS = 20
"""ServiceAccounts, each with a role, a binding and sessions of half an hour, the shortest there are."""
_TICKS = os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Kibibytes that are in memory."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def cpu(pid: int) -> float:
    """User and system time, in seconds."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / _TICKS


def pin(pid: int, core: int) -> None:
    """All threads of a process run on that core alone."""
    subprocess.run(["taskset", "-a", "-c", "-p", str(core), str(pid)], check=True, capture_output=True)


@dataclass
class Pod:
    """A pod, and the client that asks in its place."""

    name: str
    member: Member


class World:
    """All of it, from entering to leaving."""

    def __init__(self, folder: Path, profile: str) -> None:
        self._stack = ExitStack()
        self.cluster = self._stack.enter_context(Cluster(folder / "cluster"))
        self.aws = self._stack.enter_context(Aws(folder / "aws"))
        self.deputy = Deputy(self.cluster, self.aws, folder, people=True, profile=profile)
        self._stack.callback(self.deputy.stop)
        self.scenario = Scenario(self.cluster, self.aws, self.deputy)
        self._profile, self._numbers = profile, iter(range(1 << 30))
        self.agents: list[Agent] = []

    def __enter__(self) -> "World":
        self.scenario.start()
        # The way of the broker to the API server and to STS, and that of agents to the broker.
        self.wires = {
            "API server": Wire(self.cluster.port),
            "STS": Wire(int(self.aws.url.rpartition(":")[2])),
            "broker": Wire(self.deputy.port("broker")),
        }
        own = Path(self.deputy.environment("broker")["KUBECONFIG"])
        config = own.with_suffix(".wire")
        config.write_text(own.read_text().replace(f":{self.cluster.port}", f":{self.wires['API server'].port}"))
        self.deputy.processes["broker"].stop()
        self.deputy.start_process("broker", KUBECONFIG=str(config), DEPUTY_LOG="warn")
        endpoints = {"spec": {"endpoints": {"sts": self.wires["STS"].url}}}
        self.scenario.admin.patch(f"{API}/awsaccounts/{ACCOUNT}", endpoints)
        self.team = Team(self.scenario, "soak")
        for number in range(GRANTS):
            self.team.granted(f"app-{number}", READ, duration="30m")
        bundle = self.deputy.broker_bundle()
        self.tls = ssl.create_default_context(cadata=bundle)
        return self

    def __exit__(self, *_: object) -> None:
        for agent in self.agents:
            agent.stop()
        for wire in self.wires.values():
            wire.close()
        self._stack.close()

    @property
    def broker(self) -> int:
        """Its process id."""
        return self.deputy.processes["broker"].pid

    def add_pod(self) -> Pod:
        """One more pod, with its token."""
        number = next(self._numbers)
        name = f"pod-{number}"
        self.team.pod(name, f"app-{number % GRANTS}")
        token = self.cluster.pod_token(self.team.name, name)
        return Pod(name, Member(self.deputy.port("broker"), self.tls, token, address_of(number % 60_000)))

    def remove_pod(self, pod: Pod) -> None:
        """It is gone at once."""
        now = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        self.cluster.admin.call("DELETE", f"/api/v1/namespaces/{self.team.name}/pods/{pod.name}", now)

    def add_agent(self) -> None:
        """One more real agent, which reaches the broker through the wire."""
        number = len(self.agents)
        self.deputy.agent_program = self.deputy.program.parent / "deputy-agent"
        pod = self.team.pod(f"agent-{number}", f"app-{number % GRANTS}")
        self.agents.append(self.deputy.start_agent(pod, DEPUTY_BROKER_ADDRESS=f"127.0.0.1:{self.wires['broker'].port}"))
        self.agents[-1].wait_ready(30)

    def heal(self) -> None:
        """Starts what ended while the API server was away."""
        self.scenario.heal()

    def freeze(self, what: str, seconds: float) -> None:
        """That way carries nothing for so long."""
        with self.wires[what].frozen():
            time.sleep(seconds)
