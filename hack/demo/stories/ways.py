"""The ways to a session that AWS gives people and systems by itself: with a code, with a token, with an assertion."""

import json
import os
import subprocess
from pathlib import Path

from rig.sts import GOOD_CODE, MFA_DEVICE, Sts
from rig.tools import cargo_binary

from ..telling import chapter, expect, show, tell

ALICE = "arn:aws:iam::123456789012:user/alice"
READ = {"Effect": "Allow", "Action": ["s3:GetObject", "iam:ListUsers"], "Resource": "*"}
PROVIDER = "arn:aws:iam::123456789012:saml-provider/corp"
OIDC = "oidc.example.com/ci"


def with_a_code(home: Path) -> None:
    """GetSessionToken with MFA, and what its session can't do."""
    chapter("Alice by AWS's own means: GetSessionToken with a code")
    tell("The double takes no MFA, so STS is the one of the tests here: it knows one device and one code, and records what it is asked. "
         "Alice has a key of her own for this.")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAALICE", "AWS_SECRET_ACCESS_KEY": "of-alice", "AWS_REGION": "ap-northeast-1"}
    command = [cargo_binary("deputy"), "credentials", "session", "--serial-number", MFA_DEVICE, "--token-code"]
    with Sts() as sts:
        environment = {**keys, "HOME": str(home), "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL_STS": sts.url}

        def ask(code: str) -> subprocess.CompletedProcess:
            return subprocess.run([*command, code], env=environment, capture_output=True, text=True, check=False)

        wrong, right = ask("654321"), ask(GOOD_CODE)
    expect(wrong.returncode == 1 and "654321" not in wrong.stderr, "a wrong code should give nothing, and not be repeated")
    show(wrong.stderr)
    session = json.loads(right.stdout)
    expect([c.action for c in sts.calls] == ["GetSessionToken"] * 2, "it should be GetSessionToken that is asked for")
    tell(f"With the right one she has the session {session['AccessKeyId']}, for any SDK as credential_process.")
    on = "arn:aws:s3:::productionapp/reports/2026.txt"
    requests = [{"action": a, "resource": r} for a, r in (("s3:GetObject", on), ("iam:ListUsers", "*"))]
    tell("And what such a session may do: all that the user may, but IAM with MFA alone, and of STS nothing but two calls.")
    for mfa, of_iam in ((False, "implicitDeny"), (True, "allowed")):
        caller = {"arn": ALICE, "policies": [policy(READ)]}
        said = explained({"way": "session-token", "caller": caller, "session": {"mfa": mfa}, "requests": requests})
        expect(f"s3:GetObject on {on}: allowed" in said and f"iam:ListUsers on *: {of_iam}" in said, said)
        show(f"{'with' if mfa else 'without'} a code\n{said}")


def with_a_token_or_an_assertion() -> None:
    """The trust policies that AWS asks for, and what they let in."""
    chapter("Systems outside: the trust of OIDC and SAML as AWS has it")
    tell("A role is opened to a provider by what it says of the caller. `deputy explain session` decides as AWS does; STORY=ci and "
         "STORY=web_identity show the former with sessions of the double, which knows no SAML.")
    for way, provider, key, right, other in (
        ("web-identity", f"arn:aws:iam::123456789012:oidc-provider/{OIDC}", f"{OIDC}:aud", "sts.amazonaws.com", "another"),
        ("saml", PROVIDER, "SAML:aud", "https://signin.aws.amazon.com/saml", "https://elsewhere.example.com/saml"),
    ):
        action = "sts:AssumeRoleWithSAML" if way == "saml" else "sts:AssumeRoleWithWebIdentity"
        trust = policy({
            "Effect": "Allow", "Principal": {"Federated": provider}, "Action": action,
            "Condition": {"StringEquals": {key: right}},
        })
        show(json.dumps(trust["Statement"]))
        for audience, decision in ((right, "allowed"), (other, "implicitDeny")):
            role = {"arn": "arn:aws:iam::123456789012:role/uploader", "trust": trust, "policies": [policy(READ)]}
            session = {"name": "job", "context": {key: audience}}
            said = explained({"way": way, "caller": {"arn": provider}, "role": role, "session": session, "requests": []})
            expect(f"{action}: {decision}" in said, said)
            show(f"audience {audience}\n{said}")


def policy(statement: dict) -> dict:
    """A policy of one statement."""
    return {"Version": "2012-10-17", "Statement": [statement]}


def explained(scene: dict) -> str:
    """What `deputy explain session` says of a scene; the decision is in it, allowed or not."""
    done = subprocess.run(
        [cargo_binary("deputy"), "explain", "session", "-"], input=json.dumps(scene), capture_output=True, text=True, check=False
    )
    expect(done.stdout, done.stderr)
    return done.stdout
