"""Child processes: log files, readiness by polling, and no survivors."""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Runs beside us and outlives us by a moment: when its standard input ends, however this process died, it kills the
# process groups that are still registered.
_GUARD = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    what, group = line.split()
    (groups.add if what == "add" else groups.discard)(int(group))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""
_guard: subprocess.Popen | None = None
_guard_lock = threading.Lock()


def _tell_guard(what: str, group: int) -> None:
    global _guard
    with _guard_lock:
        if _guard is None:
            _guard = subprocess.Popen(
                [sys.executable, "-c", _GUARD], stdin=subprocess.PIPE, text=True, start_new_session=True
            )
        try:
            print(what, group, file=_guard.stdin, flush=True)
        except BrokenPipeError:
            pass


class NotReady(RuntimeError):
    """A deadline passed, or a process died before it was ready."""


def wait_until(
    condition: Callable[[], object], what: str, timeout: float = 30, every: float = 0.05
) -> object:
    """Polls until `condition` returns something true, and returns it; after `timeout` seconds raises NotReady.

    An exception of `condition` counts as "not yet"; the last one is the cause of the failure.
    """
    deadline = time.monotonic() + timeout
    last: Exception | None = None
    while True:
        try:
            if result := condition():
                return result
            last = None
        except Exception as error:  # noqa: BLE001 - anything may fail before a server is up
            last = error
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not within {timeout:g} s" + (f": {last!r}" if last else "")) from last
        time.sleep(every)


class Process:
    """A program in a process group of its own, with standard output and error in one log file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | os.PathLike[str]],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Starts it. `env` replaces the whole environment; None inherits ours."""
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                [os.fspath(a) for a in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        self.pid = self._child.pid
        self._ended = False
        _tell_guard("add", self.pid)
        atexit.register(self.kill)

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal), None while it runs."""
        return self._child.poll()

    def tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_ready(self, condition: Callable[[], object], timeout: float = 30) -> object:
        """Waits until `condition` is true; a death or the deadline raises NotReady with the end of the log."""

        def alive_and_ready() -> object:
            if self.returncode is not None:
                return self
            return condition()

        try:
            result = wait_until(alive_and_ready, f"{self.name} ready", timeout)
        except NotReady as error:
            raise NotReady(f"{error}\n--- {self.log}\n{self.tail()}") from error
        if result is self:
            raise NotReady(f"{self.name} ended with {self.returncode}\n--- {self.log}\n{self.tail()}")
        return result

    def signal(self, number: int) -> None:
        """Sends a signal to the process alone, not to its children."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float = 10) -> int:
        """Waits for its end and returns the exit code."""
        return self._child.wait(timeout)

    def stop(self, timeout: float = 10) -> int:
        """SIGTERM, then after `timeout` seconds SIGKILL, to the whole group. Returns the exit code."""
        if self.returncode is None:
            self._kill_group(signal.SIGTERM)
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                pass
        return self.kill()

    def kill(self) -> int:
        """SIGKILL to the whole group: also ends children that a finished process left behind."""
        if not self._ended:  # afterwards the number may belong to somebody else's group
            self._ended = True
            atexit.unregister(self.kill)
            self._kill_group(signal.SIGKILL)
            self._child.wait()
            _tell_guard("del", self.pid)
        return self._child.returncode

    def _kill_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
