"""What is measured on: a real API server, the IAM stub, Deputy's four processes, and clients that make objects fast."""

import http.client
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rig.aws import ROOT as ANYBODY
from rig.cluster import Cluster
from rig.deputy import PROCESSES, Deputy
from rig.tools import cargo_binary

API = "/apis/deputy.dev/v1alpha1"
CLIENTS = 8
"""Connections by which objects are made."""
UNUSED = 30
"""Seconds after which a connection that nobody used is not used again."""
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_TICKS = os.sysconf("SC_CLK_TCK")


class Stub:
    """The IAM and STS of all accounts: `benches/scale`."""

    account = "123456789012"

    def __init__(self) -> None:
        program = cargo_binary("iam-stub", "release")
        self._child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._child.pid
        self.url = self._child.stdout.readline().strip()

    def _ask(self, path: str) -> dict:
        with urllib.request.urlopen(f"{self.url}/-/{path}", timeout=10) as answer:
            return json.load(answer)

    def counts(self) -> dict:
        """`calls` by action, how many were `throttled`, and how many `roles` there are."""
        return self._ask("counts")

    def calls(self) -> int:
        """All calls that were answered."""
        return sum(self.counts()["calls"].values())

    def reset(self) -> None:
        """Forgets the calls."""
        self._ask("reset")

    def grant(self, rate: int) -> None:
        """From now on each account grants so many calls to IAM a second; 0 grants all."""
        self._ask(f"rate/{rate}")

    def stop(self) -> None:
        """It ends with its standard input."""
        self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


@dataclass(frozen=True)
class Used:
    """What a process has used so far: memory in MB, CPU in seconds."""

    resident: float
    peak: float
    cpu: float


def used(pid: int) -> Used:
    """From /proc: VmRSS and VmHWM, user and system time."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

    def megabytes(field: str) -> float:
        return int(status[field].split()[0]) / 1024

    return Used(megabytes("VmRSS"), megabytes("VmHWM"), (int(times[11]) + int(times[12])) / _TICKS)


class Stage:
    """All of it, from entering to leaving."""

    def __init__(self, folder: Path, profile: str) -> None:
        self.folder = folder
        self.cluster = Cluster(folder / "cluster")
        self.stub = Stub()
        self.deputy = Deputy(self.cluster, self.stub, folder, profile=profile)
        self._connections = threading.local()

    def __enter__(self) -> "Stage":
        try:
            self.cluster.start()
            self.deputy.install()
            self.deputy.identities = dict.fromkeys(PROCESSES, ANYBODY)
            self.deputy.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.deputy.stop()
        self.cluster.stop()
        self.stub.stop()

    # --- processes

    def pids(self) -> dict[str, int]:
        """Deputy's processes, and those it works with."""
        ours = {name: self.deputy.processes[name].pid for name in PROCESSES}
        return ours | {p.name: p.pid for p in self.cluster._processes} | {"IAM stub": self.stub.pid}

    def used(self) -> dict[str, Used]:
        """What each process has used since it began."""
        return {name: used(pid) for name, pid in self.pids().items()}

    def uncalled(self, timeout: float, seconds: float) -> float:
        """Waits until nobody has called AWS for so many seconds. When that began, as of `quiet`."""
        deadline = time.monotonic() + timeout
        since, before = time.monotonic(), self.stub.calls()
        while time.monotonic() - since < seconds:
            time.sleep(0.5)
            now = self.stub.calls()
            if now != before:
                since, before = time.monotonic(), now
            if time.monotonic() > deadline:
                raise TimeoutError(f"still called after {timeout:g} s: {self.stub.counts()}")
        return since

    def quiet(self, timeout: float) -> float:
        """Waits until, for three seconds on end, nobody calls AWS and Deputy's processes hardly work. When that began, by
        time.monotonic; TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        since, before = time.monotonic(), None
        while True:
            now = (self.stub.calls(), sum(used(self.deputy.processes[n].pid).cpu for n in PROCESSES))
            if before is None or now[0] != before[0] or now[1] - before[1] > 0.04:
                since = time.monotonic()
            if time.monotonic() - since >= 3:
                return since
            if time.monotonic() > deadline:
                raise TimeoutError(f"still busy after {timeout:g} s: {self.stub.counts()}")
            before = now
            time.sleep(0.5)

    # --- the API server

    def request(self, method: str, path: str, body: object = None, content: str = "application/json", accept: str = "application/json"):
        """One request over this thread's connection: status and text. The API server closes one that was not used for long."""
        connection, last_used = self._connections.__dict__.get("open", (None, 0.0))
        if connection is None or time.monotonic() - last_used > UNUSED:
            tls = ssl.create_default_context(cafile=str(self.cluster.ca_file))
            connection = http.client.HTTPSConnection("127.0.0.1", self.cluster.port, timeout=60, context=tls)
        headers = {"Authorization": f"Bearer {self.cluster._admin_token}", "Accept": accept, "Content-Type": content}
        data = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
        except BaseException:
            connection.close()
            self._connections.open = (None, 0.0)
            raise
        self._connections.open = (connection, time.monotonic())
        return status, text

    def create_all(self, objects: Iterable[tuple[str, dict]]) -> float:
        """Creates objects, each in the collection at its path; the seconds that took."""

        def create(item: tuple[str, dict]) -> None:
            path, manifest = item
            status, text = self.request("POST", path, manifest)
            if status != 201:
                raise RuntimeError(f"POST {path}: {status} {text[:500]!r}")

        started = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(create, objects):
                pass
        return time.monotonic() - started

    def conditions(self, plural: str) -> dict[tuple[str, str], int]:
        """How many objects of a kind have which status and reason of `Ready`, from the API server's cache."""
        path = f"{API}/{plural}?resourceVersion=0&includeObject=None"
        status, text = self.request("GET", path, accept=TABLE)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {text[:500]!r}")
        shown = json.loads(text)
        columns = [column["name"] for column in shown["columnDefinitions"]]
        ready, reason = columns.index("Ready"), columns.index("Reason")
        counted: dict[tuple[str, str], int] = {}
        for row in shown["rows"] or []:
            key = (row["cells"][ready] or "", row["cells"][reason] or "")
            counted[key] = counted.get(key, 0) + 1
        return counted

    def wait_all(self, plural: str, size: int, status: str, reason: str | None, timeout: float) -> float:
        """Waits until all objects of a kind say so; when that was seen, by time.monotonic. Asking costs the API server, so the pause
        between two questions is five times as long as the answer took."""
        deadline = time.monotonic() + timeout
        while True:
            asked = time.monotonic()
            found = self.conditions(plural)
            if sum(n for (s, r), n in found.items() if s == status and reason in (None, r)) >= size:
                return time.monotonic()
            if asked > deadline:
                raise TimeoutError(f"{plural} not {status} {reason or ''} after {timeout:g} s: {found}")
            time.sleep(max(0.3, 5 * (time.monotonic() - asked)))
