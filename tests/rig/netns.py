"""A small network of Linux network namespaces: a node, a pod of it, and a neighbour that hears every frame. Needs root."""

import ctypes
import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
_ALL_PROTOCOLS = 3
_numbers = itertools.count(1)


def run(*command: str) -> str:
    """Runs a program that has to succeed; its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Network:
    """As a context manager. The node's addresses reach the pod and the neighbour alone; nothing leads out of these namespaces."""

    NODE_ADDRESS, POD_ADDRESS = "169.254.77.1", "169.254.77.2"

    def __init__(self) -> None:
        prefix = f"deputy-{os.getpid()}-{next(_numbers)}"
        self._all = [f"{prefix}-{name}" for name in ("switch", "node", "pod", "neighbour")]
        self._switch, self.node, self.pod, self.neighbour = self._all

    def __enter__(self) -> "Network":
        try:
            for name in self._all:
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
            # It forgets at once who is where, so each frame goes to everybody.
            run("ip", "-n", self._switch, "link", "add", "bridge0", "up", "type", "bridge", "ageing_time", "0")
            addresses = {self.node: self.NODE_ADDRESS, self.pod: self.POD_ADDRESS, self.neighbour: "169.254.77.3"}
            for number, (name, address) in enumerate(addresses.items()):
                port = f"port{number}"
                run("ip", "-n", self._switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
                run("ip", "-n", self._switch, "link", "set", port, "master", "bridge0", "up")
                run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
                run("ip", "-n", name, "link", "set", "eth0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._all:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def inside(self, namespace: str, make: Callable[[], socket.socket]) -> socket.socket:
        """What `make` gives in that namespace: a socket that is made in it stays in it."""
        made: list[socket.socket] = []
        failed: list[BaseException] = []

        def enter() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path(f"/run/netns/{namespace}").open() as file:
                if libc.setns(file.fileno(), _CLONE_NEWNET):
                    failed.append(OSError(ctypes.get_errno(), f"setns {namespace}"))
                    return
            try:
                made.append(make())
            except BaseException as error:  # noqa: BLE001 - told to whoever asked
                failed.append(error)

        # A namespace is that of a thread, and this thread ends in it.
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]


class Eavesdropper:
    """Takes every frame that comes to the neighbour, whomever it is for. As a context manager."""

    def __init__(self, network: Network) -> None:
        self._frames: list[bytes] = []
        self._socket = network.inside(network.neighbour, self._open)

    @staticmethod
    def _open() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        made.bind(("eth0", 0))
        member = socket.if_nametoindex("eth0").to_bytes(4, "little") + _PROMISCUOUS.to_bytes(2, "little") + bytes(10)
        made.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, member)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        return made

    def __enter__(self) -> "Eavesdropper":
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def heard(self) -> bytes:
        """All frames so far, one after the other."""
        return b"".join(self._frames)

    def _listen(self) -> None:
        with suppress(OSError):
            while frame := self._socket.recv(65536):
                self._frames.append(frame)
