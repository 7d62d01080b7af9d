"""Finds the programs that `make tools` built and the virtual environments."""

import functools
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TOOL = ROOT / "hack" / "tools" / "tool"


class ToolMissing(RuntimeError):
    """A program is not there; the message says which command makes it."""


@functools.cache
def _path(name: str, kubebuilder_assets: str | None) -> Path:
    del kubebuilder_assets  # part of the cache's key only: the script reads it from the environment
    return Path(
        subprocess.run([_TOOL, "path", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    )


def has(name: str) -> bool:
    """Whether the pinned program is built."""
    return os.access(_path(name, os.environ.get("KUBEBUILDER_ASSETS")), os.X_OK)


def binary(name: str) -> Path:
    """The pinned program `name` (etcd, kube-apiserver, kubectl, helm, …)."""
    path = _path(name, os.environ.get("KUBEBUILDER_ASSETS"))
    if not os.access(path, os.X_OK):
        raise ToolMissing(
            f"{name} is not at {path}: run `make tools` (or, for the programs of a node, `make tools-node`)"
        )
    return path


@functools.cache
def venv(name: str) -> Path:
    """The folder of a virtual environment, made on first use."""
    out = subprocess.run([_TOOL, "venv", name], check=True, stdout=subprocess.PIPE, text=True).stdout
    return Path(out.strip().splitlines()[-1])


def target_dir() -> Path:
    """Cargo's target folder, as cargo itself finds it."""
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def cargo_binary(name: str, profile: str = "debug") -> Path:
    """A program of this workspace, built beforehand with cargo."""
    path = target_dir() / profile / name
    if not path.exists():
        raise ToolMissing(f"{name} is not at {path}: run `cargo build --workspace --bins`")
    return path


def deputy(*arguments: str | Path, input: str = "", timeout: float = 120, **options) -> subprocess.CompletedProcess[str]:
    """Runs the program `deputy`, however it ends; further options are those of subprocess.run."""
    command = [cargo_binary("deputy"), *arguments]
    return subprocess.run(
        command, input=input, timeout=timeout, capture_output=True, text=True, check=False, **options
    )
