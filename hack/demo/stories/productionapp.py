"""The main job: two objects become a role in AWS and credentials in a pod, within the limit and never beyond it."""

import json
import textwrap

import yaml
from rig.cluster import load_manifests
from rig.deputy import wait_condition
from rig.proc import wait_until

from ..stage import EXAMPLES
from ..story import Story, allow, deny, dump
from ..telling import chapter, expect, show, tell

REFUSED = EXAMPLES / "refused"
ROLE = "/apis/deputy.dev/v1alpha1/namespaces/payments/awsroles/uploader"
LIMIT = "/apis/deputy.dev/v1alpha1/delegationlimits/payments"

CALLS = (
    allow("ListBucket   productionapp", "s3", "list_objects_v2", Bucket="productionapp"),
    allow("GetObject    productionapp/report.txt", "s3", "get_object", Bucket="productionapp", Key="report.txt"),
    allow("PutObject    productionapp/upload.txt", "s3", "put_object", Bucket="productionapp", Key="upload.txt", Body="new"),
    deny("DeleteObject productionapp/report.txt", "s3", "delete_object", Bucket="productionapp", Key="report.txt"),
    deny("GetObject    customer-records/1", "s3", "get_object", Bucket="customer-records", Key="1"),
)


def short(env: list[dict]) -> list[dict]:
    """An environment with its certificates cut: for reading."""
    return [{**e, "value": textwrap.shorten(e.get("value", ""), 60, placeholder=" …")} for e in env]


class Productionapp(Story):
    """A bucket, one role, one pod."""

    example = "productionapp"
    title = "an account and a limit"

    def prepare(self) -> None:
        for bucket, key in (("productionapp", "report.txt"), ("customer-records", "1")):
            self.aws.client("s3").create_bucket(Bucket=bucket)
            self.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")

    def platform(self) -> None:
        super().platform()
        arn = self.cluster.admin.get(LIMIT)["status"]["boundaries"][0]["policyARN"]
        tell(f"The limit is in AWS too, as a permissions boundary: {arn}")

    def team(self) -> None:
        super().team()
        role = self.role_in_aws()
        expect(role, "the role should be in AWS")
        name = role["RoleName"]
        found = self.iam().get_role(RoleName=name)["Role"]
        tell("The role as AWS has it:")
        show(found["Arn"])
        show("boundary " + found["PermissionsBoundary"]["PermissionsBoundaryArn"])
        expect(found["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(
            self.cluster.admin.get(LIMIT)["status"]["boundaries"][0]["policyARN"].rsplit("/", 1)[-1]), "the limit's boundary")
        tell("its trust policy:")
        show(self.document(found["AssumeRolePolicyDocument"]))
        tell("its one inline policy:")
        show(self.document(self.iam().get_role_policy(RoleName=name, PolicyName="deputy")["PolicyDocument"]))

    def use(self) -> None:
        chapter("A pod, as the API server stored it")
        files = self.files("3")
        self.apply(files[:1])
        self.agent = self.pod("payments", "uploader", files[1]["spec"]["template"])
        stored = self.agent.pod["spec"]
        sidecar = next(c for c in stored["initContainers"] if c["name"] == "deputy-agent")
        shown = ("name", "image", "restartPolicy", "lifecycle", "env")
        injected = {
            "initContainers": [{k: short(v) if k == "env" else v for k, v in sidecar.items() if k in shown}],
            "containers": [
                {
                    "name": c["name"],
                    "env": c["env"],
                    "volumeMounts": [m for m in c["volumeMounts"] if m["name"] == "deputy-token"],
                }
                for c in stored["containers"]
            ],
            "volumes": [v for v in stored["volumes"] if v["name"] == "deputy-token"],
        }
        tell("Created by Namespace label alone; this was injected:")
        show(dump(injected))

        chapter("deputy-agent with this pod's own token, and an unmodified boto3")
        tell("The sidecar's hook succeeds: the application would start now, with credentials there.")
        self.application()
        tell("DeleteObject is in the role and in the limit, and not in the binding's session policy.")
        issued = [x for x in self.deputy.audit_lines() if x.get("event") == "SessionIssued"]
        expect(issued, "the broker should have written an audit line")
        tell("The broker's audit log:")
        show(json.dumps({k: v for k, v in issued[-1].items() if k not in ("level", "target", "timestamp")}))

    def refusals(self) -> None:
        chapter("Refusals")
        tell("A role that also wants another bucket:")
        said = self.refusal((REFUSED / "another-bucket.yaml").read_text())
        show(said)
        expect("customer-records" in said and "payments" in said, "the refusal should name the request and the limit")
        tell("A role in a namespace without a limit:")
        without = load_manifests((REFUSED / "without-a-limit.yaml").read_text())
        self.apply(without[:1])
        self.remember(without[1:])
        out = self.cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(without[1]))
        show(out.stdout + out.stderr)
        expect("playground" in out.stderr and "NoLimit" in out.stderr, "a warning should name the namespace")
        path = "/apis/deputy.dev/v1alpha1/namespaces/playground/awsroles/reader"
        wait_condition(self.cluster, path, "Accepted", "False", "NoLimit")
        expect(not [name for name in self.stage.deputys() if "playground" in name], "nothing should be in AWS for it")
        tell("It is stored, so that tools may apply limits and roles in any order; nothing is made in AWS for it.")
        self.narrow_and_restore()

    def narrow_and_restore(self) -> None:
        """The limit becomes narrower under a running pod, and what it was."""
        chapter("The limit is narrowed to ListBucket")
        limit = next(m for m in self.files("1") if m["kind"] == "DelegationLimit")
        narrow = json.loads(json.dumps(limit))
        narrow["spec"]["ceiling"]["Statement"] = narrow["spec"]["ceiling"]["Statement"][:1]
        out = self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=yaml.safe_dump(narrow))
        show(out.stdout + out.stderr)
        wait_condition(self.cluster, ROLE, "Ready", "False", "Suspended")
        show(self.cluster.kubectl("-n", "payments", "get", "awsroles").stdout)
        trust = self.iam().get_role(RoleName=self.role_in_aws()["RoleName"])["Role"]["AssumeRolePolicyDocument"]
        trust = json.loads(trust) if isinstance(trust, str) else trust
        tell("The role and its ARN stay; its trust policy:")
        show(json.dumps(trust))
        expect(all(s["Effect"] == "Deny" for s in trust["Statement"]), "trust should be deny-only")

        def refused() -> dict | None:
            status, body = self.agent.get()
            return body if status == 403 else None

        body = wait_until(refused, "the next credential refused", timeout=20)
        tell("The pod's next credential:")
        show(f"403 {body['Code']}: {body['Message']}")

        chapter("The limit is restored")
        self.cluster.apply(limit)
        wait_condition(self.cluster, ROLE, "Ready", "True", "Ready")
        wait_until(lambda: self.agent.get()[0] == 200, "credentials again", timeout=30)
        self.application()

    # --- parts

    def iam(self):
        return self.aws.client("iam")

    def role_in_aws(self) -> dict | None:
        roles = [r for r in self.iam().list_roles()["Roles"] if r["RoleName"].startswith("deputy.payments.uploader-")]
        return roles[0] if roles else None

    def document(self, value: object) -> str:
        return json.dumps(json.loads(value) if isinstance(value, str) else value, indent=2)

    def application(self) -> None:
        """The pod's container: boto3 with nothing but what the webhook injected."""
        self.calls("uploader", self.agent.environment("uploader"), CALLS)
