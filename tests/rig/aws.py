"""ministack: AWS on loopback with policies enforced, and boto3 clients for it.

Differences from AWS that matter to tests: role paths are ignored in resource ARNs, a role session's `aws:PrincipalArn`
is the session's ARN (so the issuer is a user here), `iam:PermissionsBoundary` never matches, lists have one page.
"""

import json
import os
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

from .ports import free_port
from .proc import Process
from .recorder import Recorder
from .tools import venv

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Credentials:
    """An access key; sessions carry a token as well."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    @staticmethod
    def of(answer: Mapping) -> "Credentials":
        """From an STS answer's `Credentials` or an IAM answer's `AccessKey`."""
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("SessionToken"))

    def environment(self) -> dict[str, str]:
        """As environment variables for a process that uses an AWS SDK."""
        env = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        if self.session_token:
            env["AWS_SESSION_TOKEN"] = self.session_token
        return env


# This access key bypasses all policies, as the double's root user.
ROOT = Credentials("test", "test")


def policy(*statements: Mapping) -> str:
    """A policy document as the JSON text that IAM takes."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Aws:
    """One ministack, started by `start` or as a context manager; `recorder` stands in front of it."""

    def __init__(self, folder: Path | None = None, account: str = ACCOUNT, region: str = REGION) -> None:
        """`folder` takes the log and the record of calls; without it a temporary one does."""
        self._temporary = tempfile.TemporaryDirectory(prefix="deputy-aws-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary else folder
        self.account, self.region = account, region
        self.recorder: Recorder
        self._process: Process | None = None
        self._port = 0

    @property
    def direct_url(self) -> str:
        """ministack itself: for tests' own set-up, and for what the applications call."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The recording proxy: the endpoint of every service to give to what is under test."""
        return self.recorder.url

    def start(self) -> "Aws":
        """Starts ministack and the proxy and waits until both answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        program = venv("ministack") / "bin" / "ministack"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MINISTACK_"))}
        env |= {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_ACCOUNT_ID": self.account,
            "LOG_LEVEL": "WARNING",
            # It would look for containers to clean up.
            "DOCKER_HOST": "unix:///nonexistent",
        } | ROOT.environment()
        self._process = Process("ministack", [program], self.folder / "ministack.log", env, cwd=self.folder)
        try:
            self._process.wait_ready(lambda: self._http("GET", "/_ministack/health"), timeout=30)
            self.recorder = Recorder(self.direct_url, self.folder / "aws-calls.jsonl").start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends both."""
        if recorder := self.__dict__.pop("recorder", None):
            recorder.stop()
        if self._process:
            self._process.stop(timeout=2)
            self._process = None
        if self._temporary:
            self._temporary.cleanup()

    def reset(self) -> None:
        """Empties the account and the record, and switches all faults off."""
        self._http("POST", "/_ministack/reset")
        self.recorder.reset()

    def __enter__(self) -> "Aws":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(
        self, service: str, credentials: Credentials = ROOT, recorded: bool = False, region: str | None = None
    ):
        """A boto3 client without retries. What a test does itself is not recorded unless it asks."""
        return boto3.client(
            service,
            endpoint_url=self.url if recorded else self.direct_url,
            region_name=region or self.region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=botocore.config.Config(
                retries={"max_attempts": 0},
                connect_timeout=2,
                read_timeout=10,
                s3={"addressing_style": "path"},
            ),
        )

    def create_user(self, name: str, *statements: Mapping) -> Credentials:
        """A user with an access key and these statements as its policy."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="test", PolicyDocument=policy(*statements))
        return Credentials.of(iam.create_access_key(UserName=name)["AccessKey"])

    def create_role(self, name: str, *statements: Mapping) -> str:
        """A role that any principal of the account may assume, with these statements as its policy; returns the ARN."""
        iam = self.client("iam")
        trust = policy(
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
                "Action": "sts:AssumeRole",
            }
        )
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=policy(*statements))
        return arn

    def assume_role(
        self, caller: Credentials, role_arn: str, session_name: str = "test", **more: object
    ) -> Credentials:
        """A session of a role; `more` goes to AssumeRole as it is."""
        answer = self.client("sts", caller).assume_role(
            RoleArn=role_arn, RoleSessionName=session_name, **more
        )
        return Credentials.of(answer["Credentials"])

    def _http(self, method: str, path: str) -> bool:
        with urllib.request.urlopen(
            urllib.request.Request(self.direct_url + path, method=method), timeout=5
        ) as answer:
            return answer.status == 200


def error_code(call, *args: object, **kwargs: object) -> str | None:
    """Runs a boto3 call; the AWS error code, or None when it succeeds."""
    try:
        call(*args, **kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None
