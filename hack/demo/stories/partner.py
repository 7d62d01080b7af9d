"""A partner with an AWS account of its own, and a person with a second factor: neither has a pod."""

import json

from rig.aws import Credentials
from rig.aws import policy as as_policy

from ..story import Story, allow, deny, evaluate, path
from ..telling import chapter, expect, show, tell

PARTNER = "999999999999"
EXTERNAL_ID = "3f9c1d70-exchange"
BUCKET = "partner-exchange"


class Partner(Story):
    """Each role names one principal and what it has to show; the other half of the permission is ready to paste."""

    example = "partner"
    title = "principals of AWS that a binding may name"
    refused = {
        "another-account.yaml": ("888888888888", "limit partners"),
        "another-role.yaml": ("role/weekly", "limit partners"),
        "without-external-id.yaml": ("externalID", "limit partners"),
        "without-mfa.yaml": ("requireMFA", "limit partners"),
    }

    def prepare(self) -> None:
        self.aws.client("s3").create_bucket(Bucket=BUCKET)
        for key in ("acme/1", "for-acme/1"):
            self.aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
        self.courier = self.user("courier", PARTNER)
        self.alice = self.user("alice", self.aws.account)
        self.jobs = {name: self.job(name, arn_path) for name, arn_path in (("nightly", "/exchange/"), ("weekly", "/"))}

    def user(self, name: str, account: str) -> Credentials:
        """A user of an account, with a key and no policy."""
        iam = self.stage.client("iam", account)
        iam.create_user(UserName=name)
        return Credentials.of(iam.create_access_key(UserName=name)["AccessKey"])

    def job(self, name: str, arn_path: str) -> str:
        """A role of the partner, which its users may become; its ARN."""
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{PARTNER}:root"}, "Action": "sts:AssumeRole"}
        made = self.stage.client("iam", PARTNER).create_role(RoleName=name, Path=arn_path, AssumeRolePolicyDocument=as_policy(trust))
        return made["Role"]["Arn"]

    def binding(self, name: str) -> dict:
        """The status of a binding."""
        return self.cluster.admin.get(path({"kind": "AWSRoleBinding", "metadata": {"namespace": "partners", "name": name}}))["status"]

    def use(self) -> None:
        chapter("The partner's side")
        policy = self.binding("acme")["callerPolicy"]
        tell("status.callerPolicy of the binding, for the partner to attach:")
        show(json.dumps(json.loads(policy), indent=2))
        self.stage.client("iam", PARTNER).put_user_policy(UserName="courier", PolicyName="exchange", PolicyDocument=policy)
        put = ("s3", "put_object")
        self.calls("courier, with the external id", self.profile("acme", self.courier, EXTERNAL_ID), [
            allow("PutObject acme/2", *put, Bucket=BUCKET, Key="acme/2", Body="x"),
            deny("PutObject other/1", *put, Bucket=BUCKET, Key="other/1", Body="x"),
            deny("GetObject acme/1", "s3", "get_object", Bucket=BUCKET, Key="acme/1"),
        ])
        for who, external_id in (("courier, without it", None), ("courier, with another one", "guessed-it")):
            self.calls(who, self.profile("acme", self.courier, external_id), [
                deny("AssumeRole", *put, Bucket=BUCKET, Key="acme/3", Body="x"),
            ])
        self.one_role_of_the_partner()
        self.with_second_factor()

    def one_role_of_the_partner(self) -> None:
        """Two jobs of the partner with the same permissions: the role trusts one of them."""
        chapter("One job of the partner")
        iam = self.stage.client("iam", PARTNER)
        become = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": list(self.jobs.values())}
        iam.put_user_policy(UserName="courier", PolicyName="jobs", PolicyDocument=as_policy(become))
        for name in self.jobs:
            iam.put_role_policy(RoleName=name, PolicyName="exchange", PolicyDocument=self.binding("acme-nightly")["callerPolicy"])
        get = ("s3", "get_object")
        nightly = self.profile("acme-nightly", self.courier, EXTERNAL_ID, self.jobs["nightly"])
        self.calls("the nightly job", nightly, [
            allow("GetObject for-acme/1", *get, Bucket=BUCKET, Key="for-acme/1"),
            deny("GetObject acme/1", *get, Bucket=BUCKET, Key="acme/1"),
        ])
        weekly = self.profile("acme-nightly", self.courier, EXTERNAL_ID, self.jobs["weekly"])
        for who, profile in (("the weekly job", weekly), ("courier", self.profile("acme-nightly", self.courier, EXTERNAL_ID))):
            self.calls(who, profile, [deny("AssumeRole", *get, Bucket=BUCKET, Key="for-acme/1")])

    def profile(self, binding: str, credentials: Credentials, external_id: str | None, job: str | None = None) -> dict[str, str]:
        """What anybody configures who becomes a role: a profile with its ARN. As a job, which is another role, if it is one."""
        source = "job" if job else "mine"
        lines = [
            "[profile exchange]", f"role_arn = {self.binding(binding)['roleARN']}", f"source_profile = {source}", "region = ap-northeast-1",
            *([f"external_id = {external_id}"] if external_id else []),
            *(["[profile job]", f"role_arn = {job}", "source_profile = mine", "region = ap-northeast-1"] if job else []),
            "[profile mine]", f"aws_access_key_id = {credentials.access_key_id}",
            f"aws_secret_access_key = {credentials.secret_access_key}",
        ]
        file = self.stage.folder / "aws-config"
        file.write_text("\n".join(lines) + "\n")
        return {"AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "exchange"}

    def with_second_factor(self) -> None:
        """A user of this account, whom the double never takes to have one."""
        chapter("A person of this account")
        status = self.binding("support")
        policy = status["callerPolicy"]
        self.aws.client("iam").put_user_policy(UserName="alice", PolicyName="support", PolicyDocument=policy)
        self.calls("alice, without a second factor", self.profile("support", self.alice, None), [
            deny("AssumeRole", "s3", "get_object", Bucket=BUCKET, Key="acme/1"),
        ])
        role = self.aws.client("iam").get_role(RoleName=status["roleARN"].rsplit("/", 1)[-1])["Role"]
        trust = role["AssumeRolePolicyDocument"]
        tell("The double knows no second factor, so `deputy policy evaluate` judges this, with the trust policy as AWS has it and "
             "alice's status.callerPolicy:")
        request = {"action": "sts:AssumeRole", "resource": status["roleARN"], "principal": "arn:aws:iam::123456789012:user/alice"}
        documents = {"identity": [json.loads(policy)], "resourcePolicy": json.loads(trust) if isinstance(trust, str) else trust}
        cases = (("with it", {"aws:MultiFactorAuthPresent": "true"}, "allowed"), ("without", {}, "denied"))
        lines = [{"id": i, "request": {**request, "context": c}, **documents} for i, (_, c, _) in enumerate(cases)]
        for (says, _, wanted), answer in zip(cases, evaluate(lines), strict=True):
            print(f"  alice, {says:8} {answer['decision']}", flush=True)
            expect((answer["decision"] == "allowed") == (wanted == "allowed"), f"alice, {says}: {answer}")
