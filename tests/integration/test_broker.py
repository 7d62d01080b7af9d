"""Who gets which session from the broker, and who does not."""

import base64
import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.proc import wait_until

from .scenario import LIST, READ, Team, document


def sessions_of(team):
    """AssumeRole calls for the team's roles."""
    return lambda call: f".{team.name}." in call.get("RoleArn", "")


def assumed(scenario, team, since: int = 0) -> list:
    return [c for c in scenario.aws.recorder.calls("AssumeRole", since=since) if sessions_of(team)(c.parameters)]


def tags(parameters: dict) -> dict:
    keys = [k for k in parameters if k.startswith("Tags.member.") and k.endswith(".Key")]
    return {parameters[k]: parameters[k.removesuffix("Key") + "Value"] for k in keys}


def forge(scenario, token: str, change: dict) -> str:
    """The token with other claims, signed with the cluster's own key."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    header, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    signed = f"{header}.{encode(json.dumps({**claims, **change}).encode())}"
    key = scenario.cluster.folder / "pki" / "service-accounts.key"
    der = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=signed.encode(), capture_output=True, check=True
    ).stdout
    # ES256 wants two numbers of 32 bytes; openssl gives SEQUENCE { INTEGER, INTEGER }.
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + length]))
        at += 2 + length
    return f"{signed}.{encode(b''.join(n.to_bytes(32) for n in numbers))}"


@pytest.fixture(scope="module")
def granted(scenario):
    """A team with one grant that no test of this file changes."""
    team = Team(scenario, "broker")
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    return team


def test_the_answer_has_what_sdks_need(granted):
    status, body = granted.ask()
    assert status == 200
    assert set(body) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration", "AccountId"}
    assert body["AccountId"] == "123456789012" and body["Expiration"].endswith("Z")
    token = granted.cluster.pod_token(granted.name, "app")
    _, headers, _ = granted.deputy.ask_broker(token)
    headers = {k.lower(): v for k, v in headers.items()}
    assert headers["deputy-protocol"] == "1" and headers["cache-control"] == "no-store" and headers["etag"]
    status, headers, body = granted.deputy.ask_broker(token, If_None_Match=headers["etag"])
    assert status == 304 and body == {}


def test_a_token_that_is_not_a_living_pods_is_refused(scenario, granted):
    cluster, name = scenario.cluster, granted.name
    good = cluster.pod_token(name, "app")
    pod = scenario.admin.get(f"/api/v1/namespaces/{name}/pods/app")
    now = int(time.time())
    header, payload, signature = good.split(".")
    bad = {
        "garbage": "garbage",
        "no signature": f"{header}.{payload}.",
        "another signature": f"{header}.{payload}.{signature[::-1]}",
        "algorithm none": "eyJhbGciOiJub25lIn0." + payload + ".",
        "expired": forge(scenario, good, {"iat": now - 7200, "nbf": now - 7200, "exp": now - 120}),
        "another audience": cluster.service_account_token(name, "uploader", "vault", pod),
        "the API server's audience": cluster.service_account_token(name, "uploader", None, pod),
        "without a pod": cluster.service_account_token(name, "uploader", "deputy"),
        "long": "a" * 9000,
    }
    for what, token in bad.items():
        status, _, body = scenario.deputy.ask_broker(token)
        assert (status, body.get("Code")) == (401, "InvalidToken"), (what, status, body)
        assert token[:40] not in json.dumps(body) or what == "garbage"
    # The key that signed the expired one is the right one.
    status, _, body = scenario.deputy.ask_broker(forge(scenario, good, {"exp": now + 600}))
    assert status == 200, body


def test_a_request_without_a_bearer_token_is_refused(scenario, granted):
    good = granted.cluster.pod_token(granted.name, "app")
    for value in ("", "Bearer", f"Basic {good}", good, f"Bearer {good} x"):
        status, _, body = scenario.deputy.ask_broker("unused", Authorization=value)
        assert (status, body.get("Code")) == (401, "InvalidToken"), (value[:20], status, body)


def test_the_token_of_a_deleted_pod_ends_within_seconds(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    token = scenario.cluster.pod_token(team.name, "app")
    now = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    scenario.admin.call("DELETE", f"/api/v1/namespaces/{team.name}/pods/app", now)
    wait_until(lambda: scenario.deputy.ask_broker(token)[0] in (401, 403), "no", 10)
    # A new pod of the name is another pod.
    team.pod()
    assert scenario.deputy.ask_broker(token)[0] in (401, 403)
    assert team.ask()[0] == 200


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_gets_nothing(scenario, team, phase):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    pod = f"/api/v1/namespaces/{team.name}/pods/app"
    scenario.admin.patch(f"{pod}/status", {"status": {"phase": phase}})
    assert team.wait_answer(403, timeout=10)["Code"] == "PodGone"


def test_a_binding_before_its_role_is_not_yet_and_one_whose_role_is_gone_is_no(scenario, team):
    team.binding(wait=False)
    team.pod()
    assert "does not exist" in team.wait_answer(503)["Message"]
    team.role("uploader", READ)
    team.wait_answer(200)
    scenario.admin.delete(team.role_path())
    scenario.wait_gone(team.role_path(), timeout=30)
    assert team.wait_answer(403)["Code"] == "NotAccepted"


def test_a_binding_is_resolved_by_name_and_only_for_its_subjects(scenario, team):
    team.granted("uploader", READ)
    # Of two bindings made in the same second the first by name is the default.
    team.role("z-lister", LIST, wait=False)
    team.binding("z-lister", "z-lister", "uploader", "other")
    team.wait_role("z-lister")
    team.wait_trusted("z-lister")
    team.pod()
    team.pod("stranger", "stranger")
    mark = scenario.aws.recorder.mark()
    team.wait_answer(200)
    team.wait_answer(200, path="/v1/credentials/z-lister")
    roles = {c.parameters["RoleArn"].rpartition("/")[2] for c in assumed(scenario, team, mark) if c.ok}
    assert roles == {team.aws_name("uploader"), team.aws_name("z-lister")}
    status, body = team.ask(path="/v1/credentials/nothing")
    assert (status, body["Code"]) == (403, "NoBinding") and "nothing" in body["Message"]
    for path in ("/v1/credentials", "/v1/credentials/uploader", "/v1/credentials/z-lister"):
        status, body = team.ask("stranger", path)
        assert (status, body["Code"]) == (403, "NoBinding"), path
    for path in ("/", "/v1", "/v1/credentials/", "/v1/credentials/a/b", "/v1/credentials/..%2fx", "/metrics"):
        assert team.ask(path=path)[0] == 404, path


def test_a_removed_binding_ends_at_once(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    scenario.admin.delete(team.binding_path())
    assert team.wait_answer(403, timeout=3)["Code"] == "NoBinding"
    team.binding()
    team.wait_trusted()
    team.wait_answer(200)


def test_a_subject_taken_out_of_a_binding_gets_nothing_more(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    others = {"spec": {"subjects": [{"kind": "ServiceAccount", "name": "other"}]}}
    scenario.admin.patch(team.binding_path(), others)
    assert team.wait_answer(403, timeout=3)["Code"] == "NoBinding"


def test_a_suspended_role_gets_nothing_and_says_why(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST)}})
    body = team.wait_answer(403, timeout=3)
    assert body["Code"] == "Suspended" and team.name in body["Message"] and "s3:GetObject" in body["Message"]
    scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST, READ)}})
    team.wait_answer(200, timeout=30)


def test_a_pod_never_becomes_another_role_because_its_own_is_refused(scenario, team):
    team.granted("uploader", READ)
    team.role("z-lister", LIST, wait=False)
    team.binding("z-lister", "z-lister", "uploader", wait=False)
    team.wait_role("z-lister")
    team.wait_trusted("z-lister")
    team.pod()
    team.wait_answer(200)
    # Suspended, then gone: the default stays the default, and the refusal names both.
    for take_away in (
        lambda: scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(LIST)}}),
        lambda: scenario.admin.delete(team.role_path()),
    ):
        mark = scenario.aws.recorder.mark()
        take_away()
        message = team.wait_answer(403, timeout=10)["Message"]
        assert "AWSRoleBinding" in message and f"{team.name}/uploader" in message, message
        assert "deputy.dev/binding on a pod chooses another: z-lister" in message, message
        assert not assumed(scenario, team, mark)
    team.wait_answer(200, path="/v1/credentials/z-lister")


def test_a_session_as_sts_is_asked_for_it(scenario, team):
    team.granted("uploader", READ, policy=document(READ), duration="45m", tags={"team": "blue"})
    team.pod("one")
    team.pod("two")
    mark = scenario.aws.recorder.mark()
    first = team.wait_answer(200, "one")
    assert team.wait_answer(200, "two") == first, "the pods of one ServiceAccount share a session"
    (call,) = [c for c in assumed(scenario, team, mark) if c.ok]
    sent = call.parameters
    assert sent["RoleSessionName"] == f"{team.name}.uploader"
    assert sent["ExternalId"] == f"demo/{team.name}/AWSRole/uploader"
    assert sent["DurationSeconds"] == "2700" and json.loads(sent["Policy"]) == document(READ)
    sent_tags = tags(sent)
    assert re.fullmatch("[a-z2-7]{26}", sent_tags.pop("deputy-session-policy")), "the mark of its session policy"
    assert sent_tags == {
        "deputy-cluster": "demo",
        "deputy-namespace": team.name,
        "deputy-service-account": "uploader",
        "team": "blue",
    }
    assert call.access_key_id == scenario.deputy.identities["broker"].access_key_id


def test_pods_with_sessions_of_their_own(scenario, team):
    team.granted("uploader", READ, scope="Pod")
    pods = {name: team.pod(name) for name in ("one", "two")}
    mark = scenario.aws.recorder.mark()
    bodies = {name: team.wait_answer(200, name) for name in pods}
    assert bodies["one"]["AccessKeyId"] != bodies["two"]["AccessKeyId"]
    calls = {c.parameters["RoleSessionName"]: c.parameters for c in assumed(scenario, team, mark) if c.ok}
    for name, pod in pods.items():
        sent = calls[f"{team.name}.uploader.{name}"]
        assert tags(sent)["deputy-pod-uid"] == pod["metadata"]["uid"]


def test_many_first_requests_are_one_call(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    token = scenario.cluster.pod_token(team.name, "app")
    mark = scenario.aws.recorder.mark()
    scenario.aws.recorder.inject("AssumeRole", when=sessions_of(team), delay=0.4)
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: scenario.deputy.ask_broker(token), range(40)))
    assert {a[0] for a in answers} <= {200, 503}
    wait_until(lambda: scenario.deputy.ask_broker(token)[0] == 200, "an answer", 5)
    assert len(assumed(scenario, team, mark)) == 1


def test_without_sts_the_first_wait_and_the_warm_are_served(scenario, team, granted):
    team.granted("uploader", READ)
    team.pod()
    scenario.aws.recorder.inject("AssumeRole", drop=True)
    token = scenario.cluster.pod_token(team.name, "app")
    started = time.monotonic()
    status, headers, body = scenario.deputy.ask_broker(token)
    assert status == 503 and time.monotonic() - started < 2
    assert int({k.lower(): v for k, v in headers.items()}["retry-after"]) >= 1
    assert body["Code"] in ("Unavailable", "NotReady")
    assert granted.ask()[0] == 200
    scenario.aws.recorder.clear_faults()
    team.wait_answer(200)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"code": "Throttling", "status": 400}, {"Throttled", "NotReady"}),
        ({"code": "InternalFailure", "status": 500}, {"Unavailable", "NotReady"}),
        ({"code": "AccessDenied", "status": 403}, {"NotReady"}),
    ],
    ids=["throttled", "failing", "denied-at-first"],
)
def test_what_sts_says_is_a_503_that_heals(scenario, team, fault, code):
    team.granted("uploader", READ)
    team.pod()
    scenario.aws.recorder.inject("AssumeRole", when=sessions_of(team), **fault)
    status, body = team.ask()
    assert status == 503 and body["Code"] in code
    scenario.aws.recorder.clear_faults()
    team.wait_answer(200)


def test_the_audit_log_tells_who_got_what(scenario, team):
    team.granted("uploader", READ)
    pods = [team.pod("one"), team.pod("two")]
    bodies = [team.wait_answer(200, p["metadata"]["name"]) for p in pods]
    team.pod("stranger", "stranger")
    assert team.ask("stranger")[0] == 403

    def mine() -> list[dict]:
        return [line for line in scenario.deputy.audit_lines() if line.get("namespace") == team.name]

    wait_until(lambda: len(mine()) >= 4, "four audit lines", 5)
    issued = [line for line in mine() if line["event"] == "SessionIssued"]
    delivered = [line for line in mine() if line["event"] == "SessionDelivered"]
    refused = [line for line in mine() if line["event"] == "Refused"]
    assert len(issued) == 1 and len(delivered) == 2 and refused
    assert {line["access_key_id"] for line in issued + delivered} == {bodies[0]["AccessKeyId"]}
    assert {line["pod_uid"] for line in delivered} == {p["metadata"]["uid"] for p in pods}
    for line in delivered:
        assert line["service_account"] == "uploader" and line["role_arn"].endswith(team.aws_name())
        assert line["session_name"] == f"{team.name}.uploader" and line["expiration"] == bodies[0]["Expiration"]
    assert refused[-1]["service_account"] == "stranger" and refused[-1]["reason"]
