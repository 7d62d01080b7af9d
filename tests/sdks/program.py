"""A client program: an application with one SDK and nothing about credentials in it, which is told when to call AWS."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KEY = re.compile(r"ASIA\d{12}")
# Longer than any SDK tries.
_LONGEST = 90


@dataclass
class Answer:
    """What came of one call."""

    access_key_id: str | None
    """Of the session that it was made with."""
    error: str
    """What the user sees when there was none."""


class Program:
    """Calls AWS on demand. `one_shot` programs make one call each and end, the others live and keep their SDK's client."""

    def __init__(self, argv: Sequence[str | Path], env: Mapping[str, str], home: Path, one_shot: bool) -> None:
        home.mkdir(parents=True)
        self._argv, self._one_shot = [os.fspath(part) for part in argv], one_shot
        # Nothing of whoever runs the tests: neither files nor variables.
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **env}
        self._log = home / "stderr"
        self._child = None if one_shot else self._start(stdin=subprocess.PIPE, bufsize=1)

    def _start(self, **more: object) -> subprocess.Popen:
        with self._log.open("a") as errors:
            return subprocess.Popen(
                self._argv, env=self._env, stdout=subprocess.PIPE, stderr=errors, text=True, **{"stdin": subprocess.DEVNULL, **more}
            )

    def call(self, new: bool = False) -> Answer:
        """One call, with a new client of the SDK or the one that is there."""
        if self._one_shot:
            return self._run()
        killer = threading.Timer(_LONGEST, self._child.kill)
        killer.start()
        try:
            print("new" if new else "call", file=self._child.stdin, flush=True)
            for line in self._child.stdout:
                if line.startswith("{"):
                    told = json.loads(line)
                    return _answer(told.get("identity", ""), told.get("error", ""))
        except BrokenPipeError:
            pass
        finally:
            killer.cancel()
        return Answer(None, f"the program ended: {self._log.read_text()[-2000:]}")

    def _run(self) -> Answer:
        done = subprocess.run(
            self._argv, env=self._env, capture_output=True, text=True, timeout=_LONGEST, stdin=subprocess.DEVNULL, check=False
        )
        return _answer(done.stdout, done.stderr.strip())

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            self._child.kill()
            self._child.communicate()


def _answer(identity: str, error: str) -> Answer:
    found = _KEY.search(identity)
    return Answer(found[0] if found else None, error)
