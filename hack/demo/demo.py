"""The main job on real parts: a real API server, an AWS double that enforces policies, Deputy's own processes, an
unmodified boto3. Every step checks what it tells; the first that is not as told ends the demo with exit code 1.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import yaml
from rig.aws import Aws
from rig.cluster import Cluster, load_manifests
from rig.deputy import Deputy, wait_condition
from rig.proc import wait_until
from rig.tools import ROOT

EXAMPLE = ROOT / "examples" / "productionapp"
REFUSED = ROOT / "examples" / "refused"
ROLE = "/apis/deputy.dev/v1alpha1/namespaces/payments/awsroles/uploader"
LIMIT = "/apis/deputy.dev/v1alpha1/delegationlimits/payments"
ACCOUNT = "/apis/deputy.dev/v1alpha1/awsaccounts/production"
BINDING = "/apis/deputy.dev/v1alpha1/namespaces/payments/awsrolebindings/uploader"

APPLICATION = """
import boto3, botocore.exceptions, sys
from botocore.config import Config

s3 = boto3.client("s3", config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
def attempt(what, call):
    try:
        call()
        print(f"  {what:44} ok")
    except botocore.exceptions.ClientError as error:
        print(f"  {what:44} {error.response['Error']['Code']}")
print("  I am", boto3.client("sts").get_caller_identity()["Arn"])
attempt("ListBucket   productionapp", lambda: s3.list_objects_v2(Bucket="productionapp"))
attempt("GetObject    productionapp/report.txt", lambda: s3.get_object(Bucket="productionapp", Key="report.txt"))
attempt("PutObject    productionapp/upload.txt", lambda: s3.put_object(Bucket="productionapp", Key="upload.txt", Body=b"new"))
attempt("DeleteObject productionapp/report.txt", lambda: s3.delete_object(Bucket="productionapp", Key="report.txt"))
attempt("GetObject    customer-records/1", lambda: s3.get_object(Bucket="customer-records", Key="1"))
"""


class NotAsTold(RuntimeError):
    """A step did not go as the story says."""


def chapter(title: str) -> None:
    print(f"\n\033[1m== {title}\033[0m" if sys.stdout.isatty() else f"\n== {title}", flush=True)


def tell(text: str) -> None:
    print(textwrap.fill(" ".join(text.split()), 110), flush=True)


def show(text: str) -> None:
    print(textwrap.indent(text.rstrip(), "    "), flush=True)


def expect(holds: object, what: str) -> None:
    if not holds:
        raise NotAsTold(what)


def short(env: list[dict]) -> list[dict]:
    """An environment with its certificates cut: for reading."""
    return [{**e, "value": textwrap.shorten(e.get("value", ""), 60, placeholder=" …")} for e in env]


class Demo:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster, self.aws = Cluster(folder / "cluster"), Aws(folder / "aws")
        self.deputy = Deputy(self.cluster, self.aws, folder)
        self.agent = None
        self.pod: dict = {}

    # --- parts

    def manifests(self, name: str) -> list[dict]:
        return [self.deputy.on_this_double(m) for m in load_manifests((EXAMPLE / name).read_text())]

    def iam(self):
        return self.aws.client("iam")

    def role_in_aws(self) -> dict | None:
        roles = [r for r in self.iam().list_roles()["Roles"] if r["RoleName"].startswith("deputy.payments.uploader-")]
        return roles[0] if roles else None

    def document(self, value: object) -> str:
        return json.dumps(json.loads(value) if isinstance(value, str) else value, indent=2)

    def application(self) -> str:
        """The pod's container: boto3 with nothing but what the webhook injected."""
        env = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.aws.direct_url, **self.agent.environment("uploader")}
        done = subprocess.run([sys.executable, "-c", APPLICATION], env=env, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + "\n".join(done.stderr.strip().splitlines()[-1:])

    def refused(self, manifest: str) -> str:
        done = self.cluster.kubectl("apply", "-f", "-", input=manifest, check=False)
        expect(done.returncode != 0, "the API server should have refused this")
        return done.stderr

    # --- the story

    def run(self) -> None:
        self.start()
        self.platform()
        self.team()
        self.application_runs()
        self.refusals()
        self.narrow_and_restore()

    def start(self) -> None:
        chapter("A cluster, an AWS account, Deputy")
        began = time.monotonic()
        self.cluster.start()
        self.aws.start()
        tell(f"kube-apiserver {self.version()} with Node,RBAC authorization, and ministack, an AWS double that enforces "
             "policies, both on 127.0.0.1.")
        for bucket, key in (("productionapp", "report.txt"), ("customer-records", "1")):
            self.aws.client("s3").create_bucket(Bucket=bucket)
            self.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
        self.deputy.install()
        account = self.manifests("10-platform.yaml")[0]
        self.deputy.bootstrap_aws(yaml.safe_dump(account))
        tell("`deputy bootstrap aws` says what each process may do in AWS. One user for each, with that policy (adapted to "
             "the double, which ignores paths):")
        for identity in self.deputy.bootstrap["identities"]:
            actions = {a for s in identity["policy"]["Statement"] if s["Effect"] == "Allow"
                       for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
            show(f"{identity['name']:22} {len(actions):2} actions: {', '.join(sorted(actions)[:4])}, …" if len(actions) > 4
                 else f"{identity['name']:22} {len(actions):2} actions: {', '.join(sorted(actions))}")
        self.deputy.start()
        tell(f"The chart is applied; limits, controller, broker and webhook run with its ServiceAccounts. Ready after "
             f"{time.monotonic() - began:.1f} s.")

    def version(self) -> str:
        return self.cluster.admin.get("/version")["gitVersion"]

    def platform(self) -> None:
        chapter("The platform team: an account and a limit")
        self.cluster.apply(self.manifests("10-platform.yaml"))
        wait_condition(self.cluster, ACCOUNT, "Ready", "True")
        wait_condition(self.cluster, LIMIT, "Ready", "True")
        show(self.cluster.kubectl("get", "awsaccounts,delegationlimits").stdout)
        limit = self.cluster.admin.get(LIMIT)
        arn = limit["status"]["boundaries"][0]["policyARN"]
        tell(f"The limit is in AWS too, as a permissions boundary: {arn}")

    def team(self) -> None:
        chapter("The application team: a role and who may become it")
        self.cluster.create_service_account("payments", "default")
        self.cluster.apply(self.manifests("20-application.yaml"))
        wait_condition(self.cluster, ROLE, "Ready", "True", "Ready")
        wait_condition(self.cluster, BINDING, "Ready", "True")
        show(self.cluster.kubectl("-n", "payments", "get", "awsroles,awsrolebindings").stdout)
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

    def application_runs(self) -> None:
        chapter("A pod, as the API server stored it")
        deployment = self.manifests("30-deployment.yaml")
        self.cluster.apply(deployment[:1])
        template = deployment[1]["spec"]["template"]
        meta = {**template["metadata"], "name": "uploader-1", "namespace": "payments"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        self.pod = self.cluster.admin.create("/api/v1/namespaces/payments/pods", pod)
        sidecars = [c for c in self.pod["spec"].get("initContainers", []) if c["name"] == "deputy-agent"]
        expect(sidecars, "the sidecar should be injected")
        shown = ("name", "image", "restartPolicy", "startupProbe", "env")
        injected = {
            "initContainers": [{k: short(v) if k == "env" else v for k, v in sidecars[0].items() if k in shown}],
            "containers": [
                {
                    "name": c["name"],
                    "env": c["env"],
                    "volumeMounts": [m for m in c["volumeMounts"] if m["name"] == "deputy-token"],
                }
                for c in self.pod["spec"]["containers"]
            ],
            "volumes": [v for v in self.pod["spec"]["volumes"] if v["name"] == "deputy-token"],
        }
        tell("Created by Namespace label alone; this was injected:")
        show(yaml.safe_dump(injected, sort_keys=False))

        chapter("deputy-agent with this pod's own token, and an unmodified boto3")
        self.agent = self.deputy.start_agent(self.pod)
        self.agent.wait_ready()
        tell("The startup probe succeeds: the application would start now, with credentials there.")
        out = self.application()
        print(out)
        for line in ("ListBucket   productionapp", "GetObject    productionapp/report.txt", "PutObject    productionapp/upload.txt"):
            expect(any(line in x and x.endswith("ok") for x in out.splitlines()), f"{line} should work")
        for line in ("DeleteObject productionapp/report.txt", "GetObject    customer-records/1"):
            expect(any(line in x and x.endswith("AccessDenied") for x in out.splitlines()), f"{line} should be denied")
        tell("DeleteObject is in the role and in the limit, and not in the binding's session policy.")
        audit = [json.loads(x) for x in self.deputy.processes["broker"].log.read_text().splitlines() if '"audit"' in x]
        issued = [x for x in audit if x.get("event") == "SessionIssued"]
        expect(issued, "the broker should have written an audit line")
        tell("The broker's audit log:")
        show(json.dumps({k: v for k, v in issued[-1].items() if k not in ("level", "target", "timestamp")}))

    def refusals(self) -> None:
        chapter("Refusals")
        tell("A role that also wants another bucket:")
        said = self.refused((REFUSED / "another-bucket.yaml").read_text())
        show(said)
        expect("customer-records" in said and "payments" in said, "the refusal should name the request and the limit")
        tell("A role in a namespace without a limit:")
        without = load_manifests((REFUSED / "without-a-limit.yaml").read_text())
        self.cluster.apply(without[:1])
        out = self.cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(without[1]))
        show(out.stdout + out.stderr)
        expect("playground" in out.stderr and "NoLimit" in out.stderr, "a warning should name the namespace")
        path = "/apis/deputy.dev/v1alpha1/namespaces/playground/awsroles/reader"
        wait_condition(self.cluster, path, "Accepted", "False", "NoLimit")
        expect(not [name for name in self.mine() if "playground" in name], "nothing should be in AWS for it")
        tell("It is stored, so that tools may apply limits and roles in any order; nothing is made in AWS for it.")

    def narrow_and_restore(self) -> None:
        chapter("The limit is narrowed to ListBucket")
        limit = self.manifests("10-platform.yaml")[1]
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
        out = self.application()
        print(out)
        expect(sum(line.endswith(" ok") for line in out.splitlines()) == 3, "the same three calls should work again")

    def remove(self) -> None:
        chapter("Everything deleted")
        self.agent.stop()
        self.cluster.admin.call("DELETE", "/api/v1/namespaces/payments/pods/uploader-1",
                                {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
        self.cluster.delete_namespace("payments")
        self.cluster.delete_namespace("playground")
        self.cluster.kubectl("delete", "delegationlimit", "payments")
        wait_until(lambda: not self.mine(), "IAM empty again", timeout=60)
        self.cluster.kubectl("delete", "awsaccount", "production")
        tell("IAM holds none of Deputy's roles and policies any more.")

    def mine(self) -> list[str]:
        roles = [r["RoleName"] for r in self.iam().list_roles()["Roles"] if r["RoleName"].startswith("deputy.")]
        policies = [p["PolicyName"] for p in self.iam().list_policies(Scope="Local")["Policies"] if p["PolicyName"].startswith("deputy-limit.")]
        return roles + policies

    def keep(self) -> None:
        chapter("Left running")
        print(textwrap.dedent(f"""
            export KUBECONFIG={self.cluster.kubeconfig}
            kubectl get deputy -A
            kubectl apply -f examples/refused/another-bucket.yaml

            # AWS as its administrator
            export AWS_ENDPOINT_URL={self.aws.direct_url} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
            aws iam list-roles

            # logs
            ls {self.folder}/*.log

            Ctrl-C ends it.
            """))
        signal.sigwait({signal.SIGINT, signal.SIGTERM})

    def stop(self) -> None:
        if self.agent:
            self.agent.stop()
        self.deputy.stop()
        self.aws.stop()
        self.cluster.stop()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="deputy-demo-") as folder:
        demo = Demo(Path(folder))
        began = time.monotonic()
        try:
            demo.run()
            if os.environ.get("KEEP"):
                demo.keep()
            else:
                demo.remove()
        except NotAsTold as error:
            print(f"\nNOT AS TOLD: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            demo.stop()
        chapter(f"All as told, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
