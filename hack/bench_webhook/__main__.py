"""Measures, and writes the table into docs/benchmarks.md, between its two markers.

The webhook runs alone on one core and wrk on the other, closed loop, 16 connections that stay. The pod asks for credentials and is
injected: parsing, decision and patch are in it. nginx receives the same body over TLS and answers with a few bytes.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from integration.scenario import READ, Scenario, Team
from measured import Section
from rig.aws import Aws
from rig.cluster import Cluster
from rig.deputy import Deputy
from soak_credentials.load import CLIENT_CORE, SERVER_CORE, TIMES, closed, nginx
from soak_credentials.world import pin, resident

EKS = {1: 79, 20: 709}
"""Microseconds of CPU that the webhook of EKS needs, and how many times less is to be needed."""
TIMES_LESS = {1: 3, 20: 6}


@dataclass
class Row:
    """One size of a pod."""

    kilobytes: int
    rate: float
    webhook: float
    nginx: float


def pod(size: int) -> dict:
    """A pod of so many bytes, most of it the environments of further containers, as those of people are."""

    def container(number: int) -> dict:
        env = [{"name": f"SETTING_{n}", "value": "a value of ordinary length"} for n in range(12)]
        mounts = [{"name": "app", "mountPath": "/app", "readOnly": True}]
        return {"name": f"c{number}", "image": "registry.example.com/app:1", "env": env, "volumeMounts": mounts}

    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "measured", "labels": {"app": "uploader", "deputy.dev/inject": "enabled"}, "annotations": {"note": ""}},
        "spec": {
            "serviceAccountName": "uploader",
            "containers": [{"name": "app", "image": "registry.example.com/app:1"}],
            "volumes": [{"name": "app", "configMap": {"name": "app"}}],
        },
    }
    while len(json.dumps(made)) + len(json.dumps(container(99))) < size:
        made["spec"]["containers"].append(container(len(made["spec"]["containers"])))
    made["metadata"]["annotations"]["note"] = "x" * (size - len(json.dumps(made)))
    return made


def review(namespace: str, of: dict) -> bytes:
    """As the API server asks."""
    request = {
        "uid": "0a5f3c1e-7c1f-4a0e-9a55-0d1f0c2f8a11",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": namespace,
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": of,
        "oldObject": None,
        "dryRun": False,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def script(folder: Path, body: bytes) -> Path:
    """What wrk sends."""
    (folder / "body").write_bytes(body)
    path = folder / "post.lua"
    path.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nlocal file = io.open("{folder}/body", "rb")\n'
        'wrk.body = file:read("*a")\nfile:close()\n'
    )
    return path


def measure(folder: Path, profile: str) -> tuple[list[Row], float]:
    """The rows, and the resident memory of the webhook in MiB after all of them."""
    with Cluster(folder / "cluster") as cluster, Aws(folder / "aws") as aws:
        deputy = Deputy(cluster, aws, folder, people=True, profile=profile)
        try:
            scenario = Scenario(cluster, aws, deputy).start()
            team = Team(scenario, "measured")
            team.granted("uploader", READ)
            webhook = deputy.processes["webhook"].pid
            pin(webhook, SERVER_CORE)
            os.sched_setaffinity(0, {CLIENT_CORE})
            url, rows = f"https://127.0.0.1:{deputy.port('webhook')}/mutate?timeout=5s", []
            with nginx(folder / "nginx", 1) as (pid, _, tls):
                for kilobytes in TIMES_LESS:
                    body = review(team.name, pod(kilobytes * 1024))
                    status, answer = deputy.review("/mutate?timeout=5s", body)
                    if status != 200 or not answer["response"].get("patch"):
                        raise RuntimeError(f"the pod is not injected: {answer}")
                    post = script(folder, body)
                    of_ours = min((closed(webhook, url, {}, post) for _ in range(TIMES)), key=lambda run: run[1])
                    of_nginx = min((closed(pid, f"https://127.0.0.1:{tls}/post", {}, post) for _ in range(TIMES)), key=lambda run: run[1])
                    rows.append(Row(kilobytes, of_ours[0], of_ours[1], of_nginx[1]))
                    print(rows[-1], flush=True)
            return rows, resident(webhook) / 1024
        finally:
            deputy.stop()


def table(rows: list[Row], memory: float, load: float) -> str:
    """As it stands in the document."""
    lines = ""
    for row in rows:
        figure = EKS[row.kilobytes] / TIMES_LESS[row.kilobytes]
        missed = "" if row.webhook <= figure else " **missed**"
        lines += (
            f"| {row.kilobytes} KB | {row.rate:,.0f} | {row.webhook:.0f} µs | {row.nginx:.0f} µs | {EKS[row.kilobytes] / row.webhook:.1f} × "
            f"| ≤ {figure:.0f} µs ({TIMES_LESS[row.kilobytes]} ×){missed} |\n"
        )
    return (
        f"\n{datetime.now(timezone.utc).date()}, {os.cpu_count()} CPUs, load average {load:.1f} at the beginning; of {TIMES} runs the one that other "
        f"work disturbed least. Resident after all of them: {memory:.1f} MiB.\n\n"
        "| pod | a second | CPU each | nginx receives it | less than the webhook of EKS | figure |\n|---|---|---|---|---|---|\n" + lines
    )


def main() -> None:
    section, load = Section("webhook"), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="deputy-webhook-") as folder:
        rows, memory = measure(Path(folder), os.environ.get("PROFILE", "release"))
    text = table(rows, memory, load)
    print(text)
    if not os.environ.get("DRY"):
        section.write(text + "\n")


if __name__ == "__main__":
    main()
