"""AWS takes the tokens of the cluster itself: the issuer's documents, and pods that call STS without the broker."""

import base64
import json
import os
import subprocess

import boto3
import pytest
from botocore.exceptions import ClientError

from rig.apiclient import ApiError
from rig.aws import error_code
from rig.cluster import ISSUER as CLUSTER_ISSUER
from rig.tools import cargo_binary

from .scenario import ACCOUNT, API, BUCKET, READ, account, binding, collection, document, limit

# What comes before the point of a public key on P-256 (RFC 5480).
P256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200"
ISSUER = "https://oidc.example.com/demo"


PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/demo"
WEB = "AssumeRoleWithWebIdentity"


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_documents_verify_tokens_of_this_api_server(scenario, new_team, tmp_path):
    cluster, team = scenario.cluster, new_team(limit=False)
    done = subprocess.run(
        [
            *(cargo_binary("deputy"), "bootstrap", "oidc", "-f", "-"),
            *("--issuer", ISSUER, "--directory", tmp_path / "site"),
        ],
        input=json.dumps(account()),
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["providerARN"] == "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/demo"
    [discovery, keys] = [json.loads((tmp_path / "site" / n).read_text()) for n in _names(told)]
    assert (discovery["issuer"], discovery["jwks_uri"]) == (ISSUER, f"{ISSUER}/keys.json")

    token = cluster.service_account_token(team.name, "default", "sts.amazonaws.com")
    head, body, signature = token.split(".")
    header = json.loads(_decoded(head))
    [key] = [k for k in keys["keys"] if k["kid"] == header["kid"]]
    assert key["alg"] == header["alg"] == "ES256"
    assert discovery["id_token_signing_alg_values_supported"] == ["ES256"]
    # Whoever has the documents alone can verify the token.
    public = tmp_path / "public.der"
    public.write_bytes(bytes.fromhex(P256) + b"\x04" + _decoded(key["x"]) + _decoded(key["y"]))
    signed = tmp_path / "signature"
    signed.write_bytes(_as_der(_decoded(signature)))
    verify = ["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", public, "-signature", signed]
    for text, code in [(f"{head}.{body}", 0), (f"{head}.{body}x", 1)]:
        assert subprocess.run(verify, input=text.encode(), capture_output=True, check=False).returncode == code
    assert json.loads(_decoded(body))["sub"] == f"system:serviceaccount:{team.name}:default"


def _as_der(signature: bytes) -> bytes:
    """From RFC 7518, section 3.4 (both numbers in a row), to RFC 3279, section 2.2.3 (a sequence of integers)."""
    half = len(signature) // 2
    numbers = [int.from_bytes(n) for n in (signature[:half], signature[half:])]
    # A leading zero where the first bit would make the number negative.
    encoded = [n.to_bytes(n.bit_length() // 8 + 1) for n in numbers]
    body = b"".join(bytes([2, len(n)]) + n for n in encoded)
    return bytes([0x30, len(body)]) + body


def _names(told: dict) -> list[str]:
    urls = [entry["url"] for entry in told["publish"]]
    assert all(url.startswith(f"{ISSUER}/") for url in urls)
    return [url.removeprefix(f"{ISSUER}/") for url in urls]


def _of(object: dict, **spec: object) -> dict:
    object["spec"].update(spec)
    return object


GOOD = [
    account("web", oidc={"providerARN": PROVIDER}, defaults={"method": WEB}),
    limit("web", ["web"], session={"methods": ["AssumeRole", WEB]}),
    limit("web", ["web"], session={"methods": []}),
    _of(binding("default", "web", "web", "app"), method=WEB),
    _of(binding("default", "web", "web", "app", scope="ServiceAccount"), method=WEB),
    _of(binding("default", "web", "web", "app", scope="Pod"), method="AssumeRole"),
]
BAD = [
    (account("web", oidc={"providerARN": PROVIDER.replace("123456789012", "999999999999")}), "a provider of this account"),
    (account("web", oidc={"providerARN": PROVIDER.replace("oidc-p", "saml-p")}), "should match"),
    (account("web", oidc={"providerARN": PROVIDER, "audience": "any*"}), "should match"),
    (account("web", defaults={"method": WEB}), "needs oidc"),
    (limit("web", ["web"], session={"methods": ["AssumeRoleWithSAML"]}), "supported values"),
    (_of(binding("default", "web", "web", "app", scope="Pod"), method=WEB), "session goes with method AssumeRole"),
    (_of(binding("default", "web", "web", "app", duration="1h"), method=WEB), "session goes with method AssumeRole"),
    (_of(binding("default", "web", "web", "app", tags={"team": "blue"}), method=WEB), "session goes with method"),
    (_of(binding("default", "web", "web", "app", policy=document(READ)), method=WEB), "session goes with method"),
]


def test_the_api_server_takes_what_goes_together_and_nothing_else(scenario):
    with scenario.without_validation():
        for good in GOOD:
            scenario.admin.create(f"{collection(good)}?dryRun=All&fieldValidation=Strict", good)
        for bad, said in BAD:
            with pytest.raises(ApiError) as refused:
                scenario.admin.create(f"{collection(bad)}?dryRun=All&fieldValidation=Strict", bad)
            assert (refused.value.code, said in refused.value.message) == (422, True), refused.value.message


def test_without_an_api_server_nothing_is_written_and_the_reason_is_said(tmp_path):
    done = subprocess.run(
        [
            *(cargo_binary("deputy"), "bootstrap", "oidc", "-f", "-"),
            *("--issuer", ISSUER, "--directory", tmp_path / "site"),
        ],
        input=json.dumps(account()),
        env={**os.environ, "KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "failed to find the Kubernetes API server" in done.stderr
    assert not (tmp_path / "site").exists()


# --- the real thing: boto3 with what a pod got, against the enforcing double

METHODS = {"maxDuration": "1h", "methods": ["AssumeRole", WEB]}
FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"


@pytest.fixture
def provider(scenario):
    """The double knows the tokens of this API server, and the account says so."""
    iam, audience = scenario.iam(), "sts.amazonaws.com"
    made = iam.create_open_id_connect_provider(
        Url=CLUSTER_ISSUER, ClientIDList=[audience], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    path = f"{API}/awsaccounts/{ACCOUNT}"
    scenario.admin.patch(path, {"spec": {"oidc": {"providerARN": made, "audience": audience}}})
    yield made
    scenario.admin.patch(path, {"spec": {"oidc": None}})
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=made)


def _bind(team, name: str = "uploader") -> None:
    team.cluster.create_service_account(team.name, name)
    team.role(name, wait=False)
    team.scenario.create(_of(binding(team.name, name, name, name), method=WEB))
    team.wait_binding(name)
    team.wait_trusted(name)


def _environment(pod: dict) -> dict[str, str]:
    return {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"]}


def _for_the_double(token: str) -> str:
    """The API server writes `aud` as a list, of which AWS takes the one entry; the double compares text alone. It does not verify
    signatures (that the token is the API server's own is asked above), so the list can be taken off."""
    head, body, signature = token.split(".")
    claims = json.loads(_decoded(body))
    [claims["aud"]] = claims["aud"]
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


def _s3(scenario, pod: dict, token: str, tmp_path, monkeypatch):
    """S3 as an SDK in that pod has it, with this token where the pod has its own."""
    file = tmp_path / "token"
    file.write_text(_for_the_double(token))
    env = _environment(pod)
    assert env["AWS_WEB_IDENTITY_TOKEN_FILE"] == f"{FOLDER}/token"
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**env, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", scenario.aws.direct_url)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return boto3.session.Session().client("s3")


def test_an_sdk_uses_what_its_pod_got(scenario, new_team, provider, tmp_path, monkeypatch):
    team = new_team(session=METHODS)
    _bind(team)
    pod = team.pod()
    # Just what the webhook of EKS gives, and nothing of the agent.
    assert "initContainers" not in pod["spec"]
    assert pod["metadata"]["annotations"]["deputy.dev/injected"] == "web-identity"
    env = _environment(pod)
    arn = team.admin.get(team.role_path())["status"]["roleARN"]
    assert env == {
        "AWS_ROLE_ARN": arn,
        "AWS_REGION": "ap-northeast-1",
        "AWS_DEFAULT_REGION": "ap-northeast-1",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/token",
    }
    [volume] = [v for v in pod["spec"]["volumes"] if v["name"] == "aws-iam-token"]
    [source] = volume["projected"]["sources"]
    [mount] = [m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == "aws-iam-token"]
    assert (mount["mountPath"], mount["readOnly"]) == (FOLDER, True)
    wanted = source["serviceAccountToken"]
    assert (wanted["audience"], wanted["expirationSeconds"], wanted["path"]) == ("sts.amazonaws.com", 86400, "token")

    token = team.cluster.pod_token(team.name, "app", wanted["audience"], wanted["expirationSeconds"])
    s3 = _s3(scenario, pod, token, tmp_path, monkeypatch)
    assert s3.get_object(Bucket=BUCKET, Key="report.txt")["Body"].read() == b"numbers"
    assert error_code(s3.get_object, Bucket="customer-records", Key="report.txt") == "AccessDenied"

    # Who the trust policy does not name gets nothing: another ServiceAccount, another audience.
    team.pod("stranger", "stranger")
    for name, audience in [("stranger", wanted["audience"]), ("app", "deputy")]:
        other = _s3(scenario, pod, team.cluster.pod_token(team.name, name, audience), tmp_path, monkeypatch)
        with pytest.raises(ClientError) as refused:
            other.get_object(Bucket=BUCKET, Key="report.txt")
        assert refused.value.operation_name == "AssumeRoleWithWebIdentity"

    # The method is taken back, and AWS itself refuses: nobody of Deputy's is in the way.
    accept = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "10"}}}
    team.admin.patch(team.limit_path, {**accept, "spec": {"session": {"methods": ["AssumeRole"]}}})
    team.wait_binding("uploader", "False", "NotAccepted")
    team.wait_trusted(trusted=False)
    again = _s3(scenario, pod, token, tmp_path, monkeypatch)
    with pytest.raises(ClientError) as refused:
        again.get_object(Bucket=BUCKET, Key="report.txt")
    assert refused.value.operation_name == "AssumeRoleWithWebIdentity"


def test_the_method_is_that_of_each_containers_binding(scenario, new_team, provider):
    team = new_team(session=METHODS)
    team.granted()
    _bind(team, "caller")
    team.scenario.create(_of(binding(team.name, "by-itself", "caller", "uploader"), method=WEB))
    team.wait_binding("by-itself", "True", "Shadowed")
    containers = [{"name": n, "image": "app.invalid/app:1"} for n in ("app", "direct")]
    pod = {
        "metadata": {"name": "both", "annotations": {"deputy.dev/binding.direct": "by-itself"}},
        "spec": {"serviceAccountName": "uploader", "containers": containers},
    }
    stored = team.admin.create(f"/api/v1/namespaces/{team.name}/pods", pod)
    assert stored["metadata"]["annotations"]["deputy.dev/injected"] == "v1"
    [agent] = stored["spec"]["initContainers"]
    assert {e["name"]: e.get("value", "") for e in agent["env"]}["DEPUTY_BINDINGS"] == ""
    names = [{e["name"] for e in c["env"]} for c in stored["spec"]["containers"]]
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in names[0] and "AWS_ROLE_ARN" not in names[0]
    assert "AWS_ROLE_ARN" in names[1] and "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in names[1]
    # The broker gives what is its own to give, and says what is not.
    assert team.wait_answer(200, "both")
    body = team.wait_answer(403, "both", "/v1/credentials/by-itself")
    assert body["Code"] == "Method" and "Create it again" in body["Message"]


def test_a_binding_of_a_moment_ago_counts(scenario, new_team, provider):
    """Applied together with its pod, as GitOps tools do: a pod stays as it was created."""
    team = new_team(session=METHODS)
    team.cluster.create_service_account(team.name, "uploader")
    for number in range(5):
        name = f"uploader-{number}"
        team.cluster.create_service_account(team.name, name)
        team.role(name, wait=False)
        team.scenario.create(_of(binding(team.name, name, name, name), method=WEB))
        pod = team.pod(f"app-{number}", name)
        assert pod["metadata"]["annotations"]["deputy.dev/injected"] == "web-identity", number


def test_pods_in_the_network_of_their_node_call_sts_themselves(scenario, new_team, provider):
    team = new_team(session=METHODS)
    _bind(team)
    body = {
        "metadata": {"name": "node", "labels": {"deputy.dev/inject": "enabled"}},
        "spec": {
            "serviceAccountName": "uploader",
            "hostNetwork": True,
            "containers": [{"name": "app", "image": "app.invalid/app:1"}],
        },
    }
    pod = team.admin.create(f"/api/v1/namespaces/{team.name}/pods", body)
    assert "AWS_ROLE_ARN" in _environment(pod)
