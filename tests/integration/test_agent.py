"""`deputy-agent` with a pod's own token, and unmodified SDKs that know nothing but what was injected."""

import os
import signal
import subprocess
import sys

import pytest

from rig.proc import wait_until
from rig.tools import target_dir

from .scenario import LIST, READ, WRITE, Team, document

PUT = {**WRITE, "Action": ["s3:GetObject", "s3:PutObject"]}

APPLICATION = """
import boto3, botocore.exceptions
from botocore.config import Config

s3 = boto3.client("s3", config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))

def attempt(what, call):
    try:
        call()
        print(what, "ok")
    except botocore.exceptions.ClientError as error:
        print(what, error.response["Error"]["Code"])

attempt("list", lambda: s3.list_objects_v2(Bucket="productionapp"))
attempt("get", lambda: s3.get_object(Bucket="productionapp", Key="report.txt"))
attempt("put", lambda: s3.put_object(Bucket="productionapp", Key="upload.txt", Body=b"new"))
attempt("delete", lambda: s3.delete_object(Bucket="productionapp", Key="report.txt"))
attempt("elsewhere", lambda: s3.get_object(Bucket="customer-records", Key="report.txt"))
print(boto3.client("sts").get_caller_identity()["Arn"])
"""


@pytest.fixture(scope="module")
def running(scenario):
    """A team whose pod has an agent with a credential."""
    team = Team(scenario, "agents")
    team.granted("uploader", LIST, WRITE, policy=document(LIST, PUT))
    agent = scenario.deputy.start_agent(team.pod())
    agent.wait_ready()
    yield team, agent
    agent.stop()


def environment(scenario, agent) -> dict[str, str]:
    """What the container has: its image's own, the double's address, and what was injected."""
    return {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": scenario.aws.direct_url, **agent.environment("app")}


def test_an_unmodified_boto3_can_do_what_the_session_may_and_nothing_else(scenario, running):
    team, agent = running
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION],
        env=environment(scenario, agent),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[:5] == ["list ok", "get ok", "put ok", "delete AccessDenied", "elsewhere AccessDenied"], done
    assert lines[5] == f"arn:aws:sts::123456789012:assumed-role/{team.aws_name()}/{team.name}.uploader"


def test_an_unmodified_rust_sdk_works_as_well(scenario, running):
    team, agent = running
    program = target_dir() / "debug" / "examples" / "sdk_client"
    if not program.exists():
        pytest.skip("the example sdk_client is not built: cargo build -p deputy-aws --example sdk_client")
    done = subprocess.run(
        [program], env=environment(scenario, agent), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip().endswith(f"/{team.name}.uploader"), done


def test_requests_that_come_from_elsewhere_are_refused(scenario, running):
    _, agent = running
    port = agent.port
    assert agent.get()[0] == 200
    for host in ("evil.example", "127.0.0.2", f"127.0.0.1:{port + 1}", f"169.254.170.2:{port}", f"evil.localhost:{port}"):
        status, body = agent.get(Host=host)
        assert status == 400 and "SecretAccessKey" not in body, host
    # Without the port: as the AWS common runtime sends it.
    for host in (f"localhost:{port}", "localhost", "127.0.0.1"):
        assert agent.get(Host=host)[0] == 200, host
    for header in ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-Ip"):
        status, body = agent.get(**{header: "127.0.0.1"})
        assert status == 400 and "forwarded" in body["Message"], header


def test_requests_without_the_pods_token_are_refused(scenario, running):
    team, agent = running
    token = agent.token_file.read_text()
    for value in ("", "x", f"Bearer {token}", token[:-1], scenario.cluster.pod_token(team.name, "app")):
        status, body = agent.get(Authorization=value)
        assert status == 401 and "SecretAccessKey" not in body, value[:10]
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        assert agent.get(method=method)[0] == 405, method
    for path in ("/", "/latest/meta-data/", "/v1/credentials/", "/v1/credentials?x=1", "/v1/../v1/credentials"):
        assert agent.get(path)[0] == 404, path


def test_a_rotated_token_disturbs_nobody(running):
    _, agent = running
    old = agent.token_file.read_text()
    assert agent.get(Authorization=old)[0] == 200
    agent.rotate_token()
    assert agent.get()[0] == 200
    assert agent.get(Authorization=old)[0] == 200, "an application that read the file a moment ago"


def test_an_agent_serves_what_it_has_while_the_broker_is_away(scenario, running):
    _, agent = running
    before = agent.get()[1]
    scenario.deputy.kill("broker")
    for _ in range(5):
        status, body = agent.get()
        assert status == 200 and body["AccessKeyId"] == before["AccessKeyId"]
    scenario.deputy.start_process("broker")
    assert agent.get()[0] == 200


def test_a_pod_starts_only_after_its_first_credential(scenario, team):
    team.cluster.create_service_account(team.name, "uploader")
    agent = scenario.deputy.start_agent(team.pod())
    try:
        # Nobody asks for a credential meanwhile: whoever does is an application that runs.
        wait_until(lambda: "NoBinding: " in (agent.not_ready() or ""), "the agent says what is missing", 10)
        team.role("uploader", READ)
        team.binding()
        agent.wait_ready()
        assert agent.get()[0] == 200
        # And what is taken away is not served any longer. The application has begun: nothing waits for it any more.
        scenario.admin.delete(team.binding_path())
        wait_until(lambda: agent.get()[0] == 403, "the refusal", 15)
        assert agent.get()[1]["Code"] == "NoBinding" and agent.is_ready()
    finally:
        agent.stop()


def test_an_agent_that_waits_for_its_listener_only(scenario, new_team):
    team = new_team(limit=False)
    body = {"metadata": {"name": "app", "annotations": {"deputy.dev/wait-for": "listener"}}}
    body["spec"] = {"containers": [{"name": "app", "image": "app.invalid/app:1"}]}
    pod = scenario.admin.create(f"/api/v1/namespaces/{team.name}/pods", body)
    agent = scenario.deputy.start_agent(pod)
    try:
        agent.wait_ready()
        assert agent.get()[0] == 403
    finally:
        agent.stop()


def test_a_pods_two_bindings(scenario, team):
    team.granted("uploader", READ)
    team.role("z-lister", LIST)
    team.binding("z-lister", "z-lister", "uploader")
    team.wait_trusted("z-lister")
    body = {"metadata": {"name": "app", "annotations": {"deputy.dev/binding.second": "z-lister"}}}
    containers = [{"name": n, "image": "app.invalid/app:1"} for n in ("app", "second")]
    body["spec"] = {"serviceAccountName": "uploader", "containers": containers}
    pod = scenario.admin.create(f"/api/v1/namespaces/{team.name}/pods", body)
    agent = scenario.deputy.start_agent(pod)
    try:
        agent.wait_ready()
        uris = {n: agent.environment(n)["AWS_CONTAINER_CREDENTIALS_FULL_URI"] for n in ("app", "second")}
        assert uris["app"].endswith("/v1/credentials") and uris["second"].endswith("/v1/credentials/z-lister")
        keys = {agent.get(path)[1]["AccessKeyId"] for path in ("/v1/credentials", "/v1/credentials/z-lister")}
        assert len(keys) == 2
    finally:
        agent.stop()


def test_an_agent_ends_when_it_is_told_to(scenario, team):
    team.granted("uploader", READ)
    agent = scenario.deputy.start_agent(team.pod())
    agent.wait_ready()
    agent.process.signal(signal.SIGTERM)
    assert agent.process.wait(5) == 0
