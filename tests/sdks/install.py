"""Installs what the clients need from the pins beside them, once, into the cache of hack/tools."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent / "clients"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deputy"
_TOOLS = Path(os.environ.get("DEPUTY_CACHE") or _CACHE) / "tools"
_MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class Missing(RuntimeError):
    """A toolchain that this machine does not have."""


def toolchain(name: str) -> str:
    """The path of a program that is installed here by other means."""
    if not (path := shutil.which(name)):
        raise Missing(f"{name} is not installed")
    return path


def _run(folder: Path, *command: str, **env: str) -> None:
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} in {folder}: {done.stdout}{done.stderr}")


def _node(folder: Path) -> None:
    _run(folder, toolchain("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def _go(folder: Path) -> None:
    (folder / "bin").mkdir()
    _run(folder, toolchain("go"), "build", "-mod=readonly", "-o", "bin/", "./...", GOFLAGS="-buildvcs=false")


def _java(folder: Path) -> None:
    javac = toolchain("javac")
    _run(folder, toolchain("mvn"), "--batch-mode", "--quiet", _MAVEN, f"-DoutputDirectory={folder}")
    _run(folder, javac, "-cp", "*", *(path.name for path in folder.glob("*.java")))


_MAKERS: dict[str, Callable[[Path], None]] = {"node": _node, "go": _go, "java": _java}


def installed(name: str) -> Path:
    """The folder of `clients/NAME`, with all that its lock file names. Folders are named by what went into them."""
    source = CLIENTS / name
    kind = name.partition("-")[0]
    inputs = sorted(path for path in [*source.rglob("*"), *(CLIENTS / kind).rglob("*")] if path.is_file())
    digest = hashlib.sha256()
    for path in inputs:
        digest.update(f"{path.relative_to(CLIENTS)}\n".encode() + path.read_bytes())
    target = _TOOLS / f"sdks-{name}-{digest.hexdigest()[:16]}"
    _TOOLS.mkdir(parents=True, exist_ok=True)
    with (_TOOLS / f".lock-sdks-{name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "complete").exists():
            print(f"installing {target}", file=sys.stderr, flush=True)
            shutil.rmtree(target, ignore_errors=True)
            # The programs are those of the newest SDK: an older one has only other pins.
            shutil.copytree(CLIENTS / kind, target)
            shutil.copytree(source, target, dirs_exist_ok=True)
            _MAKERS[kind](target)
            (target / "complete").touch()
    return target
