"""Pods as federated users, whom resource policies know by name; a person, for an hour, of a role."""

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

BUCKET = "productionapp"
REPORT = "reports/2026.txt"
ALICE = "alice@example.com"


class Federation(Story):
    """GetFederationToken for pods: a name within patterns, a session policy within the ceiling. AssumeRole for a person who asks the
    API server."""

    example = "federation"
    title = "an account with a federation user, a limit that allows names, and people of a company"
    refused = {
        "another-name.yaml": ("FederatedUser", "it allows Manager-*"),
        "another-person.yaml": ("mallory@elsewhere.example", "*@example.com"),
        "more-than-the-limit.yaml": ("ExceedsLimit", "s3:GetObject"),
    }

    def prepare(self) -> None:
        s3 = self.aws.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key in (REPORT, "other.txt"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"numbers")
        chapter("The federation user")
        self.user = self.deputy.bootstrap_federation(yaml.safe_dump_all(self.files("1")))
        tell("AWS gives federation tokens to long-lived keys of a user alone. `deputy bootstrap aws` prints what this one may do: "
             "GetFederationToken for the names that limits allow, and their ceilings as the cap.")
        show(dump(self.user["policy"]["Statement"]))

    def team(self) -> None:
        chapter("The application team: who, and what at most")
        self.apply(self.files("2"))
        for name in ("manager", "archive"):
            wait_condition(self.cluster, self.binding(name), "Ready", "True", timeout=60)
        role = {"kind": "AWSRoleBinding", "metadata": {"namespace": "reports", "name": "uploader"}}
        wait_condition(self.cluster, path(role), "Ready", "True", timeout=60)
        show(self.cluster.kubectl("-n", "reports", "get", "awsfederateduserbindings,awsroles,awsrolebindings").stdout)

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
        """What the double can't show: a bucket policy that names a federated user."""
        arn = self.cluster.admin.get(self.binding("archive"))["status"]["federatedUserARN"]
        grant = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        tell("The double does not know federated users in bucket policies, so `deputy explain session` answers for a bucket whose "
             "policy names the ARN in the binding's status:")
        policy = {"Version": "2012-10-17", "Statement": [grant]}
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

    @staticmethod
    def binding(name: str) -> str:
        """Where a binding is."""
        return path({"kind": "AWSFederatedUserBinding", "metadata": {"namespace": "reports", "name": name}})
