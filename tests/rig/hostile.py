"""A pod that means no good to the broker: it holds sockets that say nothing, and connections that begin HTTP/2 and go silent. It sends
made-up tokens and floods of names of bindings. `python -m rig.hostile PORT BUNDLE TOKEN ADDRESS`, where BUNDLE and TOKEN are files; until it is ended.
"""

import asyncio
import itertools
import json
import ssl
import sys
from collections import Counter
from pathlib import Path

from .crowd import Member

# Together fewer than one address may have, so that it does not push itself out.
SILENT_SOCKETS = 120
SILENT_PREFACES = 32
FORGERS = 8
NAMERS = 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FAILURES = (OSError, TimeoutError, asyncio.IncompleteReadError)


class Hostile:
    """All that it does, and how often."""

    def __init__(self, port: int, bundle: str, token: str, address: str) -> None:
        self.port, self.token, self.address = port, token, address
        self.tls = ssl.create_default_context(cadata=bundle)
        self.done: Counter[str] = Counter()
        self._numbers = itertools.count()

    async def hold(self, what: str, preface: bytes) -> None:
        """One connection after the other, each held for as long as the broker lets it."""
        tls = {"ssl": self.tls, "server_hostname": "127.0.0.1"} if preface else {}
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.address, 0), **tls)
                self.done[what] += 1
                writer.write(preface)
                await reader.read()
                writer.close()
            except _FAILURES:
                await asyncio.sleep(0.05)

    async def send(self, what: str, token: str) -> None:
        """One request after the other, as fast as they are answered."""
        header, payload, signature = self.token.split(".")
        member = Member(self.port, self.tls, token, self.address)
        while True:
            number = next(self._numbers)
            path = "/v1/credentials"
            if what == "names":
                path = f"{path}/name-{number}"
            else:
                member.token = f"{header}.{payload}.{number:0{len(signature)}}"
            try:
                self.done[f"{what} {await member.get(path)}"] += 1
            except _FAILURES:
                member.close()
                self.done[f"{what} failed"] += 1
                await asyncio.sleep(0.01)

    async def run(self) -> None:
        """Until it is ended; says each second what it has done."""
        work = [self.hold("sockets", b"") for _ in range(SILENT_SOCKETS)]
        work += [self.hold("prefaces", PREFACE) for _ in range(SILENT_PREFACES)]
        work += [self.send("forged", self.token) for _ in range(FORGERS)]
        work += [self.send("names", self.token) for _ in range(NAMERS)]
        running = [asyncio.ensure_future(one) for one in work]
        while running:
            await asyncio.sleep(1)
            print(json.dumps(self.done), flush=True)


if __name__ == "__main__":
    _port, _bundle, _token, _address = sys.argv[1:]
    asyncio.run(Hostile(int(_port), Path(_bundle).read_text(), Path(_token).read_text(), _address).run())
