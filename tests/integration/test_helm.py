"""The chart's releases by Helm 3 and by Helm 4, on an API server without nodes: what Deputy filled in stays, through upgrades and a rollback, and
`helm uninstall` asks before it removes anything."""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.cluster import Cluster
from rig.kube_render import CHART
from rig.proc import wait_until
from rig.tools import binary, has

NAMESPACE = "deputy-system"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
JOB = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/deputy-uninstall"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
VALUES = ("--set", "clusterName=demo", "--set", "image.repository=deputy.invalid/deputy")
ENDED = "2026-01-01T00:00:00Z"


class Release:
    """A release of the chart, by one helm."""

    def __init__(self, cluster: Cluster, program: str, folder: Path) -> None:
        self.cluster, self.admin, self.program = cluster, cluster.admin, binary(program)
        self._env = {k: v for k, v in os.environ.items() if not k.startswith(("HELM_", "KUBE"))}
        self._env |= {f"HELM_{what}_HOME": str(folder / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
        self._env["KUBECONFIG"] = str(cluster.kubeconfig)

    def try_helm(self, *arguments: str | Path) -> subprocess.CompletedProcess:
        command = [self.program, *arguments, "--namespace", NAMESPACE]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=120, check=False)

    def helm(self, *arguments: str | Path) -> str:
        done = self.try_helm(*arguments)
        assert done.returncode == 0, done
        return done.stdout

    def filled(self) -> list:
        """What Deputy writes into objects of the chart."""
        configurations = [self.admin.get(f"{HOOKS}/{kind}webhookconfigurations/deputy") for kind in ("mutating", "validating")]
        return [
            *(self.admin.get(f"{CORE}/secrets/deputy-{name}-ca")["data"] for name in ("webhook", "broker")),
            *(self.admin.get(f"{CORE}/configmaps/{name}")["data"] for name in ("deputy-broker-bundle", "deputy-cluster")),
            *(w["clientConfig"]["caBundle"] for c in configurations for w in c["webhooks"]),
        ]

    def fill(self) -> None:
        """As webhook, broker and controller do when they run."""
        pem = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").decode()
        for name in ("webhook", "broker"):
            self.admin.patch(f"{CORE}/secrets/deputy-{name}-ca", {"data": {"ca.crt": pem}})
        self.admin.patch(f"{CORE}/configmaps/deputy-broker-bundle", {"data": {"ca.crt": "the bundle"}})
        self.admin.patch(f"{CORE}/configmaps/deputy-cluster", {"data": {"clusterName": "demo"}})
        bundle = base64.b64encode((self.cluster.folder / "pki" / "ca.crt").read_bytes()).decode()
        for kind in ("mutating", "validating"):
            path = f"{HOOKS}/{kind}webhookconfigurations/deputy"
            webhooks = self.admin.get(path)["webhooks"]
            for webhook in webhooks:
                webhook["clientConfig"]["caBundle"] = bundle
            self.admin.patch(path, {"webhooks": webhooks})

    def replicas(self, name: str) -> int:
        return self.admin.get(f"{DEPLOYMENTS}/deputy-{name}")["spec"]["replicas"]

    def job_uid(self) -> str | None:
        return self.admin.get(JOB)["metadata"]["uid"] if self.admin.exists(JOB) else None

    def uninstall(self, succeeded: bool) -> subprocess.CompletedProcess:
        """`helm uninstall` while something else runs the hook's Job, which no node is there to do: to this end."""
        answer: list[subprocess.CompletedProcess] = []
        former = self.job_uid()
        asked = threading.Thread(target=lambda: answer.append(self.try_helm("uninstall", "deputy", "--timeout", "60s")))
        asked.start()
        wait_until(lambda: self.job_uid() not in (None, former), "the hook's Job", 30)
        before, after = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
        conditions = [{"type": what, "status": "True", "lastTransitionTime": ENDED} for what in (before, after)]
        status = {"startTime": ENDED, "conditions": conditions, "ready": 0}
        status |= {"succeeded": 1, "completionTime": ENDED} if succeeded else {"failed": 1}
        self.admin.patch(f"{JOB}/status", {"status": status})
        asked.join()
        return answer[0]


@pytest.fixture(params=["helm", "helm4"])
def release(request, tmp_path) -> Iterator[Release]:
    if not has(request.param):
        pytest.skip(f"{request.param} is not built: hack/tools/tool build {request.param}")
    with Cluster(tmp_path / "cluster") as cluster:
        yield Release(cluster, request.param, tmp_path)


def test_a_release_is_upgraded_rolled_back_and_removed(release):
    admin = release.admin
    release.helm("install", "deputy", CHART, "--create-namespace", *VALUES)
    assert admin.exists("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/awsroles.deputy.dev")
    assert not admin.exists(JOB), "a hook of the end, and of nothing else"
    release.fill()
    before = release.filled()
    assert all(before)

    release.helm("upgrade", "deputy", CHART, "--reset-then-reuse-values", "--set", "broker.replicas=3")
    assert (release.replicas("broker"), release.filled()) == (3, before)
    dashboard = f"{CORE}/configmaps/deputy-dashboard"
    more = "networkPolicy.enabled=true,monitoring.dashboard.enabled=true,webhook.objects.timeoutSeconds=9"
    release.helm("upgrade", "deputy", CHART, "--reset-then-reuse-values", "--set", more)
    assert admin.get(f"{HOOKS}/validatingwebhookconfigurations/deputy")["webhooks"][0]["timeoutSeconds"] == 9
    assert admin.get(dashboard)["data"]["deputy.json"] == (CHART / "files" / "dashboard.json").read_text().strip()
    assert (release.replicas("broker"), release.filled()) == (3, before)

    release.helm("rollback", "deputy", "1")
    assert (release.replicas("broker"), release.filled()) == (2, before)
    assert not admin.exists(dashboard)
    assert admin.get(f"{HOOKS}/validatingwebhookconfigurations/deputy")["webhooks"][0]["timeoutSeconds"] == 10

    refused = release.uninstall(succeeded=False)
    assert refused.returncode != 0, refused
    assert (release.replicas("broker"), release.filled()) == (2, before), "nothing is removed"
    assert admin.exists(JOB), "its pod's log says why"
    rights = "/apis/rbac.authorization.k8s.io/v1"
    assert not admin.exists(f"{rights}/clusterroles/deputy-uninstall"), "what may delete is there no longer than it asks"
    assert not admin.exists(f"{CORE}/serviceaccounts/deputy-uninstall")
    # Helm takes it for half removed, and upgrades nothing such. The revision that is there, once more, as the refusal says.
    last = json.loads(release.helm("history", "deputy", "--output", "json"))[-1]
    assert last["status"] == "uninstalling", last
    upgrade = ("upgrade", "deputy", CHART, "--reset-then-reuse-values", "--set", "uninstall.policy=Retain")
    assert "no deployed releases" in release.try_helm(*upgrade).stderr
    release.helm("rollback", "deputy", str(last["revision"]))
    assert (release.replicas("broker"), release.filled()) == (2, before)
    release.helm(*upgrade)

    done = release.uninstall(succeeded=True)
    assert done.returncode == 0, done
    wait_until(lambda: not admin.get(DEPLOYMENTS)["items"], "no process", 20)
    for gone in (JOB, f"{CORE}/secrets/deputy-webhook-ca", f"{rights}/clusterroles/deputy-controller"):
        assert not admin.exists(gone), gone
    kept = [f"{CORE}/secrets/deputy-broker-ca", f"{CORE}/configmaps/deputy-cluster"]
    for path in (*kept, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/awsroles.deputy.dev"):
        assert admin.exists(path), path

    # What was kept is no obstacle.
    release.helm("install", "deputy", CHART, *VALUES)
    assert admin.get(kept[0])["data"] == before[1]
