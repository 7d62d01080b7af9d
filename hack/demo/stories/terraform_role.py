"""A role that is there already, bound as it is."""

import json

from rig.aws import policy
from rig.deputy import wait_condition

from ..story import Story, allow, deny, path
from ..telling import chapter, expect, show, tell

ROLE = "billing-exports"
BUCKET = "billing-exports"
AWSROLE = {"kind": "AWSRole", "metadata": {"namespace": "billing", "name": "exports"}}


class TerraformRole(Story):
    """Deputy only reads the role; its owner lets Deputy in, and the limit holds for each session."""

    example = "terraform-role"
    title = "a limit that names roles which are there"
    refused = {
        "administrator.yaml": ("role/administrator", "arn:aws:iam::123456789012:role/terraform/billing-*"),
        "more-than-the-limit.yaml": ("s3:GetObject", "arn:aws:s3:::billing-exports/*", "ExceedsLimit"),
    }

    def prepare(self) -> None:
        for bucket in (BUCKET, "customer-records"):
            self.aws.client("s3").create_bucket(Bucket=bucket)
            self.aws.client("s3").put_object(Bucket=bucket, Key="1", Body=b"x")
        iam = self.aws.client("iam")
        self.trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole",
                      "Condition": {"StringEquals": {"sts:ExternalId": "terraform"}}}
        everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        iam.create_role(Path="/terraform/", RoleName=ROLE, AssumeRolePolicyDocument=policy(self.trust))
        iam.put_role_policy(RoleName=ROLE, PolicyName="exports", PolicyDocument=policy(everything))

    def team(self) -> None:
        chapter("The application team: a role that is there, and who")
        self.apply(self.files("2"))
        waiting = wait_condition(self.cluster, path(AWSROLE), "Ready", "False", "TrustMissing")
        tell("The role's trust policy is its owner's, so nothing is ready yet:")
        show(waiting["message"])
        statements = self.cluster.admin.get(path(AWSROLE))["status"]["trustStatement"]
        tell("status.trustStatement, for the owner to paste:")
        show(json.dumps(json.loads(statements), indent=2))
        before = self.iam().get_role(RoleName=ROLE)["Role"]
        self.iam().update_assume_role_policy(
            RoleName=ROLE, PolicyDocument=policy(self.trust, *json.loads(statements))
        )
        # The controller looks again by itself every ten minutes; a change of a binding makes it look now.
        self.cluster.admin.patch(path({**AWSROLE, "kind": "AWSRoleBinding"}), {"spec": {"session": {"duration": "1h"}}})
        wait_condition(self.cluster, path(AWSROLE), "Ready", "True", timeout=60)
        wait_condition(self.cluster, path({**AWSROLE, "kind": "AWSRoleBinding"}), "Ready", "True", timeout=60)
        show(self.cluster.kubectl("-n", "billing", "get", "awsroles,awsrolebindings").stdout)
        after = self.iam().get_role(RoleName=ROLE)["Role"]
        same = ("Arn", "RoleId", "MaxSessionDuration", "Tags", "PermissionsBoundary", "Description")
        expect(all(before.get(k) == after.get(k) for k in same), "Deputy should not have written the role")

    def use(self) -> None:
        chapter("A pod")
        agent = self.pod("billing", "reader")
        self.calls("reader", agent.environment("app"), [
            allow("ListBucket billing-exports", "s3", "list_objects_v2", Bucket=BUCKET),
            allow("GetObject  billing-exports/1", "s3", "get_object", Bucket=BUCKET, Key="1"),
            deny("PutObject  billing-exports/2", "s3", "put_object", Bucket=BUCKET, Key="2", Body="x"),
            deny("GetObject  customer-records/1", "s3", "get_object", Bucket="customer-records", Key="1"),
        ])
        tell("The role may do everything in S3. The session has the limit's boundary as its session policy, so the limit holds.")

    def end(self) -> None:
        super().end()
        found = self.iam().get_role(RoleName=ROLE)["Role"]
        expect(found["Path"] == "/terraform/", "the role should be as it was")
        tell(f"{found['Arn']} is as it was.")

    def iam(self):
        return self.aws.client("iam")
