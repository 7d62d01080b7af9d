"""`deputy credentials`: the ways of AWS's own, by boto3 as a `credential_process` and by hand. No cluster takes part.

What ministack enforces is shown on ministack; MFA, SAML and answers that come late on the rig's own STS.
"""

import base64
import datetime
import fcntl
import json
import os
import pty
import re
import shlex
import stat
import subprocess
import termios
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from rig.aws import ACCOUNT, Aws, error_code, policy
from rig.sts import GOOD_CODE, MFA_DEVICE, Sts, session_of
from rig.tools import ROOT, cargo_binary

BUCKET = "reports"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
WRITE = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reports"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
PAGE = ROOT / "docs" / "credentials.md"
ASSERTION = base64.b64encode(
    f"""<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"><a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">
    <a:AttributeStatement><a:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">
    <a:AttributeValue>{ROLE},{PROVIDER}</a:AttributeValue>
    <a:AttributeValue>{PROVIDER},{ROLE}-admin</a:AttributeValue>
    </a:Attribute></a:AttributeStatement></a:Assertion></p:Response>""".encode()
).decode()


class Person:
    """Somebody with a home folder, in which are AWS's files and the cache."""

    def __init__(self, home: Path, sts_url: str, keys: tuple[str, str] = ("AKIAALICE", "alices-secret")) -> None:
        self.home, self.secrets = home, [keys[1], TOKEN, ASSERTION]
        (home / ".aws").mkdir(parents=True)
        self.program = cargo_binary("deputy")
        self.environment = {
            "HOME": str(home),
            "USER": "alice",
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL_STS": sts_url,
            "AWS_REGION": "eu-west-1",
        }
        self.write(".aws/credentials", f"[alice]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n")
        self.write("token", TOKEN)
        self.write("assertion.txt", ASSERTION)

    def write(self, name: str, text: str) -> Path:
        """A file in the home folder."""
        path = self.home / name
        path.write_text(text)
        return path

    def profile(self, name: str, **settings: str) -> None:
        """One more profile in `~/.aws/config`."""
        lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
        with (self.home / ".aws/config").open("a") as config:
            config.write(f"[profile {name}]\n{lines}")

    def run(self, *arguments: str | Path, **more: object) -> subprocess.CompletedProcess:
        """`deputy credentials …`. No secret is in what it says; the answer is not looked at."""
        command = [self.program, "credentials", *arguments]
        more = {"env": self.environment, "cwd": self.home, "stdin": subprocess.DEVNULL} | more
        if "input" in more:
            del more["stdin"]
        # A session of its own has no terminal.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, start_new_session=True, **more
        )
        assert not [s for s in self.secrets if s in done.stderr], done.stderr
        return done

    def get(self, *arguments: str | Path, **more: object) -> str:
        """The access key id of the session that is printed."""
        done = self.run(*arguments, **more)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return session_of(done.stdout)

    def cached(self) -> list[Path]:
        """The files of the cache's sessions."""
        return sorted((self.home / ".cache/deputy/credentials").glob("*.json"))


@pytest.fixture
def sts():
    """The rig's own STS."""
    with Sts() as server:
        yield server


@pytest.fixture
def alice(sts, tmp_path):
    """Somebody whose STS is the rig's own."""
    return Person(tmp_path / "home", sts.url)


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """ministack, with a bucket and a role that may do everything in it."""
    with Aws(tmp_path_factory.mktemp("aws")) as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="a", Body=b"numbers")
        aws.create_role("reports", WRITE)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
        document = policy({**trust, "Action": ["sts:AssumeRole", "sts:TagSession"]})
        aws.client("iam").update_assume_role_policy(RoleName="reports", PolicyDocument=document)
        yield aws


@pytest.fixture
def user(aws, tmp_path):
    """A user of ministack, who may assume the roles."""
    name = f"user-{tmp_path.name}"[:60]
    keys = aws.create_user(name, {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}, READ)
    return Person(tmp_path / "home", aws.url, (keys.access_key_id, keys.secret_access_key))


