"""kubectl and helm against the node, as its administrator."""

import json
import os
import subprocess
from pathlib import Path

import yaml

from rig.tools import ROOT, binary

STATE = Path(os.environ.get("DEPUTY_E2E_STATE", ROOT / ".e2e"))
NODE = STATE / "node"
SCRIPTS = ROOT / "tests" / "e2e" / "node"
ENVIRONMENT = {**os.environ, "KUBECONFIG": str(NODE / "admin.conf")}


class CommandFailed(RuntimeError):
    """A command's exit code was not zero; the message has what it printed."""


def run(*command: str | os.PathLike[str], stdin: str | None = None, timeout: float = 120) -> str:
    """Runs a command; returns its standard output."""
    done = subprocess.run(
        [os.fspath(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env=ENVIRONMENT,
    )
    if done.returncode:
        raise CommandFailed(f"{' '.join(map(str, command[:6]))} …: {done.stdout}{done.stderr}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
    """Runs kubectl; returns its standard output."""
    return run(binary("kubectl"), *arguments, stdin=stdin, timeout=timeout)


def helm(*arguments: str | os.PathLike[str], stdin: str | None = None, timeout: float = 240) -> str:
    """Runs helm; returns its standard output."""
    return run(binary("helm"), *arguments, stdin=stdin, timeout=timeout)


def inside(*command: str) -> str:
    """Runs a command in all of the node's namespaces."""
    return run(SCRIPTS / "inside", *command)


def apply(*objects: dict) -> None:
    """`kubectl apply`."""
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))


def get(kind: str, name: str, namespace: str = "") -> dict:
    """One object."""
    return json.loads(kubectl("get", kind, name, "-o", "json", *_in(namespace)))


def items(kind: str, namespace: str, selector: str = "") -> list[dict]:
    """The objects of a kind in a namespace, deleted ones left out."""
    found = json.loads(kubectl("get", kind, "-o", "json", "-l", selector, *_in(namespace)))["items"]
    return [o for o in found if "deletionTimestamp" not in o["metadata"]]


def condition(kind: str, name: str, which: str, namespace: str = "") -> str:
    """A condition as `status/reason`, or nothing."""
    conditions = get(kind, name, namespace).get("status", {}).get("conditions", [])
    return next((f"{c['status']}/{c['reason']}" for c in conditions if c["type"] == which), "")


def logs(pod: str, container: str, namespace: str) -> list[str]:
    """The lines of a container's log."""
    return kubectl("logs", pod, "-c", container, "-n", namespace).splitlines()


def _in(namespace: str) -> list[str]:
    return ["-n", namespace] if namespace else []
