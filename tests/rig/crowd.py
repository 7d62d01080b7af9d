"""Clients of the broker in numbers, in one thread: each from an address of its own and by a TLS connection of its own, as agents are."""

import asyncio
import json
import random
import ssl
import time
from dataclasses import dataclass, field

ATTEMPT = 2.0
"""How long an agent waits for the broker, in seconds."""
PAUSES = (0.2, 10.0)
"""The first and the longest pause before another try, as in `deputy-agent`: doubled each time, and half of it by chance."""


def address_of(number: int, network: int = 1) -> str:
    """An address of this machine that no other number has."""
    return f"127.{network}.{number // 250}.{number % 250 + 1}"


@dataclass
class Member:
    """One client. It keeps its connection until it closes it, or the broker does."""

    port: int
    tls: ssl.SSLContext
    token: str
    address: str
    etag: str = ""
    """Of what it holds."""
    secrets: set[str] = field(default_factory=set)
    """What it was handed that nobody else may see."""
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def get(self, path: str = "/v1/credentials") -> int:
        """Asks once, on the connection that there is or a new one; the status."""
        async with asyncio.timeout(ATTEMPT):
            if self._writer is None or self._writer.is_closing() or self._reader.at_eof():
                self._reader, self._writer = await asyncio.open_connection(
                    "127.0.0.1", self.port, ssl=self.tls, server_hostname="127.0.0.1", local_addr=(self.address, 0)
                )
            head = f"GET {path} HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer {self.token}\r\n"
            if self.etag:
                head += f"If-None-Match: {self.etag}\r\n"
            self._writer.write(f"{head}\r\n".encode())
            return await self._answer()

    async def _answer(self) -> int:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        if status == 200:
            self.etag, said = headers["etag"], json.loads(body)
            self.secrets |= {said["SecretAccessKey"], said["Token"]}
        elif status == 403:
            self.etag = ""
        if headers.get("connection") == "close":
            self.close()
        return status

    async def first(self, patience: float = 60) -> float:
        """Asks as an agent does until there is a credential; after how many seconds, counted from now."""
        began, pause = time.monotonic(), PAUSES[0]
        while True:
            try:
                if await self.get() == 200:
                    return time.monotonic() - began
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self.close()
            if time.monotonic() - began > patience:
                raise TimeoutError(f"{self.address}: no credential within {patience:g} s")
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, PAUSES[1])

    def close(self) -> None:
        """Ends the connection."""
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None


async def arrive(members: list[Member], within: float) -> list[float]:
    """All of them come, one after the other in so many seconds; after how long each had its first credential."""

    async def one(number: int, member: Member) -> float:
        await asyncio.sleep(within * number / len(members))
        took = await member.first()
        # As the pool of an agent does.
        asyncio.get_running_loop().call_later(3, member.close)
        return took

    return list(await asyncio.gather(*(one(*pair) for pair in enumerate(members))))
