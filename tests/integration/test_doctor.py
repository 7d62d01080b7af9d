"""`deputy doctor` on a real API server: an install without an error, and what it says of one with faults."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from rig.deputy import NAMESPACE
from rig.kube_render import CHART
from rig.proc import wait_until
from rig.tools import binary, deputy

from .scenario import ACCOUNT, API

SERVICES = ("deputy-broker", "deputy-webhook")
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


def _say_ready(scenario, name: str, count: int) -> None:
    """What a controller of Deployments would write."""
    status = {"replicas": count, "readyReplicas": count, "updatedReplicas": count, "availableReplicas": count}
    generation = scenario.admin.get(f"{DEPLOYMENTS}/{name}")["metadata"]["generation"]
    scenario.admin.patch(f"{DEPLOYMENTS}/{name}/status", {"status": {"observedGeneration": generation, **status}})


def _knows_quotas(scenario) -> bool:
    quotas = scenario.admin.get(f"{API}/awsaccounts/{ACCOUNT}")["status"].get("quotas", {})
    return {"roles", "policies"} <= quotas.keys()


@pytest.fixture(scope="module")
def whole(scenario):
    """The install with what a cluster that has nodes has besides: Deployments that are ready, and somebody behind the Services."""
    for identity in ("IssuerReady", "ProvisionerReady", "BoundaryWriterReady", "FederationReady"):
        scenario.wait(f"{API}/awsaccounts/{ACCOUNT}", identity, "True")
    wait_until(lambda: _knows_quotas(scenario), "the quotas of the account", 40)
    workloads = scenario.deputy.rendered.workloads.values()
    deployments = [one for one in workloads if one["kind"] == "Deployment"]
    for deployment in deployments:
        scenario.admin.create(DEPLOYMENTS, deployment)
        _say_ready(scenario, deployment["metadata"]["name"], deployment["spec"]["replicas"])
    for service in SERVICES:
        scenario.admin.create(
            SLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
            },
        )
    yield scenario
    for deployment in deployments:
        scenario.admin.delete(f"{DEPLOYMENTS}/{deployment['metadata']['name']}")
    for service in SERVICES:
        scenario.admin.delete(f"{SLICES}/{service}")


@pytest.fixture
def ask(whole, tmp_path):
    """Asks `deputy doctor`: its exit code, and the checks of its answer by name."""
    _, administrator = whole.cluster.person("doctor", "system:masters")

    def asked(*arguments: str, kubeconfig: Path = administrator) -> tuple[int, dict[str, dict]]:
        done = deputy(
            *("doctor", "--kubeconfig", kubeconfig, "--namespace", NAMESPACE, "--format", "json", *arguments),
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        )
        assert done.stderr == "", done.stderr
        answer = json.loads(done.stdout)
        return done.returncode, {check["check"]: check for check in answer["checks"]}

    return asked


def _bad(checks: dict[str, dict]) -> dict[str, list[str]]:
    """What is wrong, or could not be looked at, by check."""
    bad = [check for check in checks.values() if check["state"] in ("error", "unknown")]
    return {check["check"]: [finding["message"] for finding in check["findings"]] for check in bad}


def test_a_healthy_install_has_no_error(ask, whole):
    code, checks = ask()
    assert (code, _bad(checks)) == (0, {})
    assert checks["metadata-service"]["state"] == "skipped"
    assert checks["webhook-answers"]["state"] == "fine"
    # What is applied as a dry run is stored nowhere.
    assert not whole.admin.exists(f"{API}/namespaces/{NAMESPACE}/awsroles/deputy-doctor")


def test_a_webhook_that_is_down_is_found(ask, whole):
    whole.deputy.processes["webhook"].stop()
    code, checks = ask()
    bad = _bad(checks)
    assert (code, set(bad)) == (1, {"webhook-answers"})
    assert "failed calling webhook" in bad["webhook-answers"][0]


def test_what_is_missing_is_found(ask, whole):
    _say_ready(whole, "deputy-limits", 0)
    slices = whole.admin.get(f"{SLICES}?labelSelector=kubernetes.io%2Fservice-name%3Ddeputy-broker")["items"]
    for one in slices:
        gone = [{**endpoint, "conditions": {"ready": False}} for endpoint in one["endpoints"]]
        whole.admin.patch(f"{SLICES}/{one['metadata']['name']}", {"endpoints": gone})
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/awsroles.deputy.dev"
    before = whole.admin.get(crd)
    changed = json.loads(json.dumps(before))
    spec = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["revocation"]
    spec["x-kubernetes-validations"] = [
        rule for rule in spec["x-kubernetes-validations"] if "revocation" not in rule["rule"]
    ]
    whole.admin.replace(crd, changed)
    try:
        code, checks = ask()
    finally:
        now = whole.admin.get(crd)
        now["spec"] = before["spec"]
        whole.admin.replace(crd, now)
        _say_ready(whole, "deputy-limits", 2)
        for one in slices:
            whole.admin.patch(f"{SLICES}/{one['metadata']['name']}", {"endpoints": one["endpoints"]})
    bad = _bad(checks)
    assert (code, set(bad)) == (1, {"definitions", "processes", "webhooks"})
    assert "differs at spec.versions[0].schema.openAPIV3Schema" in bad["definitions"][0]
    assert _bad(ask()[1]) == {}


def test_the_rights_of_helm_test_are_enough(ask, whole):
    values = {"clusterName": "demo", "image": {"repository": "deputy.invalid/deputy"}}
    done = subprocess.run(
        [
            *(binary("helm"), "template", "deputy", CHART, "--namespace", NAMESPACE, "--kube-version", "1.34"),
            *("--show-only", "templates/tests/doctor.yaml", "--values", "-"),
        ],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        check=True,
    )
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    pod = next(one for one in objects if one["kind"] == "Pod")
    whole.cluster.apply([one for one in objects if one["kind"] != "Pod"])
    own = whole.cluster.kubeconfig_for_service_account(NAMESPACE, pod["spec"]["serviceAccountName"])
    arguments = pod["spec"]["containers"][0]["args"]
    assert arguments[:4] == ["doctor", "--in-cluster", "--namespace", NAMESPACE]
    code, checks = ask(*arguments[4:], kubeconfig=own)
    assert (code, _bad(checks)) == (0, {})
    assert checks["sidecars"]["state"] == "skipped"


def test_who_may_look_at_nothing_is_told_so(ask, whole):
    whole.cluster.create_namespace("strangers")
    whole.cluster.create_service_account("strangers", "nobody")
    own = whole.cluster.kubeconfig_for_service_account("strangers", "nobody")
    code, checks = ask(kubeconfig=own)
    states = {check["check"]: check["state"] for check in checks.values()}
    assert code == 1
    assert {name for name, state in states.items() if state != "unknown"} == {"clock", "metadata-service"}
