"""`deputy report` and `deputy explain pod` of a real API server: what is read beside Deputy's objects, and what is said when it may not be."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rig.cluster import Cluster
from rig.tools import ROOT, deputy

PLURALS = [
    one["spec"]["names"]["plural"]
    for path in sorted((ROOT / "crds").glob("*.yaml"))
    for one in yaml.safe_load_all(path.read_text())
    if one
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """With the example in it, one ServiceAccount too few, a status, an event and a pod."""
    with Cluster() as running:
        crds = [one for path in sorted((ROOT / "crds").glob("*.yaml")) for one in yaml.safe_load_all(path.read_text()) if one]
        running.apply(crds)
        running.wait_established(*(one["metadata"]["name"] for one in crds))
        platform = list(yaml.safe_load_all((ROOT / "examples/productionapp/10-platform.yaml").read_text()))
        # Nobody admits pods here.
        platform[-1]["metadata"]["labels"] = {"deputy.dev/inject": "enabled"}
        running.apply(platform)
        application = list(yaml.safe_load_all((ROOT / "examples/productionapp/20-application.yaml").read_text()))
        binding = next(one for one in application if one["kind"] == "AWSRoleBinding")
        binding["spec"]["subjects"].append({"kind": "ServiceAccount", "name": "forgotten"})
        running.apply(application)
        role = "/apis/deputy.dev/v1alpha1/namespaces/payments/awsroles/uploader"
        found = running.admin.call("GET", role)
        condition = {
            "type": "Ready",
            "status": "False",
            "reason": "Conflict",
            "message": "AWS has <b>another</b> role",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        found["status"] = {"conditions": [condition], "observedGeneration": 1}
        running.admin.call("PUT", f"{role}/status", found)
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "drift", "namespace": "payments"},
            "involvedObject": {
                "apiVersion": "deputy.dev/v1alpha1",
                "kind": "AWSRole",
                "namespace": "payments",
                "name": "uploader",
            },
            "reportingComponent": "deputy-controller",
            "reportingInstance": "deputy-controller-1",
            "reason": "DriftReverted",
            "message": "somebody changed the trust policy",
            "type": "Warning",
            "lastTimestamp": "2026-01-02T03:04:05Z",
        }
        running.admin.call("POST", "/api/v1/namespaces/payments/events", event)
        # Neither by Deputy, nor about an object of Deputy's.
        other = {**event, "metadata": {"name": "other", "namespace": "payments"}, "reportingComponent": "somebody"}
        running.admin.call("POST", "/api/v1/namespaces/payments/events", {**other, "reason": "DriftFound"})
        pod = {"apiVersion": "v1", "kind": "Pod", "namespace": "payments", "name": "uploader-1"}
        about = {**event, "metadata": {"name": "about", "namespace": "payments"}, "involvedObject": pod, "reason": "DriftFound"}
        running.admin.call("POST", "/api/v1/namespaces/payments/events", about)
        running.create_pod("payments", "uploader-1", service_account="uploader")
        yield running


def said(kubeconfig: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent)}
    done = deputy(*arguments, "--kubeconfig", kubeconfig, env=environment)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def found(report: dict, topic: str) -> list[tuple[str, str]]:
    return [(one["reason"], one["object"]) for one in report["findings"] if one["topic"] == topic]


def test_a_report_tells_who_is_not_there_and_what_drifted(cluster: Cluster) -> None:
    report = json.loads(said(cluster.kubeconfig, "report", "--format", "json"))
    assert found(report, "orphan") == [("ServiceAccountNotFound", "AWSRoleBinding payments/uploader")]
    drift = found(report, "drift")
    assert ("DriftReverted", "AWSRole payments/uploader") in drift and ("Conflict", "AWSRole payments/uploader") in drift
    assert not any(reason == "DriftFound" for reason, _ in drift)
    assert [one for one in report["notLookedAt"] if "were left out" in one] == [
        "events DriftFound that are by somebody else than deputy-controller and deputy-limits, or about no object of Deputy's,"
        " were left out: 1"
    ]
    missing = {one["name"]: one.get("missing", False) for one in report["bindings"][0]["subjects"]}
    assert missing == {"payments/uploader": False, "payments/forgotten": True}
    assert not any("could not be listed" in said for said in report["notLookedAt"])
    # Beside the places where a line may end.
    assert "AWS has &lt;b&gt;another&lt;/b&gt; role" in said(cluster.kubeconfig, "report").replace("<wbr>", "")


def test_who_may_not_list_it_is_told_what_was_not_looked_at(cluster: Cluster) -> None:
    _, kubeconfig = cluster.person("auditor@example.com")
    rules = [{"apiGroups": ["deputy.dev"], "resources": PLURALS, "verbs": ["get", "list"]}]
    name = {"name": "auditor"}
    rbac = "rbac.authorization.k8s.io"
    cluster.apply(
        [
            {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": name, "rules": rules},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": name,
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", **name},
                "subjects": [{"apiGroup": rbac, "kind": "User", "name": "auditor@example.com"}],
            },
        ]
    )
    report = json.loads(said(kubeconfig, "report", "--format", "json"))
    assert found(report, "orphan") == []
    unlisted = [one for one in report["notLookedAt"] if "could not be listed" in one]
    assert len(unlisted) == 3 and "ServiceAccounts" in unlisted[0]
    assert "events DriftFound" in unlisted[1] and "events DriftReverted" in unlisted[2]
    assert not any("missing" in subject for one in report["bindings"] for subject in one["subjects"])


def test_a_pod_that_was_created_without_injection_is_told(cluster: Cluster) -> None:
    answer = json.loads(said(cluster.kubeconfig, "explain", "pod", "payments/uploader-1", "-o", "json"))
    pod, binding, role, *_ = answer["objects"]
    facts = {fact["what"]: fact["is"] for fact in pod["facts"]}
    assert pod["object"] == "Pod payments/uploader-1"
    assert facts["injected"] == "nothing was put in when it was created"
    assert facts["injection"].startswith("by a sidecar")
    assert facts["container"].endswith("the default: AWSRoleBinding payments/uploader")
    assert "not known" not in facts
    assert binding["object"] == "AWSRoleBinding payments/uploader"
    assert {"what": "not ready", "is": "Ready is False (Conflict): AWS has <b>another</b> role"} in role["facts"]
