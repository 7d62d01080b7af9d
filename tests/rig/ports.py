"""Free ports on 127.0.0.1."""

import random
import socket
import threading

# Below the kernel's ephemeral range (Linux: 32768 and up), so that no outgoing connection takes a port between the
# moment it is chosen and the moment its server listens.
_RANGE = range(20000, 32000)
_given: set[int] = set()
_lock = threading.Lock()


def free_port() -> int:
    """A port nobody listens on. This process never gets the same one twice."""
    with _lock:
        for port in random.sample(_RANGE, len(_RANGE)):
            if port in _given:
                continue
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    continue
            _given.add(port)
            return port
    raise RuntimeError(f"no free port in {_RANGE.start}-{_RANGE.stop - 1} on 127.0.0.1")
