"""What all steps share: where things are, how programs are run, how a run ends that can't go on."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("deputy", "deputy-agent")
PLATFORMS = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
"""The architectures of the images, and what cargo calls them."""


def fail(why: str) -> NoReturn:
    """Ends the run with a reason and exit code 1."""
    sys.exit(f"hack/release: {why}")


def run(*command: str | Path, env: dict[str, str] | None = None, all_output: bool = False) -> str:
    """Runs a program in the root and returns its standard output, with `all_output` its standard error, too; ends with what it says where it fails."""
    error = subprocess.STDOUT if all_output else subprocess.PIPE
    done = subprocess.run([str(c) for c in command], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=error, text=True)
    if done.returncode:
        fail(f"{' '.join(str(c) for c in command)}: exit code {done.returncode}\n{done.stdout}{done.stderr or ''}")
    return done.stdout


def tool(name: str) -> Path:
    """A pinned program, which the script has built."""
    return Path(run(ROOT / "hack/tools/tool", "path", name).strip())


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
