"""Somebody else's namespace on the node, with the right to take every frame (NET_RAW), learns nothing that a pod is given."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from os import geteuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rig.netns import Eavesdropper, Network
from rig.tools import cargo_binary

from .scenario import READ

pytestmark = pytest.mark.skipif(geteuid() != 0, reason="network namespaces and raw sockets are for root")

APPLICATION = """
import os, urllib.request
request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
with open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]) as token:
    request.add_header("Authorization", token.read())
with urllib.request.urlopen(request, timeout=5) as answer:
    print(answer.read().decode())
"""


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def relay(listener: socket.socket, port: int) -> None:
    """Carries what comes to the node on to a port of this machine, as kube-proxy does for a Service."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def program_in(folder: Path, namespace: str, program: Path) -> Path:
    """A program that runs another one in a network namespace."""
    script = folder / "deputy-agent"
    script.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} {program} "$@"\n')
    script.chmod(0o755)
    return script


def test_a_neighbour_that_takes_every_frame_learns_no_secret(scenario, team, network, tmp_path):
    deputy = scenario.deputy
    team.granted("uploader", READ)
    node = network.inside(network.node, lambda: socket.create_server((network.NODE_ADDRESS, 7418)))
    with closing(node), Eavesdropper(network) as eavesdropper:
        relay(node, deputy.port("broker"))
        deputy.agent_program = program_in(tmp_path, network.pod, cargo_binary("deputy-agent"))
        try:
            agent = deputy.start_agent(team.pod(), DEPUTY_BROKER_ADDRESS=f"{network.NODE_ADDRESS}:7418")
        finally:
            deputy.agent_program = None
        try:
            agent.wait_ready()
            environment = agent.environment("app")
            done = subprocess.run(
                ["ip", "netns", "exec", network.pod, sys.executable, "-c", APPLICATION],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
                capture_output=True,
                text=True,
                check=True,
            )
            # Nor does anybody reach the agent from outside its pod.
            port = urlsplit(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]).port
            with pytest.raises(ConnectionRefusedError):
                network.inside(
                    network.neighbour, lambda: socket.create_connection((network.POD_ADDRESS, port), timeout=5)
                )
        finally:
            agent.stop()
        heard = eavesdropper.heard()
    answer = json.loads(done.stdout)
    secrets = {"token": agent.token_file.read_text(), "key": answer["SecretAccessKey"], "session": answer["Token"]}
    deputy.secrets |= set(secrets.values())
    # It did hear them: the name of the broker is in the first message of a handshake, in clear text.
    assert b"deputy-broker.deputy-system.svc" in heard and len(heard) > 2000, len(heard)
    for what, secret in {**secrets, "access key id": answer["AccessKeyId"]}.items():
        # Also no part of it, wherever a frame ends.
        parts = [secret[at : at + 16] for at in range(0, len(secret) - 15, 16)]
        assert parts and not [part for part in parts if part.encode() in heard], what
