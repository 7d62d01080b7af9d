"""What all stories have in common: the platform's part, the team's part, who uses it, what is refused, the end.

A story applies the files of its folder of `examples/` as they are, but for what only a real AWS account has: endpoints,
ids of zones and keys. Whatever it tells it has checked.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rig.cluster import load_manifests
from rig.deputy import Agent, wait_condition
from rig.proc import wait_until
from rig.tools import cargo_binary

from .stage import EXAMPLES, Stage
from .telling import chapter, expect, show, tell

API = "/apis/deputy.dev/v1alpha1"
_SCRIPT = Path(__file__).with_name("application.py")
_GRANTS = ("AWSResourcePolicyStatement", "AWSFederatedUserBinding", "AWSRoleBinding", "AWSRole", "ClusterAWSRole")
_NOW = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}


@dataclass(frozen=True)
class Call:
    """One call of boto3: how it is shown, and what AWS has to answer (`ok`, or the code of an error)."""

    says: str
    answer: str
    service: str
    method: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request that no double can show: what AWS authorizes, and whether it is `allowed` or `denied`."""

    says: str
    decision: str
    action: str
    resource: str
    context: Mapping[str, object] = field(default_factory=dict)


def allow(says: str, service: str, method: str, **parameters: object) -> Call:
    """A call that has to work."""
    return Call(says, "ok", service, method, parameters)


def deny(says: str, service: str, method: str, code: str = "AccessDenied", **parameters: object) -> Call:
    """A call that AWS has to refuse."""
    return Call(says, code, service, method, parameters)


