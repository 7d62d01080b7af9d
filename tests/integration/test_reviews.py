"""Reviews sent straight to the webhook, as only an attacker or a broken API server would."""

import base64
import http.client
import json
import ssl
import urllib.request

import pytest

from rig.cluster import service_account_user
from rig.deputy import NAMESPACE
from rig.proc import wait_until

from .scenario import READ, role

MIB = 1 << 20


def review(obj: object, operation: str = "CREATE", kind: str = "AWSRole", resource: str = "awsroles", **more) -> dict:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": {"group": "deputy.dev", "version": "v1alpha1", "kind": kind},
            "resource": {"group": "deputy.dev", "version": "v1alpha1", "resource": resource},
            "name": "uploader",
            "namespace": "reviews",
            "operation": operation,
            "object": obj,
            **more,
        },
    }


GOOD = role("reviews", "uploader", READ)


@pytest.fixture(autouse=True)
def serves_afterwards(scenario):
    """Whatever was sent, the next good review is answered."""
    yield
    status, body = scenario.deputy.review("/validate", json.dumps(review(GOOD)).encode())
    assert status == 200 and body["response"]["uid"] == "u-1"


def test_a_review_gets_an_answer_with_its_uid(scenario):
    status, body = scenario.deputy.review("/validate", json.dumps(review(GOOD)).encode())
    assert status == 200 and body["response"]["uid"] == "u-1"
    # No limit names that namespace: it is let in, and nothing is granted.
    warnings = body["response"]["warnings"]
    assert body["response"]["allowed"] and any("reviews" in w for w in warnings), warnings


@pytest.mark.parametrize("path", ["/validate", "/mutate"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b"[" * 100_000,
        json.dumps(review(GOOD)).encode()[:-40],
        json.dumps({**review(GOOD), "kind": "Pod"}).encode(),
        json.dumps({**review(GOOD), "apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        json.dumps({k: v for k, v in review(GOOD).items() if k != "request"}).encode(),
    ],
    ids=[
        *("empty", "open", "null", "list", "binary", "no-fields", "deep", "truncated"),
        *("other-kind", "other-version", "no-request"),
    ],
)
def test_what_is_no_review_is_refused(scenario, path, body):
    status, answer = scenario.deputy.review(path, body)
    assert status == 400 and answer["error"], answer
    assert len(answer["error"]) < 1000


def test_another_content_type_is_refused(scenario):
    status, _ = scenario.deputy.review("/validate", json.dumps(review(GOOD)).encode(), "text/yaml")
    assert status == 415


def test_a_body_over_three_mebibytes_is_refused_and_costs_no_memory(scenario):
    pid = scenario.deputy.processes["webhook"].pid
    for size in (3 * MIB + 1, 64 * MIB):
        padded = json.dumps(review(GOOD)).encode() + b" " * size
        try:
            status, _ = scenario.deputy.review("/validate", padded)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            continue  # refused while we were still sending
        assert status == 413
    padded = json.dumps(review(GOOD)).encode()
    padded += b" " * (3 * MIB - len(padded))
    assert scenario.deputy.review("/validate", padded)[0] == 200
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    assert peak < 150 * 1024, f"{peak} KiB"


@pytest.mark.parametrize(
    "what",
    [
        review(GOOD, kind="AWSAccount"),
        review(GOOD, resource="awsaccounts"),
        review(GOOD, kind="Pod", resource="pods"),
        review({**GOOD, "kind": "AWSRoleBinding"}),
        review(GOOD, name="another"),
        review(GOOD, namespace="another"),
        review(None),
        review([]),
        review("role"),
        review(GOOD, operation="CONNECT"),
        review(GOOD, operation="UPDATE"),
        review(GOOD, operation="DELETE"),
    ],
    ids=[
        *("kind", "resource", "pod", "object", "name", "namespace", "null", "list", "text"),
        *("connect", "update-without-old", "delete-without-old"),
    ],
)
def test_a_review_that_contradicts_itself_is_refused(scenario, what):
    status, body = scenario.deputy.review("/validate", json.dumps(what).encode())
    assert status == 200
    assert not body["response"]["allowed"] and body["response"]["status"]["code"] == 400, body


@pytest.mark.parametrize(
    "what",
    [
        review(GOOD),
        review({"spec": {}}, kind="Pod", resource="pods"),
    ],
    ids=["role", "other-group"],
)
def test_only_pods_are_injected(scenario, what):
    status, body = scenario.deputy.review("/mutate", json.dumps(what).encode())
    assert status == 200 and not body["response"]["allowed"] and "patch" not in body["response"]


def test_the_webhook_serves_nothing_else_and_only_with_tls(scenario):
    status, _ = scenario.deputy.review("/metrics", b"{}")
    assert status == 404
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen(f"http://127.0.0.1:{scenario.deputy.port('webhook')}/validate", timeout=5)


def test_the_certificate_is_renewed_in_the_configurations_when_somebody_empties_them(scenario):
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/deputy"

    def bundles() -> list[str]:
        return [w["clientConfig"].get("caBundle", "") for w in scenario.admin.get(path)["webhooks"]]

    before = bundles()
    assert all(b"BEGIN CERTIFICATE" in base64.b64decode(b) for b in before)
    found = scenario.admin.get(path)
    for webhook in found["webhooks"]:
        del webhook["clientConfig"]["caBundle"]
    scenario.admin.replace(path, found)
    wait_until(lambda: bundles() == before, "the bundle again", 15)


def test_a_service_account_that_no_watch_has_brought_is_read_once(scenario):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"serviceAccountName": "unknown"}}
    request = review(pod, namespace="unknown", name="p")
    request["request"]["kind"] = {"group": "", "version": "v1", "kind": "Pod"}
    request["request"]["resource"] = {"group": "", "version": "v1", "resource": "pods"}
    user, before = service_account_user(NAMESPACE, "deputy-webhook"), len(scenario.cluster.audited())
    status, body = scenario.deputy.review("/mutate", json.dumps(request).encode())
    # What the API server does not know asks for nothing.
    assert status == 200 and body["response"]["allowed"] and "patch" not in body["response"]
    reads = [r for r in scenario.cluster.audited()[before:] if r.user == user and r.verb == "get" and r.name == "unknown"]
    assert sorted((r.resource, r.code) for r in reads) == [("namespaces", 404), ("serviceaccounts", 404)]
