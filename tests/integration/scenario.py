"""What the tests say about accounts, limits, roles, bindings and pods."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rig import audit, canaries
from rig.apiclient import ApiError
from rig.aws import Aws
from rig.cluster import Cluster
from rig.deputy import NAMESPACE, Deputy, wait_condition
from rig.proc import wait_until

API = "/apis/deputy.dev/v1alpha1"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/deputy"
BUCKET = "productionapp"
ACCOUNT = "production"
REFERENCED = "arn:aws:iam::123456789012:policy/reference-boundary"
"""A policy that a limit may refer to as its boundary: Deputy's identities know of it."""
EXISTING_PATH = "/terraform/"
"""Where roles that are somebody else's are: Deputy's identities know of it."""
GRANTED = "granted-*"
"""Names of buckets, queues and topics whose policies may have statements: Deputy's identities know of them."""

LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"}
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
WRITE = {
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
}
ELSEWHERE = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::customer-records/*"}


def document(*statements: Mapping, version: str = "2012-10-17") -> dict:
    """A policy document."""
    return {"Version": version, "Statement": list(statements)}


def account(name: str = ACCOUNT, **spec: object) -> dict:
    """An AWSAccount as the examples have it."""
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "AWSAccount",
        "metadata": {"name": name},
        "spec": {
            "accountID": "123456789012",
            "region": "ap-northeast-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:user/deputy-broker"},
            **spec,
        },
    }


def limit(name: str, namespaces: list[str], *ceiling: Mapping, **spec: object) -> dict:
    """A DelegationLimit over some namespaces."""
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "DelegationLimit",
        "metadata": {"name": name},
        "spec": {
            "namespaces": namespaces,
            "accounts": [ACCOUNT],
            "ceiling": document(*(ceiling or (LIST, WRITE))),
            "boundary": {"type": "Generated"},
            "session": {"maxDuration": "1h", "tags": {"team": ["blue", "green"]}},
            **spec,
        },
    }


def role(namespace: str, name: str, *statements: Mapping, **spec: object) -> dict:
    """An AWSRole with one policy."""
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "AWSRole",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accountRef": {"name": ACCOUNT},
            "policies": [{"name": "objects", "document": document(*(statements or (LIST, WRITE)))}],
            **spec,
        },
    }


def binding(namespace: str, name: str, role_name: str, *accounts: str, **session: object) -> dict:
    """An AWSRoleBinding for ServiceAccounts."""
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "AWSRoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "roleRef": {"kind": "AWSRole", "name": role_name},
            "subjects": [{"kind": "ServiceAccount", "name": a} for a in accounts],
            **({"session": session} if session else {}),
        },
    }


def collection(manifest: Mapping) -> str:
    """Where objects of a manifest's kind are created."""
    plural = manifest["kind"].lower() + "s"
    namespace = manifest["metadata"].get("namespace")
    return f"{API}/namespaces/{namespace}/{plural}" if namespace else f"{API}/{plural}"


class Scenario:
    """The parts together, and questions to them."""

    def __init__(self, cluster: Cluster, aws: Aws, deputy: Deputy) -> None:
        self.cluster, self.aws, self.deputy = cluster, aws, deputy
        self.admin = cluster.admin
        self.last_metrics: dict[str, str] = {}

    def asked_by(self, process: str) -> list[audit.Request]:
        """What a process of Deputy has asked of the API server, oldest first."""
        user = f"system:serviceaccount:{NAMESPACE}:deputy-{process}"
        return [request for request in audit.read(self.cluster.audit_log) if request.user == user]

    def start(self) -> "Scenario":
        """Installs Deputy and waits until the account is ready."""
        s3 = self.aws.client("s3")
        for bucket in (BUCKET, "customer-records"):
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="report.txt", Body=b"numbers")
        # The policies with both deliveries; nobody runs an agent on a node here.
        self.deputy.install({"injection": {"node": {"enabled": True}}})
        manifest = self.account(
            federation={"userARN": "arn:aws:iam::123456789012:user/deputy-federation"}, people={"sourceIdentity": True}
        )
        federating = limit("federating", ["federating"], federatedUsers=["Manager*", "Shared*", "Report*"])
        referring = limit(
            "referring",
            ["referring"],
            boundary={"type": "Reference", "policyARN": REFERENCED},
            existingRoles=[f"arn:aws:iam::*:role{EXISTING_PATH}*"],
        )
        granting = limit(
            "granting",
            ["granting"],
            resourcePolicies=[f"arn:aws:s3:::{GRANTED}", *(f"arn:aws:{s}:*:123456789012:{GRANTED}" for s in ("sqs", "sns"))],
        )
        limits = (referring, federating, granting)
        self.deputy.bootstrap_aws("\n---\n".join(json.dumps(m) for m in (manifest, *limits)))
        self.deputy.start()
        self.create(manifest)
        self.wait(f"{API}/awsaccounts/{ACCOUNT}", "Ready", "True")
        return self

    def account(self, name: str = ACCOUNT, **spec: object) -> dict:
        """An AWSAccount that points at the double."""
        return self.deputy.on_this_double(account(name, **spec))

    def heal(self) -> None:
        """Switches faults off and starts what does not run."""
        self.aws.recorder.clear_faults()
        self.deputy.start_ended()

    # --- the API server

    @contextmanager
    def without_validation(self) -> Iterator[None]:
        """While nobody asks the webhook about objects: its configuration is taken away, and put back."""
        configuration = self.admin.get(HOOKS)
        self.admin.delete(HOOKS)
        # The API server hears of that a moment later: here is no limit, so the webhook would refuse it.
        unasked = role("default", "nobody-asks", READ)
        wait_until(lambda: self.try_create(unasked) is not None, "nobody asks the webhook", 10)
        try:
            yield
        finally:
            for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"):
                configuration["metadata"].pop(field, None)
            self.admin.create(HOOKS.rpartition("/")[0], configuration)

    def create(self, manifest: Mapping) -> dict:
        """Creates an object, with unknown fields refused as kubectl asks for."""
        return self.admin.create(f"{collection(manifest)}?fieldValidation=Strict", manifest)

    def try_create(self, manifest: Mapping) -> list[str]:
        """Creates an object without storing it; the warnings."""
        path = f"{collection(manifest)}?fieldValidation=Strict&dryRun=All"
        return self.admin.warnings("POST", path, manifest)

    def refusal(self, manifest: Mapping) -> ApiError:
        """The error of creating an object that has to be refused; nothing is stored."""
        try:
            self.try_create(manifest)
        except ApiError as error:
            return error
        raise AssertionError(f"{manifest['kind']} {manifest['metadata']['name']} was not refused")

    def wait(self, path: str, kind: str, status: str, reason: str | None = None, timeout: float = 20) -> dict:
        """Waits for a condition."""
        return wait_condition(self.cluster, path, kind, status, reason, timeout)

    def wait_gone(self, path: str, timeout: float = 20) -> None:
        """Waits until an object is not there."""
        wait_until(lambda: not self.admin.exists(path), f"{path} gone", timeout)

    def delete_account(self, name: str) -> None:
        """Deletes an AWSAccount, as soon as the webhook knows that nothing names it any more."""

        def deleted() -> bool:
            try:
                self.admin.delete(f"{API}/awsaccounts/{name}")
            except ApiError as error:
                if "is in use by" not in error.message:
                    raise
                return False
            return True

        wait_until(deleted, f"AWSAccount {name} deleted", 10)

    # --- AWS, as its administrator

    def iam(self):
        """A client that no policy binds and nobody records."""
        return self.aws.client("iam")

    def roles_in_aws(self) -> list[str]:
        """The names of Deputy's roles."""
        return sorted(r["RoleName"] for r in self.iam().list_roles()["Roles"] if r["RoleName"].startswith("deputy."))

    def policies_in_aws(self) -> list[str]:
        """The names of Deputy's boundary policies."""
        found = self.iam().list_policies(Scope="Local")["Policies"]
        return sorted(p["PolicyName"] for p in found if p["PolicyName"].startswith("deputy-limit."))

    def writes(self, since: int) -> list[str]:
        """The actions of Deputy's calls to AWS that may change something, since a mark."""
        reads = ("Get", "List")
        return [c.action for c in self.aws.recorder.calls(since=since) if not c.action.startswith(reads)]


@contextmanager
def started(folder: Path) -> Iterator[Scenario]:
    """A cluster, an AWS account and a Deputy of one's own, with everything started."""
    with Cluster(folder / "cluster") as cluster, Aws(folder / "aws") as aws:
        deputy = Deputy(cluster, aws, folder, people=True)
        scenario = Scenario(cluster, aws, deputy)
        try:
            yield scenario.start()
            running = {name for name, process in deputy.processes.items() if process.returncode is None}
            metrics = [*scenario.last_metrics.values(), *(deputy.metrics(name) for name in running)]
        finally:
            deputy.stop()
        # Whatever ran, one test or all.
        assert canaries.leaks(cluster, aws, deputy, metrics) == []


class Team:
    """One namespace, and mostly one limit of the same name."""

    def __init__(
        self,
        scenario: Scenario,
        name: str,
        limit: bool = True,
        inject: bool = True,
        ceiling: tuple = (),
        **spec: object,
    ) -> None:
        self.scenario, self.name = scenario, name
        self.cluster, self.aws, self.deputy, self.admin = scenario.cluster, scenario.aws, scenario.deputy, scenario.admin
        self.more_limits: list[str] = []
        self.cluster.create_namespace(name, {"deputy.dev/inject": "enabled"} if inject else {})
        if limit:
            self.limit(*ceiling, **spec)

    # --- objects

    def limit(self, *ceiling: Mapping, **spec: object) -> dict:
        """Creates the limit, and waits until it is in force."""
        made = self.scenario.create(limit(self.name, [self.name], *ceiling, **spec))
        self.wait_limit()
        # Before it refuses, and before it says that there is no limit, the webhook looks at the API server.
        return made

    def another_limit(self, name: str, *ceiling: Mapping, **spec: object) -> str:
        """Creates a second limit of the namespace; its path."""
        full = f"{self.name}-{name}"
        self.scenario.create(limit(full, [self.name], *ceiling, **spec))
        self.more_limits.append(f"{API}/delegationlimits/{full}")
        return self.more_limits[-1]

    def role(self, name: str = "uploader", *statements: Mapping, wait: bool = True, **spec: object) -> dict:
        """Creates a role."""
        made = self.scenario.create(role(self.name, name, *statements, **spec))
        if wait:
            self.wait_role(name)
        return made

    def binding(
        self, name: str = "uploader", role_name: str = "uploader", *accounts: str, wait: bool = True, **session: object
    ) -> dict:
        """Creates a binding, by default of the ServiceAccount of the role's name."""
        made = self.scenario.create(binding(self.name, name, role_name, *(accounts or (role_name,)), **session))
        if wait:
            self.wait_binding(name)
        return made

    def granted(self, name: str = "uploader", *statements: Mapping, **session: object) -> None:
        """A ServiceAccount, a role and a binding of one name, all ready."""
        self.cluster.create_service_account(self.name, name)
        self.role(name, *statements, wait=False)
        self.binding(name, name, wait=False, **session)
        self.wait_role(name)
        self.wait_binding(name)
        self.wait_trusted(name)

    def pod(self, name: str = "app", service_account: str = "uploader", **spec: object) -> dict:
        """A pod, as the API server stored it."""
        self.cluster.create_service_account(self.name, service_account)
        return self.cluster.create_pod(self.name, name, service_account, **spec)

    def leave(self) -> None:
        """Deletes what is granted, so that tests after it wait for nothing of it; nobody waits until it is gone."""
        for plural in ("awsresourcepolicystatements", "awsfederateduserbindings", "awsrolebindings", "awsroles"):
            self.admin.delete(f"{API}/namespaces/{self.name}/{plural}")
        for path in (self.limit_path, *self.more_limits):
            if self.admin.exists(path):
                meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "1000"}}}
                self.admin.patch(path, meant)
                self.admin.delete(path)

    def wait_converged(self, name: str = "uploader") -> None:
        """Waits until what was written has been read again: what differs from then on is somebody else's.

        A test that changes a role in AWS before that changes what the controller is about to read, which takes it for its
        own write that is not to be seen yet.
        """
        role = self.aws_name(name)

        def converged() -> bool:
            told = [line["message"] for line in self.deputy.log("controller") if line.get("aws_role") == role]
            return told[-1:] == ["role converged"]

        wait_until(converged, f"role {role} converged", 20)

    # --- paths

    @property
    def limit_path(self) -> str:
        return f"{API}/delegationlimits/{self.name}"

    def role_path(self, name: str = "uploader") -> str:
        return f"{API}/namespaces/{self.name}/awsroles/{name}"

    def binding_path(self, name: str = "uploader") -> str:
        return f"{API}/namespaces/{self.name}/awsrolebindings/{name}"

    # --- waiting

    def ask_for_a_look(self, name: str = "uploader") -> None:
        """Has AWS looked at, whatever Deputy knows of the role."""
        requested = {"deputy.dev/reconcile-requested-at": str(time.time())}
        self.admin.patch(self.role_path(name), {"metadata": {"annotations": requested}})

    def wait_limit(self, status: str = "True", reason: str | None = None, timeout: float = 20) -> dict:
        return self.scenario.wait(self.limit_path, "Ready", status, reason, timeout)

    def wait_role(
        self, name: str = "uploader", status: str = "True", reason: str | None = None, timeout: float = 20
    ) -> dict:
        return self.scenario.wait(self.role_path(name), "Ready", status, reason, timeout)

    def wait_binding(
        self, name: str = "uploader", status: str = "True", reason: str | None = None, timeout: float = 20
    ) -> dict:
        return self.scenario.wait(self.binding_path(name), "Ready", status, reason, timeout)

    def wait_trusted(self, name: str = "uploader", trusted: bool = True, timeout: float = 20) -> None:
        """Waits until the role's trust policy in AWS lets somebody in, or nobody."""
        effect = "Allow" if trusted else "Deny"

        def as_told() -> bool:
            found = self.in_aws(name)
            return found is not None and {s["Effect"] for s in found["AssumeRolePolicyDocument"]["Statement"]} == {effect}

        wait_until(as_told, f"trust of {name}: {effect}", timeout)

    # --- AWS

    def aws_name(self, name: str = "uploader") -> str:
        """The name in AWS, from the ARN that the status tells."""
        arn = self.admin.get(self.role_path(name))["status"]["roleARN"]
        return arn.rsplit("/", 1)[-1]

    def in_aws(self, name: str = "uploader") -> dict | None:
        """The role as AWS has it; None while there is none."""
        iam = self.scenario.iam()
        try:
            got = iam.get_role(RoleName=self.aws_name(name))["Role"]
        except (KeyError, iam.exceptions.NoSuchEntityException):
            return None
        if isinstance(got["AssumeRolePolicyDocument"], str):
            got["AssumeRolePolicyDocument"] = json.loads(got["AssumeRolePolicyDocument"])
        return got

    def inline(self, name: str = "uploader") -> dict:
        """The role's inline policies by name."""
        iam, aws_name = self.scenario.iam(), self.aws_name(name)
        names = iam.list_role_policies(RoleName=aws_name)["PolicyNames"]
        found = {n: iam.get_role_policy(RoleName=aws_name, PolicyName=n)["PolicyDocument"] for n in names}
        return {n: json.loads(d) if isinstance(d, str) else d for n, d in found.items()}

    # --- credentials

    def ask(self, pod: str = "app", path: str = "/v1/credentials", **headers: str) -> tuple[int, dict]:
        """Asks the broker as the pod's agent does: status and body."""
        status, _, body = self.deputy.ask_broker(self.cluster.pod_token(self.name, pod), path, **headers)
        return status, body

    def wait_answer(self, status: int, pod: str = "app", path: str = "/v1/credentials", timeout: float = 15) -> dict:
        """Asks the broker until it answers with a status; the body."""
        token = self.cluster.pod_token(self.name, pod)
        seen: list = []

        def answered() -> dict | None:
            got, _, body = self.deputy.ask_broker(token, path)
            seen[:] = [got, body]
            return {"body": body} if got == status else None

        try:
            return wait_until(answered, f"the broker's {status}", timeout)["body"]
        except Exception as error:
            raise AssertionError(f"{error}; the last answer was {seen[:1]} {seen[1:] if seen[0:1] != [200] else ''}") from error
