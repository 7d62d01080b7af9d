"""Runs last: what the whole suite did is held against what was granted, in Kubernetes and in AWS."""

import json
import subprocess

import pytest

from rig import canaries, rbac
from rig.deputy import NAMESPACE, PROCESSES
from rig.proc import wait_until
from rig.tools import cargo_binary

from .judge import Judge
from .scenario import API

# Granted and not always used by this suite, with the reason why it is granted all the same.
_SERIES = "kube's event recorder counts an event up instead of writing it again, when it is told twice of one version"
_APPLIES = "a server-side apply that makes the object is a patch, for which the API server wants the right to create too"
REVIEWED_RBAC = {name: {("patch", "events.k8s.io/events"): _SERIES} for name in ("controller", "limits")}
REVIEWED_RBAC["limits"][("create", "deputy.dev/namespacelimits")] = _APPLIES


def test_everything_deleted_leaves_nothing_in_aws(scenario):
    admin = scenario.admin
    for plural in ("awsresourcepolicystatements", "awsrolebindings", "awsroles"):
        for found in admin.get(f"{API}/{plural}")["items"]:
            meta = found["metadata"]
            admin.delete(f"{API}/namespaces/{meta['namespace']}/{plural}/{meta['name']}")
    for found in admin.get(f"{API}/delegationlimits")["items"]:
        path = f"{API}/delegationlimits/{found['metadata']['name']}"
        admin.patch(path, {"metadata": {"annotations": {"deputy.dev/accept-suspending": "1000"}}})
        admin.delete(path)
    wait_until(lambda: not scenario.roles_in_aws(), "no role", 60)
    wait_until(lambda: not scenario.policies_in_aws(), "no policy", 60)
    # A role that AWS does not show, to who has not seen it go, is believed gone after a minute.
    wait_until(lambda: not admin.get(f"{API}/awsroles")["items"], "no finalizer", 90)
    scenario.delete_account("production")


def test_every_process_ends_as_it_should(scenario):
    for name in PROCESSES:
        scenario.last_metrics[name] = scenario.deputy.metrics(name)
        assert "deputy_" in scenario.last_metrics[name]
    for name in PROCESSES:
        assert scenario.deputy.processes[name].stop() == 0, name


def test_no_request_of_deputy_was_forbidden(scenario):
    assert scenario.cluster.audit_forbidden(NAMESPACE) == []


@pytest.mark.parametrize("name", PROCESSES)
def test_every_right_in_kubernetes_was_used(scenario, name):
    unused = rbac.unused(scenario.cluster, scenario.deputy.rendered.objects, NAMESPACE, f"deputy-{name}")
    assert unused - set(REVIEWED_RBAC.get(name, {})) == set(), f"{name}: granted and never used"


@pytest.fixture(scope="module")
def judge(scenario):
    """Every call of Deputy's identities, judged against exactly what `deputy bootstrap aws` printed."""
    return Judge(scenario.deputy, scenario.aws).judge()


def test_every_call_to_aws_is_allowed_by_the_printed_policies(judge):
    assert len(judge.verdicts) > 100
    refused = [v for v in judge.verdicts if v["decision"] != "allowed"]
    assert refused == [], json.dumps(refused[:5], indent=1)


def test_every_action_granted_in_aws_was_used(judge):
    assert judge.unused() == {}


def test_no_refusal_in_aws_was_due_to_missing_rights(scenario):
    refused = [
        c
        for c in scenario.aws.recorder.calls()
        if c.error_code in ("AccessDenied", "AccessDeniedException", "AuthorizationError") and not c.fault
    ]
    # The broker may be asked for a session before IAM shows the trust policy; nobody else is ever refused.
    assert [c for c in refused if c.action != "AssumeRole"] == []


def test_no_secret_is_in_any_log_event_metric_or_status(scenario):
    cluster, aws, deputy = scenario.cluster, scenario.aws, scenario.deputy
    given, keys = canaries.handed_out(cluster, aws, deputy), canaries.private_keys(cluster)
    logs, stored = canaries.logs(deputy), canaries.stored(cluster)
    # There is something to look for, and somewhere.
    assert len(given) > 100 and len(keys) >= 4
    assert len(logs) >= len(PROCESSES) + 3 and set(scenario.last_metrics) == set(PROCESSES)
    for text, files in (("SessionIssued", [deputy.folder / "broker.log"]), ("deputy.dev/role", stored)):
        assert canaries.found([text], files), f"{text} is nowhere"
    assert canaries.found(keys, stored), "the search finds what is there: the authorities, in their Secrets"
    assert canaries.leaks(cluster, aws, deputy, scenario.last_metrics.values()) == []


def test_the_evaluator_that_judged_says_no_where_it_should(scenario):
    policy = next(i["policy"] for i in scenario.deputy.bootstrap["identities"] if i["process"] == "deputy controller")
    line = {"id": 1, "request": {"action": "iam:CreatePolicy", "resource": "*"}, "identity": [policy]}
    done = subprocess.run(
        [cargo_binary("deputy"), "policy", "evaluate", "--batch", "-"],
        input=json.dumps(line) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["decision"] == "explicitDeny"
