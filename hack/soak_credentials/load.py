"""What one warm request costs: broker and agent, and nginx with a static file of the same size on the same core, one after the other.

Closed loop: wrk asks as fast as it is answered, on 16 connections. Open loop: requests come at a fixed rate whether or not those before
them are answered, and a latency counts from when a request should have begun.
"""

import asyncio
import os
import re
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig import pki
from rig.crowd import Member
from rig.ports import free_port
from rig.proc import Process, wait_until

from .world import World, cpu, pin

SERVER_CORE, CLIENT_CORE = 0, 1
SECONDS = int(os.environ.get("LOAD_SECONDS", "10"))
TIMES = 3
CONNECTIONS = 16
RATE = 400
"""Requests a second of the open loop."""


@dataclass
class Cost:
    """One row."""

    what: str
    closed_rate: float
    closed_cpu: float
    """Microseconds of CPU of the server for each request."""
    open_cpu: float
    p50: float
    """Milliseconds, of the open loop."""
    p99: float
    not_ok: int
    """Answers of the open loop that were neither 200 nor 304, or never came."""


def closed(pid: int, url: str, headers: dict[str, str], script: Path | None = None) -> tuple[float, float]:
    """Requests a second, and microseconds of CPU each. `script` says what wrk sends, where that is not a GET."""
    wrk = os.environ.get("WRK", "wrk")
    options = [f"-H{name}: {value}" for name, value in headers.items()] + (["-s", str(script)] if script else [])
    before = cpu(pid)
    command = ["taskset", "-c", str(CLIENT_CORE), wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *options, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu(pid) - before
    requests = int(re.search(r"(\d+) requests in", said)[1])
    if failed := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise RuntimeError(f"{url}: {failed[0]}")
    return requests / SECONDS, used / requests * 1e6


async def paced(members: list[Member], path: str) -> tuple[list[float], int]:
    """How long each answer took, in milliseconds, sorted; and how many were none."""
    took: list[float] = []
    failed = 0
    begin = time.monotonic() + 0.1
    due = iter(range(RATE * SECONDS))

    async def work(member: Member) -> None:
        nonlocal failed
        for number in due:
            at = begin + number / RATE
            await asyncio.sleep(max(0, at - time.monotonic()))
            try:
                status = await member.get(path)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                member.close()
                status = 0
            took.append((time.monotonic() - at) * 1000)
            failed += status not in (200, 304)

    await asyncio.gather(*(work(member) for member in members))
    return sorted(took), failed


def opened(pid: int, member: Callable[[], Member], path: str) -> tuple[float, float, float, int]:
    """CPU in microseconds for each request, p50 and p99 in milliseconds, failures."""
    before = cpu(pid)
    took, failed = asyncio.run(paced([member() for _ in range(CONNECTIONS)], path))
    used = cpu(pid) - before
    at = lambda q: took[int((len(took) - 1) * q)]  # noqa: E731
    return used / len(took) * 1e6, at(0.5), at(0.99), failed


@contextmanager
def nginx(folder: Path, size: int) -> Iterator[tuple[int, int, int]]:
    """One worker with a file of so many bytes: its process id, its port without TLS, and that with it."""
    folder.mkdir(parents=True, exist_ok=True)
    pki.make_ca(folder, "ca")
    pki.issue(folder, "server", "ca", "/CN=localhost", {"extendedKeyUsage": "serverAuth", "subjectAltName": "IP:127.0.0.1"})
    (folder / "www" / "v1").mkdir(parents=True)
    (folder / "www" / "v1" / "credentials").write_text("x" * size)
    plain, tls = free_port(), free_port()
    folders = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; keepalive_requests 1000000000; sendfile on; {folders}\n"
        f"server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; root {folder}/www; ssl_certificate {folder}/server.crt;"
        f" ssl_certificate_key {folder}/server.key; default_type application/json;"
        f" location = /post {{ client_body_buffer_size 64k; return 200 x; }} }} }}\n"
    )
    program = os.environ.get("NGINX", "nginx")
    with Process("nginx", [program, "-c", folder / "nginx.conf"], folder / "out.log") as process:
        wait_until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{plain}/v1/credentials", timeout=2).status == 200, "nginx", 10)
        pin(process.pid, SERVER_CORE)
        yield process.pid, plain, tls


def costs(world: World, folder: Path) -> list[Cost]:
    """All rows."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    pod, agent = world.add_pod(), world.agents[0]
    asyncio.run(until_ok(pod.member))
    pin(world.broker, SERVER_CORE)
    pin(agent.process.pid, SERVER_CORE)
    token, etag, port = pod.member.token, pod.member.etag, pod.member.port
    own = agent.token_file.read_text()
    size = len(asked(f"http://127.0.0.1:{agent.port}/v1/credentials", own))

    def row(what: str, pid: int, url: str, headers: dict[str, str], member: Callable[[], Member]) -> Cost:
        # Of each loop the run that other work disturbed least.
        least_cpu = min((closed(pid, url, headers) for _ in range(TIMES)), key=lambda run: run[1])
        best = min((opened(pid, member, "/v1/credentials") for _ in range(TIMES)), key=lambda run: run[2])
        made = Cost(what, *least_cpu, *best)
        print(made, flush=True)
        return made

    bearer = {"Authorization": f"Bearer {token}"}
    url = f"https://127.0.0.1:{port}/v1/credentials"
    plain_url = f"http://127.0.0.1:{agent.port}/v1/credentials"
    rows = [
        row("broker, TLS, 304", world.broker, url, bearer | {"If-None-Match": etag}, lambda: Member(port, world.tls, token, "127.0.0.1", etag)),
        row("broker, TLS, 200", world.broker, url, bearer, lambda: Always(port, world.tls, token, "127.0.0.1")),
        row("agent, 200", agent.process.pid, plain_url, {"Authorization": own}, lambda: Always(agent.port, None, own, "127.0.0.1", scheme="")),
    ]
    with nginx(folder / "nginx", size) as (pid, plain, tls):
        trusting = ssl.create_default_context(cafile=str(folder / "nginx" / "ca.crt"))
        for what, scheme, where, context in (("TLS, ", "https", tls, trusting), ("", "http", plain, None)):
            at = f"{scheme}://127.0.0.1:{where}/v1/credentials"
            rows.append(row(f"nginx, {what}file of {size} bytes", pid, at, {}, lambda w=where, c=context: Always(w, c, "x", "127.0.0.1")))
    return rows


def asked(url: str, token: str) -> bytes:
    """What an agent answers."""
    request = urllib.request.Request(url, headers={"Authorization": token})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read()


async def until_ok(member: Member) -> None:
    await member.first()
    member.close()


class Always(Member):
    """Asks as if it held nothing. `scheme` is the word before its token, for an agent none."""

    def __init__(self, port: int, tls: object, token: str, address: str, scheme: str = "Bearer ") -> None:
        super().__init__(port, tls, token, address)
        self._scheme = scheme

    async def get(self, path: str = "/v1/credentials") -> int:
        async with asyncio.timeout(2):
            if self._writer is None:
                tls = {"ssl": self.tls, "server_hostname": "127.0.0.1"} if self.tls else {}
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, **tls)
            self._writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {self._scheme}{self.token}\r\n\r\n".encode())
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            await self._reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1]))
            if "connection: close" in head:
                self.close()
            return int(head.split()[1])