def _s3(person: Person, profile: str, aws: Aws, monkeypatch):
    """S3 as an SDK has it that knows nothing but the profile."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in person.environment.items():
        monkeypatch.setenv(name, value)
    config = boto3.session.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    session = boto3.session.Session(profile_name=profile)
    return session.client("s3", endpoint_url=aws.direct_url, config=config)


# --- an SDK and an AWS that enforces


def test_an_sdk_has_a_role_narrowed_by_a_session_policy(aws, user, monkeypatch):
    narrow = user.write("narrow.json", policy(READ))
    process = f"{user.program} credentials assume-role --profile alice --role-arn {ROLE} --session-policy {narrow}"
    user.profile("reports", credential_process=process)
    begin = aws.recorder.mark()
    for _ in range(3):
        s3 = _s3(user, "reports", aws, monkeypatch)
        assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"numbers"
        assert error_code(s3.put_object, Bucket=BUCKET, Key="b", Body=b"x") == "AccessDenied"
    # Three processes of three sessions, and one call.
    [call] = aws.recorder.calls("AssumeRole", since=begin)
    assert call.ok and call.parameters["RoleSessionName"] == "alice"
    [file] = user.cached()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not [s for s in user.secrets if s in file.read_text()]
    # Without the session policy it is another session, and the role's own.
    user.profile("whole", credential_process=process.rpartition(" --session-policy")[0])
    s3 = _s3(user, "whole", aws, monkeypatch)
    assert error_code(s3.put_object, Bucket=BUCKET, Key="b", Body=b"x") is None


def test_an_sdk_whose_profile_is_in_use_does_not_start_deputy_over_and_over(aws, user, monkeypatch):
    user.profile(
        "reports",
        credential_process=f"{user.program} credentials assume-role --role-arn {ROLE}",
        source_profile="alice",
    )
    user.environment["AWS_PROFILE"] = "reports"
    s3 = _s3(user, "reports", aws, monkeypatch)
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"numbers"
    user.profile("alone", credential_process=f"{user.program} credentials session")
    done = user.run("session", env={**user.environment, "AWS_PROFILE": "alone"})
    assert done.returncode == 2 and "give it source_profile" in done.stderr


def test_a_session_of_the_user_and_one_through_two_roles_are_taken_by_aws(aws, user, monkeypatch):
    user.profile("mine", credential_process=f"{user.program} credentials session --profile alice --duration 15m")
    s3 = _s3(user, "mine", aws, monkeypatch)
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"numbers"

    gate = aws.create_role("gate", {"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    begin = aws.recorder.mark()
    arguments = ["--profile", "alice", "--role-arn", gate, "--role-arn", ROLE, "--tag", "team=blue"]
    user.profile("through", credential_process=shlex.join([str(user.program), "credentials", "assume-role", *arguments]))
    s3 = _s3(user, "through", aws, monkeypatch)
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"numbers"
    first, second = aws.recorder.calls("AssumeRole", since=begin)
    assert (first.parameters["RoleArn"], first.parameters["DurationSeconds"]) == (gate, "900")
    assert (second.parameters["RoleArn"], second.parameters["Tags.member.1.Value"]) == (ROLE, "blue")
    assert first.access_key_id != second.access_key_id


def test_a_token_of_a_provider_is_taken_by_aws(aws, user, monkeypatch):
    def part(claims: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    iam, issuer = aws.client("iam"), "ci.example.com"
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{issuer}:sub": "deploy"}},
        }
    )
    role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="deploy", PolicyName="p", PolicyDocument=policy(READ))
    until = int(datetime.datetime.now(datetime.UTC).timestamp()) + 600
    for subject, code in [("deploy", 0), ("other", 1)]:
        claims = {"iss": f"https://{issuer}", "sub": subject, "aud": "sts.amazonaws.com", "exp": until}
        file = user.write("ci-token", f"{part({'alg': 'none'})}.{part(claims)}.c2ln\n")
        environment = {**user.environment, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": role}
        done = user.run("web-identity", env=environment)
        assert done.returncode == code, done.stderr
        assert file.read_text().strip() not in done.stderr
    assert "trust policy must name the provider of the token" in done.stderr
    user.write("ci-token", f"{part({'alg': 'none'})}.{part({**claims, 'sub': 'deploy'})}.c2ln")
    user.profile("ci", credential_process=f"{user.program} credentials web-identity --token-file {file} --role-arn {role}")
    s3 = _s3(user, "ci", aws, monkeypatch)
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"numbers"


# --- what no double has


MFA = ("session", "--profile", "alice", "--serial-number", MFA_DEVICE)


def test_a_code_is_asked_for_on_the_terminal_though_an_sdk_has_the_pipes(sts, alice):
    def run(code: str) -> tuple[subprocess.CompletedProcess, str]:
        ours, theirs = pty.openpty()

        def own_terminal() -> None:
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        command = [alice.program, "credentials", *MFA]
        with subprocess.Popen(
            command,
            env=alice.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=own_terminal,
            pass_fds=[theirs],
        ) as child:
            asked = b""
            while b": " not in asked:
                asked += os.read(ours, 1024)
            os.write(ours, f"{code}\n".encode())
            out, err = child.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        return subprocess.CompletedProcess(command, child.returncode, out, err), asked.decode()

    wrong, asked = run("654321")
    assert asked == f"MFA code of {MFA_DEVICE}: "
    assert wrong.returncode == 1 and "wait for the next one" in wrong.stderr and "654321" not in wrong.stderr
    right, _ = run(GOOD_CODE)
    assert (right.returncode, session_of(right.stdout)) == (0, "ASIASESSION2"), right.stderr
    # It is kept: whoever asks again, with no terminal, needs no code.
    assert alice.get(*MFA) == "ASIASESSION2"
    assert GOOD_CODE not in "".join(f.read_text() for f in alice.cached())
    # Another device, another session.
    other = alice.run("session", "--profile", "alice", "--serial-number", f"{MFA_DEVICE}2")
    assert other.returncode == 2 and "there is no terminal" in other.stderr and "--token-code" in other.stderr


def test_an_assertion_names_roles_and_gives_one_of_them(sts, alice):
    listed = alice.run("saml", "--assertion-file", "assertion.txt")
    assert (listed.returncode, listed.stdout) == (0, f"{ROLE} {PROVIDER}\n{ROLE}-admin {PROVIDER}\n")
    assert not sts.calls
    by_input = alice.get("saml", "--assertion-file", "-", "--role-arn", ROLE, input=ASSERTION)
    assert alice.get("saml", "--assertion-file", "assertion.txt", "--role-arn", ROLE) == by_input == "ASIASESSION1"
    [call] = sts.calls
    assert call.access_key_id == ""
    assert call.parameters["SAMLAssertion"] == ASSERTION
    assert call.parameters["PrincipalArn"] == PROVIDER
    refused = alice.run("saml", "--assertion-file", "assertion.txt", "--role-arn", f"{ROLE}-other")
    assert refused.returncode == 2 and f"does not name {ROLE}-other" in refused.stderr
    assert len(sts.calls) == 1


def test_several_processes_that_ask_at_once_make_one_call(sts, alice):
    sts.gate = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(alice.get, "assume-role", "--profile", "alice", "--role-arn", ROLE) for _ in range(6)]
        assert sts.asked.wait(30)
        sts.gate.set()
        assert {one.result() for one in asking} == {"ASIASESSION1"}
    assert sts.actions() == ["AssumeRole"]


def test_a_session_is_renewed_before_its_end_and_used_when_aws_is_away(sts, alice):
    ask = ("assume-role", "--profile", "alice", "--role-arn", ROLE)
    sts.lifetime = datetime.timedelta(minutes=10)
    assert [alice.get(*ask), alice.get(*ask)] == ["ASIASESSION1", "ASIASESSION2"]
    sts.refusal = (503, "ServiceUnavailable", "away")
    done = alice.run(*ask)
    assert (done.returncode, session_of(done.stdout)) == (0, "ASIASESSION2")
    assert "The session of before is used, which ends" in done.stderr
    # A refusal is none to be overlooked, though there is something left.
    sts.refusal = (403, "AccessDenied", "no longer")
    done = alice.run(*ask)
    assert (done.returncode, done.stdout) == (1, "")
    assert "AWS refuses: AccessDenied: no longer (request request-7). The role's trust policy" in done.stderr


def test_everything_that_decides_the_session_is_in_its_key(sts, alice):
    narrow, other = alice.write("n.json", policy(READ)), alice.write("o.json", policy(WRITE))
    base = ("assume-role", "--profile", "alice", "--role-arn", ROLE)
    ways = [
        base,
        (*base, "--role-arn", f"{ROLE}-admin"),
        (*base, "--external-id", "x1"),
        (*base, "--session-name", "bob"),
        (*base, "--tag", "team=blue"),
        (*base, "--tag", "team=blue", "--transitive-tag", "team"),
        (*base, "--source-identity", "alice"),
        (*base, "--duration", "30m"),
        (*base, "--region", "eu-west-2"),
        (*base, "--session-policy", narrow),
        (*base, "--session-policy", other),
        (*base, "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
        (*base, "--serial-number", MFA_DEVICE, "--token-code", GOOD_CODE),
        MFA[:3],
        ("web-identity", "--token-file", "token", "--role-arn", ROLE),
        ("saml", "--assertion-file", "assertion.txt", "--role-arn", ROLE),
    ]
    first = [alice.get(*way) for way in ways]
    assert len(set(first)) == len(ways)
    made = len(sts.calls)
    assert [alice.get(*way) for way in ways] == first
    # Other keys, another session; and no code is asked for again.
    environment = {**alice.environment, "AWS_ACCESS_KEY_ID": "AKIABOB", "AWS_SECRET_ACCESS_KEY": "bobs"}
    assert alice.get("assume-role", "--role-arn", ROLE, env=environment) not in first
    assert len(sts.calls) == made + 1
    assert alice.get(*base, "--no-cache") not in first
    assert len(alice.cached()) == len(ways) + 1


def test_a_cache_that_others_may_read_is_not_used(sts, alice):
    ask = ("assume-role", "--profile", "alice", "--role-arn", ROLE)
    alice.get(*ask)
    [file] = alice.cached()
    for path, mode in [(file, 0o644), (file.parent, 0o755)]:
        before = path.stat().st_mode
        path.chmod(mode)
        done = alice.run(*ask)
        assert (done.returncode, done.stdout) == (3, "") and "so that others may read" in done.stderr
        assert session_of(alice.run(*ask, "--no-cache").stdout)
        path.chmod(before)
    assert alice.get(*ask) == "ASIASESSION1"


def test_a_shell_has_the_session_by_its_environment(sts, alice):
    lines = alice.run("session", "--profile", "alice", "--print", "env").stdout
    shown = subprocess.run(
        ["sh", "-c", f'{lines}\nprintf "%s %s" "$AWS_ACCESS_KEY_ID" "$AWS_SESSION_TOKEN"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "ASIASESSION1 token-1"


def test_a_profile_with_a_role_says_the_rest(sts, alice):
    alice.profile(
        "role",
        role_arn=ROLE,
        source_profile="alice",
        mfa_serial=MFA_DEVICE,
        external_id="shared",
        role_session_name="nightly",
        duration_seconds="1800",
        region="eu-central-1",
    )
    assert alice.get("assume-role", "--profile", "role", "--token-code", GOOD_CODE)
    [call] = sts.calls
    wanted = {
        "RoleArn": ROLE,
        "SerialNumber": MFA_DEVICE,
        "ExternalId": "shared",
        "RoleSessionName": "nightly",
        "DurationSeconds": "1800",
    }
    assert {name: call.parameters[name] for name in wanted} == wanted
    assert call.access_key_id == "AKIAALICE"


def test_a_profile_with_a_role_may_be_the_one_who_asks(sts, alice):
    alice.profile("gate", role_arn=f"{ROLE}-gate", source_profile="alice")
    alice.profile("reports", role_arn=ROLE, source_profile="gate")
    assert alice.get("assume-role", "--profile", "gate", "--role-arn", ROLE) == "ASIASESSION2"
    assert [c.access_key_id for c in sts.calls] == ["AKIAALICE", "ASIASESSION1"]
    # The same session, said otherwise.
    assert alice.get("assume-role", "--profile", "reports") == "ASIASESSION2"
    sts.refusal = (403, "AccessDenied", "not for alice")
    done = alice.run("assume-role", "--profile", "reports", "--no-cache")
    assert done.returncode == 1
    assert "by profile gate: there are no keys to sign with" in done.stderr and "not for alice" in done.stderr


# --- the page


def test_the_commands_of_the_page_run(sts, alice):
    """Each in the order of the page, in one home folder; what it says of the answer's code is in the comment behind it."""
    text = PAGE.read_text()
    narrow, role = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    alice.write("narrow.json", narrow)
    alice.write("role.json", role)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line for line in lines if "deputy credentials" in line]
    assert len(commands) >= 8
    folder = alice.program.parent
    environment = {**alice.environment, "PATH": f"{folder}:{alice.environment['PATH']}"}
    for line in commands:
        command, _, comment = line.partition("  # ")
        done = subprocess.run(
            ["sh", "-c", command],
            env=environment,
            cwd=alice.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        code = int(found[1]) if (found := re.search(r"exit code (\d)", comment)) else 0
        assert done.returncode == code, f"{line}\n{done.stderr}"
    # And each profile of the page is one that boto3 takes.
    config = "".join(re.findall(r"^```ini\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    alice.write(".aws/config", config)
    for profile in re.findall(r"^\[profile (\S+)\]", config, re.MULTILINE):
        listed = boto_credentials(alice, environment, profile)
        assert listed.startswith("ASIASESSION"), profile


def boto_credentials(person: Person, environment: dict[str, str], profile: str) -> str:
    """The access key id that boto3 has of a profile, in a process of its own."""
    import sys

    code = f"import boto3; print(boto3.Session(profile_name={profile!r}).get_credentials().access_key)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=person.home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
