"""AWS takes the tokens of the cluster itself: the issuer's documents."""

import base64
import json
import os
import subprocess

import pytest

from rig.apiclient import ApiError
from rig.tools import cargo_binary

from .scenario import READ, account, binding, collection, document, limit

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
