"""Free ports on 127.0.0.1."""

import os
import random
import socket
import tempfile
import threading
from pathlib import Path

# Below the kernel's ephemeral range (Linux: 32768 and up), so that no outgoing connection takes a port between the
# moment it is chosen and the moment its server listens.
_RANGE = range(20000, 32000)
_lock = threading.Lock()
# A file for each port that some run of tests on this machine has, with the process in it: nobody listens there yet, so that another run
# would find it free.
_FOLDER = Path(tempfile.gettempdir()) / f"deputy-rig-ports-{os.getuid()}"


def free_port() -> int:
    """A port nobody listens on. No process that runs gets one that this one has had."""
    with _lock:
        _FOLDER.mkdir(mode=0o700, exist_ok=True)
        for port in random.sample(_RANGE, len(_RANGE)):
            if _is_taken(port):
                continue
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
    raise RuntimeError(f"no free port in {_RANGE.start}-{_RANGE.stop - 1} on 127.0.0.1")


def _is_taken(port: int) -> bool:
    """Whether a process that runs has it; if not, this one has it from now on."""
    file = _FOLDER / str(port)
    for _ in range(2):
        try:
            with file.open("x") as made:
                made.write(str(os.getpid()))
            return False
        except FileExistsError:
            if _runs(file):
                return True
            file.unlink(missing_ok=True)
    return True


def _runs(file: Path) -> bool:
    try:
        os.kill(int(file.read_text()), 0)
    except PermissionError:
        return True
    except FileNotFoundError:
        return False
    except ValueError:
        # It is being written, by a process that runs.
        return True
    except ProcessLookupError:
        return False
    return True
