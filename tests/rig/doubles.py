"""Both AWS doubles for as long as a command runs: ministack, and moto, which enforces nothing. `hack/with-doubles` calls this."""

import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from .aws import ACCOUNT, ROOT, Aws
from .ports import free_port
from .proc import Process
from .tools import venv


def start_moto(folder: Path) -> tuple[Process, str]:
    """moto's server in a process of its own, and its address; whoever starts it stops it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program = venv("moto-server") / "bin" / "moto_server"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    # The account of whoever calls with a key that it did not make.
    env |= {"MOTO_ACCOUNT_ID": ACCOUNT} | ROOT.environment()
    process = Process("moto", [program, "-H", "127.0.0.1", "-p", str(port)], folder / "moto.log", env, cwd=folder)

    def answers() -> bool:
        with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5) as answer:
            return answer.status == 200

    process.wait_ready(answers, timeout=60)
    return process, url


def main() -> int:
    """Runs the command that the arguments are, in the repository's root; its exit code."""
    with tempfile.TemporaryDirectory(prefix="deputy-doubles-") as folder, Aws(Path(folder) / "ministack") as aws:
        moto, url = start_moto(Path(folder))
        try:
            env = {**os.environ, "DEPUTY_TEST_MINISTACK_URL": aws.direct_url, "DEPUTY_TEST_MOTO_URL": url}
            return subprocess.run(sys.argv[1:], env=env, check=False).returncode
        finally:
            moto.stop(timeout=2)


if __name__ == "__main__":
    sys.exit(main())
