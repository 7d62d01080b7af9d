"""A headless Chromium, spoken to over a pipe: no port, no package, no network."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
DEADLINE = 60
# The browser reads from 3 and writes to 4.
BEGIN = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"


def program() -> str | None:
    """Where a Chromium is; None: there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def pipe() -> tuple[int, int]:
    """A pipe whose ends are none of the numbers that the browser reads and writes."""
    ends = os.pipe()
    above = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return above


class Browser:
    """One browser with one page at a time."""

    def __init__(self) -> None:
        found = program()
        assert found
        self.profile = tempfile.TemporaryDirectory(prefix="deputy-report-", ignore_cleanup_errors=True)
        to_browser, self._out = pipe()
        self._in, from_browser = pipe()
        # Its sandbox needs another user than root.
        flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--user-data-dir={self.profile.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(to_browser), str(from_browser), found, *flags, "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number = 0
        self._rest = b""
        self._session: str | None = None
        self.events: list[dict] = []

    def close(self) -> None:
        try:
            self.call("Browser.close", of_page=False)
            self._process.wait(10)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)
        self.profile.cleanup()

    def _read(self, until: float) -> dict:
        while b"\0" not in self._rest:
            if time.monotonic() > until:
                raise TimeoutError("the browser does not answer")
            more = os.read(self._in, 1 << 20)
            if not more:
                raise TimeoutError("the browser has ended")
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method: str, of_page: bool = True, **params: object) -> dict:
        """Calls a method of the DevTools protocol, and keeps the events that come before its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if of_page and self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + DEADLINE
        while True:
            answer = self._read(until)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def open(self, page: Path, width: int, height: int = 900, scripts: bool = True, dark: bool = False) -> "Browser":
        """Opens a file in a new page of this size."""
        self.events.clear()
        target = self.call("Target.createTarget", of_page=False, url="about:blank")["targetId"]
        self._session = None
        self._session = self.call("Target.attachToTarget", of_page=False, targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=page.as_uri())
        until = time.monotonic() + DEADLINE
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read(until))
        return self

    def ask(self, expression: str) -> object:
        """What an expression is in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def of(self, *methods: str) -> list[dict]:
        """The events of these methods so far."""
        return [event["params"] for event in self.events if event.get("method") in methods]

    def complaints(self) -> list[dict]:
        """What the console has: errors, warnings, violations of the page's policy, exceptions."""
        return self.of("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")

    def requests(self) -> list[str]:
        """What was asked of anybody, the page itself included."""
        return [event["request"]["url"] for event in self.of("Network.requestWillBeSent")]

    def picture(self, to: Path, whole: bool = False) -> None:
        """A PNG of the page."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        to.write_bytes(base64.b64decode(data))