class Story:
    """One folder of `examples/`. `use` is the part that each has of its own."""

    example = ""
    """The folder's name."""
    title = ""
    refused: Mapping[str, tuple[str, ...]] = {}
    """What the API server refuses: the files of the folder `refused`, each with words that the refusal has."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.cluster, self.aws, self.deputy = stage.cluster, stage.aws, stage.deputy
        self.on_double: dict[str, str] = {}
        """Texts of the files that are others on the double, such as the id of a key."""
        self._applied: list[dict] = []
        self._pods: list[dict] = []
        self._agents: list[Agent] = []

    # --- the whole of it

    def run(self, keep: bool = False) -> None:
        """Tells the story, and takes everything away again unless it is to be kept."""
        try:
            self.prepare()
            self.platform()
            self.team()
            self.use()
            self.refusals()
        except BaseException:
            # The next story on this stage begins without this one's objects.
            with suppress(Exception):
                self.end()
            raise
        if not keep:
            self.end()

    def stop(self) -> None:
        """Ends the sidecars."""
        for agent in self._agents:
            agent.stop()
        self._agents.clear()

    def prepare(self) -> None:
        """Makes in AWS what the example takes to be there."""

    def platform(self) -> None:
        """Applies the files 1…: accounts, limits, namespaces."""
        chapter(f"The platform team: {self.title}")
        manifests = self.files("1")
        if not any(m["kind"] == "AWSAccount" for m in manifests):
            manifests.insert(0, self.stage.production())
        self.apply(manifests)
        for kind in ("AWSAccount", "DelegationLimit"):
            for manifest in (m for m in manifests if m["kind"] == kind):
                wait_condition(self.cluster, path(manifest), "Ready", "True", timeout=60)
        show(self.cluster.kubectl("get", "awsaccounts,delegationlimits").stdout)

    def team(self) -> None:
        """Applies the files 2…: roles and bindings, and waits until they are ready."""
        chapter("The application team: what, and who")
        manifests = self.files("2")
        self.apply(manifests)
        namespaces = []
        for manifest in manifests:
            if manifest["kind"] in ("AWSRole", "AWSRoleBinding"):
                wait_condition(self.cluster, path(manifest), "Ready", "True", timeout=60)
                namespaces.append(manifest["metadata"]["namespace"])
        for namespace in dict.fromkeys(namespaces):
            show(self.cluster.kubectl("-n", namespace, "get", "awsroles,awsrolebindings").stdout)

    def use(self) -> None:
        """Uses what is granted."""
        raise NotImplementedError

    def refusals(self) -> None:
        """Applies each file of the folder `refused`, which has to be refused with the words that the story says."""
        folder = EXAMPLES / self.example / "refused"
        files = sorted(f.name for f in folder.glob("*.yaml")) if folder.exists() else []
        expect(files == sorted(self.refused), f"{folder} has {files}, the story tells of {sorted(self.refused)}")
        if files:
            chapter("Refused")
        for name, words in self.refused.items():
            text = (folder / name).read_text()
            tell(" ".join(line.removeprefix("#") for line in text.splitlines() if line.startswith("#")))
            said = self.refusal(self.adapted(text))
            show(said)
            # kubectl and the webhook break lines nowhere, so words can be looked for as they stand.
            for word in words:
                expect(self.adapted(word) in said, f"the refusal of {name} should say {word!r}")

    def end(self) -> None:
        """Deletes everything that the story applied; nothing of it is left in AWS."""
        chapter("Everything deleted")
        self.stop()
        for pod in self._pods:
            meta = pod["metadata"]
            self.cluster.admin.call("DELETE", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", _NOW)
        for kind in _GRANTS:
            for manifest in self.applied(kind):
                self.cluster.admin.delete(path(manifest))
        for manifest in (m for kind in _GRANTS for m in self.applied(kind)):
            wait_until(lambda m=manifest: not self.cluster.admin.exists(path(m)), f"{path(manifest)} gone", 60)
        for manifest in self.applied("DelegationLimit"):
            self.cluster.admin.delete(path(manifest))
        wait_until(lambda: not self.stage.deputys(), "nothing of Deputy's in IAM", timeout=60)
        for manifest in self.applied("AWSAccount"):
            self.cluster.admin.delete(path(manifest))
        for manifest in self.applied("Namespace"):
            self.cluster.delete_namespace(manifest["metadata"]["name"])
        tell("IAM holds none of Deputy's roles and policies any more.")

    # --- the files

    def adapted(self, text: str) -> str:
        """A file's text with what is another text on the double."""
        for ours, theirs in self.on_double.items():
            text = text.replace(ours, theirs)
        return text

    def files(self, prefix: str, example: str | None = None) -> list[dict]:
        """The objects of the files that begin so, pointed at the double."""
        found = sorted((EXAMPLES / (example or self.example)).glob(f"{prefix}*.yaml"))
        expect(found, f"examples/{example or self.example} has no file {prefix}*.yaml")
        return [self.deputy.on_this_double(m) for f in found for m in load_manifests(self.adapted(f.read_text()))]

    def apply(self, manifests: Iterable[dict]) -> None:
        """Applies objects, namespaces first, and remembers them for the end."""
        ordered = sorted(manifests, key=lambda m: m["kind"] != "Namespace")
        self.remember(ordered)
        # As a person does, so that `kubectl apply` of an example goes on from it where the demo is left running.
        self.cluster.apply(ordered, server_side=False)

    def remember(self, manifests: Iterable[dict]) -> None:
        """Objects that the end has to delete."""
        self._applied += manifests

    def applied(self, kind: str) -> list[dict]:
        """What was applied of a kind."""
        return [m for m in self._applied if m["kind"] == kind]

    def refusal(self, manifest: str) -> str:
        """What the API server says about what it refuses."""
        done = self.cluster.kubectl("apply", "-f", "-", input=manifest, check=False)
        expect(done.returncode != 0, "the API server should have refused this")
        return done.stderr

    # --- pods

    def stored_pod(self, namespace: str, account: str, template: Mapping | None = None, labels: Mapping = {}) -> dict:
        """A pod of a ServiceAccount, or of a template, as the API server stored it."""
        template = template or {"spec": {"containers": [{"name": "app", "image": "app.invalid/app:1"}]}}
        meta = {**template.get("metadata", {}), "name": f"{account}-1", "namespace": namespace}
        meta["labels"] = {**meta.get("labels", {}), **labels}
        spec = {**template["spec"], "serviceAccountName": account}
        stored = self.cluster.admin.create(
            f"/api/v1/namespaces/{namespace}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        )
        self._pods.append(stored)
        return stored

    def pod(self, namespace: str, account: str, template: Mapping | None = None, labels: Mapping = {}) -> Agent:
        """The sidecar of such a pod, which runs and is ready."""
        stored = self.stored_pod(namespace, account, template, labels)
        sidecars = [c for c in stored["spec"].get("initContainers", []) if c["name"] == "deputy-agent"]
        expect(sidecars, f"pod {namespace}/{account}-1 should have the sidecar")
        agent = self.deputy.start_agent(stored)
        self._agents.append(agent)
        agent.wait_ready()
        return agent

    def calls(self, who: str, environment: Mapping[str, str], calls: Iterable[Call]) -> None:
        """Makes calls with an unmodified boto3 that has nothing but this environment, and checks the answers."""
        calls = list(calls)
        asked = [{"service": "sts", "method": "get_caller_identity", "parameters": {}}]
        asked += [{"service": c.service, "method": c.method, "parameters": c.parameters} for c in calls]
        env = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.aws.direct_url, **environment}
        done = subprocess.run(
            [sys.executable, "-B", _SCRIPT], input=json.dumps(asked), env=env, capture_output=True, text=True, timeout=60,
            check=False,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        expect(len(answers) == len(asked), f"boto3 should have made all calls: {done.stderr.strip()[-500:]}")
        print(f"  {who} is {answers[0].get('arn') or 'nobody in AWS'}")
        width = max(len(c.says) for c in calls)
        for call, answer in zip(calls, answers[1:], strict=True):
            answered = answer["code"] or "ok"
            print(f"  {call.says:{width}}  {answered}", flush=True)
            # Services spell one refusal in two ways.
            same = answered.removesuffix("Exception") == call.answer.removesuffix("Exception")
            expect(same, f"{call.says} should be answered with {call.answer}, not {answered}")

    # --- what no double can show

    def role_arn(self, namespace: str, binding: str) -> str:
        """The ARN of the role that a binding is about, from its status."""
        meta = {"namespace": namespace, "name": binding}
        return self.cluster.admin.get(path({"kind": "AWSRoleBinding", "metadata": meta}))["status"]["roleARN"]

    def documents(self, arn: str) -> dict:
        """The policies of a role as AWS has them, as the evaluator takes them."""
        iam, name = self.stage.client("iam", arn.split(":")[4]), arn.rsplit("/", 1)[-1]
        names = iam.list_role_policies(RoleName=name)["PolicyNames"]
        identity = [iam.get_role_policy(RoleName=name, PolicyName=n)["PolicyDocument"] for n in names]
        boundary = iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        version = iam.get_policy(PolicyArn=boundary)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=boundary, VersionId=version)["PolicyVersion"]["Document"]
        return {"identity": [_parsed(d) for d in identity], "boundaries": [_parsed(document)]}

    def judge(self, namespace: str, binding: str, why: str, requests: Iterable[Request]) -> None:
        """Asks the evaluator about requests, with policy and boundary of a binding's role as AWS has them."""
        requests = list(requests)
        tell(f"{why}, so `deputy policy evaluate` judges these, with policy and boundary of the role of {binding} as AWS has them:")
        documents = self.documents(self.role_arn(namespace, binding))
        lines = [
            {"id": i, "request": {"action": r.action, "resource": r.resource, "context": r.context}, **documents}
            for i, r in enumerate(requests)
        ]
        for request, answer in zip(requests, evaluate(lines), strict=True):
            print(f"  {request.says:{max(len(r.says) for r in requests)}}  {answer['decision']}", flush=True)
            # Which kind of deny it is depends on how much of the ceiling fitted into the boundary a second time, as denies.
            decided = {"allowed": "allowed", "implicitDeny": "denied", "explicitDeny": "denied"}.get(answer["decision"])
            expect(decided == request.decision, f"{request.says} should be {request.decision}: {answer}")


def evaluate(lines: Iterable[Mapping]) -> list[dict]:
    """`deputy policy evaluate --batch -`."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [cargo_binary("deputy"), "policy", "evaluate", "--batch", "-"], input=text, capture_output=True, text=True, check=False
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    expect(len(answers) == text.count("\n"), f"every request should have an answer: {done.stderr}")
    return answers


def path(manifest: Mapping) -> str:
    """Where an object of ours is."""
    meta, plural = manifest["metadata"], manifest["kind"].lower() + "s"
    return f"{API}/namespaces/{meta['namespace']}/{plural}/{meta['name']}" if "namespace" in meta else f"{API}/{plural}/{meta['name']}"


def _parsed(document: object) -> object:
    return json.loads(document) if isinstance(document, str) else document


def dump(value: object) -> str:
    """YAML for reading."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
