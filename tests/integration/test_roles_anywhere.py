"""The broker's identity comes from a certificate: IAM Roles Anywhere, which verifies each request."""

import contextlib
import itertools
import time

import pytest

from rig.anywhere import Refused, RolesAnywhere
from rig.aws import ROOT, Credentials
from rig.proc import wait_until

from .scenario import ACCOUNT, API, READ

PATH = f"{API}/awsaccounts/{ACCOUNT}"
ROLE = "arn:aws:iam::123456789012:role/deputy-broker"
OTHER = "other-by-certificate"


@pytest.fixture
def anywhere(scenario, tmp_path):
    """Gives what the broker's own keys give, as a session; in the end the broker has its keys again."""
    deputy = scenario.deputy
    keys = deputy.identities.pop("broker")
    sts = scenario.aws.client("sts", keys)
    (tmp_path / "authority").mkdir()
    with RolesAnywhere(tmp_path / "authority", lambda: Credentials.of(sts.get_session_token()["Credentials"])) as server:
        yield server
        deputy.processes["broker"].stop()
    deputy.identities["broker"] = keys
    deputy.start_process("broker")
    scenario.wait(PATH, "IssuerReady", "True", "Ready", timeout=40)


def key_of(mount) -> str:
    """A line of the private key in a folder."""
    return (mount / "tls.key").read_text().splitlines()[2]


def test_a_certificate_is_the_brokers_identity_and_is_renewed(scenario, team, anywhere, tmp_path):
    deputy, mount = scenario.deputy, tmp_path / "mount"
    team.granted("uploader", READ)
    # Each of its pods has a session of its own, so each needs the broker's identity.
    team.granted("other", READ, scope="Pod")
    first = anywhere.issue(mount, "deputy-broker")
    deputy.secrets.add(key_of(mount))
    deputy.processes["broker"].stop()
    anywhere.lifetime = anywhere.lifetime.__class__(seconds=70)
    broker = deputy.start_process("broker", **anywhere.environment(ROLE, mount))
    scenario.wait(PATH, "IssuerReady", "True", timeout=40)
    team.pod()
    team.wait_answer(200)
    assert {(c.serial, c.algorithm, c.role, c.duration, c.chain) for c in anywhere.calls} == {
        (first, "AWS4-X509-ECDSA-SHA256", ROLE, 3600, 1)
    }
    # As cert-manager renews it, with a key of another kind; nothing is restarted.
    second = anywhere.issue(mount, "deputy-broker", key="rsa")
    deputy.secrets.add(key_of(mount))
    numbers = itertools.count()

    def is_renewed() -> bool:
        name = f"another-{next(numbers)}"
        team.pod(name, "other")
        team.wait_answer(200, name)
        return anywhere.calls[-1].serial == second

    # The SDK asks again between 10 and 70 seconds after it was given a session, when it likes to.
    wait_until(is_renewed, "a session by the second certificate", 120, every=2)
    assert anywhere.calls[-1].algorithm == "AWS4-X509-RSA-SHA256"
    assert broker.returncode is None and anywhere.refused == []
    told = [line for line in deputy.log("broker") if line.get("message") == "got a session from IAM Roles Anywhere"]
    assert {int(line["serial"]) for line in told} == {first, second}


def test_what_roles_anywhere_refuses_is_told_by_the_account(scenario, anywhere, tmp_path):
    deputy, mount = scenario.deputy, tmp_path / "mount"

    def told(status: str, reason: str) -> str:
        """What the account says once a broker with what is there now has begun."""
        with contextlib.suppress(ProcessLookupError):
            deputy.processes["broker"].stop()
        deputy.start_process("broker", **anywhere.environment(ROLE, mount))
        return scenario.wait(PATH, "IssuerReady", status, reason, timeout=60)["message"]

    serial = anywhere.issue(mount, "deputy-broker", days=0)
    time.sleep(1.1)
    message = told("False", "NoCredentials")
    assert f"(CN=deputy-broker, serial {serial}) ended at" in message and "have it renewed" in message, message
    assert anywhere.calls == []
    # It is renewed, and taken by itself; the authority is not what the trust anchor says.
    anywhere.refusal = Refused(403, "AccessDeniedException", "Untrusted certificate. Insufficient certificate")
    anywhere.issue(mount, "deputy-broker")
    message = scenario.wait(PATH, "IssuerReady", "False", "AccessDenied", timeout=60)["message"]
    assert "rolesanywhere:CreateSession" in message and "Untrusted certificate" in message, message
    # Another role than the account's issuer.
    anywhere.refusal = None
    arn = scenario.aws.create_role(OTHER)
    try:
        anywhere.session_of = lambda: scenario.aws.assume_role(ROOT, arn, "0a1b2c")
        message = scenario.wait(PATH, "IssuerReady", "False", "IdentityMismatch", timeout=60)["message"]
        assert "IssuerMismatch" in message and f"assumed-role/{OTHER}" in message, message
    finally:
        scenario.iam().delete_role(RoleName=OTHER)
    wait_until(lambda: deputy.processes["broker"].returncode is None, "the broker runs", 5)
