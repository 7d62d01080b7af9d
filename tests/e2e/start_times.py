"""How long pods take until their application runs: without a sidecar, with one that does nothing, and with Deputy's.

Measured by the one clock of the machine: when the pod is created, and what the application's first instruction reads.
"""

import statistics
from pathlib import Path

from k8s import apply, kubectl, logs

from rig.proc import wait_until

PAUSE = "localhost/e2e/pause:1"
"""busybox, and nothing else."""


def uptime() -> float:
    """Seconds since the machine started, in hundredths."""
    return float(Path("/proc/uptime").read_text().split()[0])


def pod(name: str, namespace: str, service_account: str, inject: str, sidecar: bool) -> dict:
    """A pod that says when it began, and ends."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    plain = {"name": "plain", "image": PAUSE, "restartPolicy": "Always", "securityContext": security}
    app = {"name": "app", "image": PAUSE, "command": ["/bin/busybox", "cat", "/proc/uptime"], "securityContext": security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"deputy.dev/inject": inject}},
        "spec": {
            "serviceAccountName": service_account,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [plain] if sidecar else [],
            "containers": [app],
        },
    }


def seconds(name: str, namespace: str, service_account: str, inject: str, sidecar: bool) -> float:
    """From the pod's creation to its application's first instruction."""
    created = uptime()
    apply(pod(name, namespace, service_account, inject, sidecar))
    began = wait_until(lambda: logs(name, "app", namespace), f"{name} runs", 60, 0.5)
    kubectl("-n", namespace, "delete", "pod", name, "--wait=false")
    return float(began[0].split()[0]) - created


def measure(namespace: str, service_account: str, times: int) -> list[str]:
    """Rows of a Markdown table; the three kinds of pods in turn, so that what disturbs one disturbs all."""
    kinds = {"no sidecar": ("disabled", False), "a sidecar that does nothing": ("disabled", True), "Deputy's": ("enabled", False)}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(times):
        for kind, (inject, sidecar) in kinds.items():
            name = f"start-{number}-{list(kinds).index(kind)}"
            found[kind].append(seconds(name, namespace, service_account, inject, sidecar))
    return [
        f"| {kind} | {statistics.median(all_of):.2f} s | {min(all_of):.2f}–{max(all_of):.2f} s |" for kind, all_of in found.items()
    ]
