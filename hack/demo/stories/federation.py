"""Pods as federated users, whom resource policies know by name: one that Deputy writes into; a person, for an hour, of a role."""

import json
import os
import subprocess

import yaml
from rig.deputy import FEDERATION, wait_condition
from rig.people import Person
from rig.proc import wait_until
from rig.tools import cargo_binary

from ..story import Story, allow, deny, dump, path
from ..telling import chapter, expect, show, tell
from . import ways

BUCKET = "productionapp"
REPORT = "reports/2026.txt"
ALICE = "alice@example.com"
STATEMENT = path({"kind": "AWSResourcePolicyStatement", "metadata": {"namespace": "reports", "name": "archive-reads"}})
OWNERS_STATEMENT = (
    '{ "Sid": "OverTLS",  "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketAcl",\n'
    '      "Resource": "arn:aws:s3:::productionapp" }'
)
"""A statement of the bucket's owner, laid out as people do."""
OWNERS = '{"Version": "2012-10-17", "Id": "owner", "Statement": [\n    ' + OWNERS_STATEMENT + "\n]}"


class Federation(Story):
    """GetFederationToken for pods: a name within patterns, a session policy within the ceiling. A statement of a bucket's policy, for one
    of them. AssumeRole for a person who asks the API server."""

    example = "federation"
    title = "an account with a federation user, a limit that allows names, and people of a company"
    refused = {
        "another-bucket.yaml": ("ResourcePolicy", "it allows arn:aws:s3:::productionapp"),
        "another-name.yaml": ("FederatedUser", "it allows Manager-*"),
        "another-person.yaml": ("mallory@elsewhere.example", "*@example.com"),
        "more-than-the-limit.yaml": ("ExceedsLimit", "s3:GetObject"),
    }

    def prepare(self) -> None:
        s3 = self.aws.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key in (REPORT, "other.txt"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"numbers")
        platform = yaml.safe_dump_all(self.files("1"))
        chapter("The federation user")
        self.user = self.deputy.bootstrap_federation(platform)
        tell("AWS gives federation tokens to long-lived keys of a user alone. `deputy bootstrap aws` prints what this one may do: "
             "GetFederationToken for the names that limits allow, and their ceilings as the cap.")
        show(dump(self.user["policy"]["Statement"]))
        tell("The limit names a bucket in whose policy the namespace may have statements, so `deputy controller` may write that "
             "policy, too:")
        show(dump(self.deputy.widen_controller(platform, "BucketPolicies")))
        s3.put_bucket_policy(Bucket=BUCKET, Policy=OWNERS)

    def team(self) -> None:
        chapter("The application team: who, and what at most")
        self.apply(self.files("2"))
        for name in ("manager", "archive"):
            wait_condition(self.cluster, self.binding(name), "Ready", "True", timeout=60)
        role = {"kind": "AWSRoleBinding", "metadata": {"namespace": "reports", "name": "uploader"}}
        wait_condition(self.cluster, path(role), "Ready", "True", timeout=60)
        wait_condition(self.cluster, STATEMENT, "Ready", "True", timeout=60)
        kinds = "awsfederateduserbindings,awsresourcepolicystatements,awsroles,awsrolebindings"
        show(self.cluster.kubectl("-n", "reports", "get", kinds).stdout)

    def use(self) -> None:
        chapter("A pod as Manager-reports")
        calls = [
            ("GetObject reports/2026.txt", "get_object", {"Key": REPORT}),
            ("GetObject other.txt", "get_object", {"Key": "other.txt"}),
            ("PutObject reports/2026.txt", "put_object", {"Key": REPORT, "Body": "x"}),
        ]
        manager = self.pod("reports", "manager")
        self.calls("manager", manager.environment("app"), [
            (allow if says.startswith("GetObject reports") else deny)(says, "s3", method, Bucket=BUCKET, **parameters)
            for says, method, parameters in calls
        ])
        tell("The ceiling has PutObject and the whole bucket; the session policy of the binding has not.")
        chapter("A pod without a session policy")
        archive = self.pod("reports", "archive")
        self.calls("archive", archive.environment("app"), [
            deny(says, "s3", method, Bucket=BUCKET, **parameters) for says, method, parameters in calls
        ])
        self.named_by_the_bucket()
        lines = [x for x in self.deputy.audit_lines() if x.get("event") == "SessionDelivered" and x.get("namespace") == "reports"]
        expect({x["service_account"] for x in lines} >= {"manager", "archive"}, "each delivery should be in the audit log")
        key = self.deputy.identities[FEDERATION].access_key_id
        made = self.aws.recorder.calls("GetFederationToken")
        expect(made and all(c.access_key_id == key for c in made), "each call should be the federation user's")

        self.person()
        ways.with_a_code(self.stage.folder / "alice")
        ways.with_a_token_or_an_assertion()

    def person(self) -> None:
        """Somebody with a kubeconfig and nothing else."""
        chapter("A person, for an hour")
        alice = Person.of(self.deputy, ALICE, "mfa")
        home = self.stage.folder / "alice"
        home.mkdir(exist_ok=True)
        command = [str(cargo_binary("deputy")), "credentials", "role", "reports/uploader"]
        profile = f"[profile reports]\nregion = ap-northeast-1\ncredential_process = {' '.join(command)}\n"
        (home / "config").write_text(profile)
        # Nothing of whoever tells this.
        own = {"HOME": str(home), "KUBECONFIG": str(alice.kubeconfig), "PATH": os.environ["PATH"]}
        tell("Alice has a kubeconfig and no key of AWS. Her ~/.aws/config:")
        show(profile.replace(command[0], "deputy"))
        self.calls("Alice", {**own, "AWS_CONFIG_FILE": str(home / "config"), "AWS_PROFILE": "reports"}, [
            allow("PutObject reports/2027.txt", "s3", "put_object", Bucket=BUCKET, Key="reports/2027.txt", Body="x"),
            deny("PutObject other.txt", "s3", "put_object", Bucket=BUCKET, Key="other.txt", Body="x"),
            deny("GetObject reports/2026.txt", "s3", "get_object", Bucket=BUCKET, Key=REPORT),
        ])
        [line] = [x for x in self.deputy.audit_lines() if x.get("event") == "SessionIssued" and x.get("user") == ALICE]
        expect(line["binding"] == "reports/uploader", "the audit log should name the person and the binding")

        def refused() -> str | None:
            done = subprocess.run([*command, "--no-cache"], env=own, capture_output=True, text=True, check=False)
            return done.stderr if done.returncode else None

        self.cluster.kubectl("-n", "reports", "delete", "rolebinding", "credentials")
        said = wait_until(refused, "a refusal without the RoleBinding")
        tell("Without the RoleBinding the API server refuses, whatever the AWSRoleBinding says:")
        show(said)
        expect(f'User "{ALICE}" cannot create resource "awsrolebindings/credentials"' in said, "the refusal should be RBAC's")

    def named_by_the_bucket(self) -> None:
        """The policy that Deputy wrote its statement into, and what the double can't show: what it means for a federated user."""
        arn = self.cluster.admin.get(self.binding("archive"))["status"]["federatedUserARN"]
        sid = self.cluster.admin.get(STATEMENT)["status"]["sid"]
        text = self.bucket_policy()
        policy = json.loads(text)
        tell("The policy of the bucket has the owner's statement, untouched, and one that names the federated user and is Deputy's:")
        show(dump(policy))
        [mine] = [s for s in policy["Statement"] if s.get("Sid") == sid]
        expect(mine["Principal"]["AWS"] in (arn, [arn]), "the statement should name the federated user, and nobody else")
        expect(OWNERS_STATEMENT in text, "the owner's statement should have kept every byte")
        tell("The double does not know federated users in bucket policies, so `deputy explain session` answers for this one:")
        resource = f"arn:aws:s3:::{BUCKET}/{REPORT}"
        scene = {
            "way": "federation-token",
            "caller": {"arn": self.user["arn"], "policies": [self.user["policy"]]},
            "session": {"name": arn.rpartition("/")[2]},
            "requests": [{"action": a, "resource": resource, "policy": policy} for a in ("s3:GetObject", "s3:PutObject")],
        }
        done = subprocess.run(
            [cargo_binary("deputy"), "explain", "session", "-"], input=json.dumps(scene), capture_output=True, text=True,
            check=False,
        )
        show(done.stdout)
        expect(f"s3:GetObject on {resource}: allowed" in done.stdout, f"the bucket names it: {done.stderr}")
        expect(f"s3:PutObject on {resource}: implicitDeny" in done.stdout, "and for nothing else")

    def end(self) -> None:
        """Of the bucket's policy its owner's statement is left, as it was."""
        super().end()
        text = self.bucket_policy()
        left = json.loads(text) == json.loads(OWNERS) and OWNERS_STATEMENT in text
        expect(left, f"Deputy's statement should be gone, and nothing else: {text}")
        tell("The policy of the bucket is its owner's again.")

    def bucket_policy(self) -> str:
        """The policy of the bucket, as AWS has it."""
        return self.aws.client("s3").get_bucket_policy(Bucket=BUCKET)["Policy"]

    @staticmethod
    def binding(name: str) -> str:
        """Where a binding is."""
        return path({"kind": "AWSFederatedUserBinding", "metadata": {"namespace": "reports", "name": name}})
