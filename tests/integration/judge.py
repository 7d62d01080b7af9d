"""Judges recorded calls to AWS by Deputy's own policy evaluator, with full ARNs and condition keys as AWS would have them.

The double looks at neither (it ignores paths, and conditions on boundaries), so what it lets pass proves nothing about
the policies that `deputy bootstrap aws` prints. This does.
"""

import json
import subprocess

from rig.aws import Aws
from rig.deputy import FEDERATION, Deputy
from rig.recorder import Call
from rig.tools import cargo_binary

from .scenario import EXISTING_PATH

_LISTS = {"ListRoles", "ListPolicies", "GetAccountAuthorizationDetails", "GetAccountSummary"}
# What has a policy of its own.
_RESOURCES = {"s3", "sqs", "sns"}
# AWS asks nobody's permission for it.
_FREE = {"GetCallerIdentity"}


class Judge:
    """The verdict on each call, and which granted action no call needed."""

    def __init__(self, deputy: Deputy, aws: Aws) -> None:
        self._aws = aws
        self._policies = {i["process"].removeprefix("deputy "): i["policy"] for i in deputy.bootstrap["identities"]}
        self._names = {i["name"]: i["process"].removeprefix("deputy ") for i in deputy.bootstrap["identities"]}
        self._keys = self._owners(deputy)
        self._prefix = f"arn:aws:iam::{aws.account}:"
        self._role_path = f"/deputy/{deputy.cluster_name}/"
        self._tags: dict[str, dict[str, str]] = {}
        self._boundaries: dict[str, str] = {}
        self.verdicts: list[dict] = []
        self._used: dict[str, set[str]] = {name: set() for name in self._policies}

    def _owners(self, deputy: Deputy) -> dict[str, str]:
        """Which process has which access key, other keys of the same users included."""
        return {**deputy.former_keys, **{c.access_key_id: name for name, c in deputy.identities.items()}}

    def judge(self) -> "Judge":
        """Asks about all recorded calls, in order."""
        lines = []
        for call in self._aws.recorder.calls():
            if call.action in _FREE:
                continue
            owner = self._keys.get(call.access_key_id) or self._owner_by_service(call)
            for action, resource, context in self._requests(call):
                self._used[owner].add(action)
                request = {"action": action, "resource": resource, "context": context}
                lines.append({"id": len(lines), "request": request, "identity": [self._policies[owner]]})
            if call.applied:
                self._remember(call)
        done = subprocess.run(
            [cargo_binary("deputy"), "policy", "evaluate", "--batch", "-"],
            input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(lines), done.stderr
        for line, answer in zip(lines, answers, strict=True):
            self.verdicts.append({"request": line["request"], **answer})
        return self

    def _owner_by_service(self, call: Call) -> str:
        """Keys that a process had for a while: the controller a second one of its own, the broker that of its second identity."""
        return "broker" if call.service == "sts" else "controller"

    def _requests(self, call: Call) -> list[tuple[str, str, dict]]:
        """What AWS authorizes for one call: actions, resource, and the condition keys there are."""
        p = call.parameters
        tags = _tags(p)
        context: dict[str, object] = {f"aws:RequestTag/{k}": v for k, v in tags.items()}
        if tags or (keys := _members(p, "TagKeys")):
            context["aws:TagKeys"] = list(tags) or keys
        if call.action == "GetFederationToken":
            resource = f"arn:aws:sts::{self._aws.account}:federated-user/{p['Name']}"
            return [(f"sts:{action}", resource, context) for action in (call.action, "TagSession")]
        if call.service == "sts":
            resource = p["RoleArn"]
            if "ExternalId" in p:
                context["sts:ExternalId"] = p["ExternalId"]
            actions = ["sts:AssumeRole"] + (["sts:TagSession"] if tags else [])
            if "SourceIdentity" in p:
                context["sts:SourceIdentity"] = p["SourceIdentity"]
                actions.append("sts:SetSourceIdentity")
            return [(action, resource, context) for action in actions]
        if call.service in _RESOURCES:
            return [(f"{call.service}:{call.action}", self._resource(call), {"aws:ResourceAccount": self._aws.account})]
        action = f"iam:{call.action}"
        if call.action in _LISTS:
            return [(action, "*", context)]
        if arn := p.get("PolicyArn") if "RoleName" not in p else None:
            return [(action, arn, {**context, **self._of(arn)})]
        if "PolicyName" in p and "RoleName" not in p:
            requests = [(action, f"{self._prefix}policy{p.get('Path', '/')}{p['PolicyName']}", context)]
            return requests + [("iam:TagPolicy", requests[0][1], context)] if tags else requests
        arn = self._role(p["RoleName"])
        if call.action == "CreateRole":
            if p.get("PermissionsBoundary"):
                context["iam:PermissionsBoundary"] = p["PermissionsBoundary"]
            requests = [(action, f"{self._prefix}role{p.get('Path', '/')}{p['RoleName']}", context)]
            return requests + [("iam:TagRole", requests[0][1], context)] if tags else requests
        context |= self._of(arn)
        if call.action == "PutRolePermissionsBoundary":
            context["iam:PermissionsBoundary"] = p["PermissionsBoundary"]
        elif arn in self._boundaries:
            context["iam:PermissionsBoundary"] = self._boundaries[arn]
        if call.action in ("DetachRolePolicy", "AttachRolePolicy"):
            context["iam:PolicyARN"] = p["PolicyArn"]
        return [(action, arn, context)]

    def _resource(self, call: Call) -> str:
        """The ARN of a bucket, queue or topic."""
        p = call.parameters
        if call.service == "s3":
            assert p["ExpectedBucketOwner"] == self._aws.account, "a bucket's name alone may be anybody's"
            return f"arn:aws:s3:::{p['Bucket']}"
        if call.service == "sqs":
            account, name = p["QueueUrl"].split("/")[-2:]
            return f"arn:aws:sqs:{call.region}:{account}:{name}"
        return p["TopicArn"]

    def _role(self, name: str) -> str:
        """The ARN of a role; calls name it without its path."""
        return f"{self._prefix}role{self._role_path if name.startswith('deputy.') else EXISTING_PATH}{name}"

    def _of(self, arn: str) -> dict[str, str]:
        return {f"aws:ResourceTag/{k}": v for k, v in self._tags.get(arn, {}).items()}

    def _remember(self, call: Call) -> None:
        """Tags and boundaries as they are after a call."""
        p = call.parameters
        if call.service != "iam":
            return
        role = self._role(p["RoleName"]) if "RoleName" in p else ""
        if call.action == "CreateRole":
            self._tags[role] = _tags(p)
            if p.get("PermissionsBoundary"):
                self._boundaries[role] = p["PermissionsBoundary"]
        elif call.action == "TagRole":
            self._tags.setdefault(role, {}).update(_tags(p))
        elif call.action == "UntagRole":
            for key in _members(p, "TagKeys"):
                self._tags.get(role, {}).pop(key, None)
        elif call.action == "PutRolePermissionsBoundary":
            self._boundaries[role] = p["PermissionsBoundary"]
        elif call.action == "CreatePolicy":
            self._tags[f"{self._prefix}policy{p.get('Path', '/')}{p['PolicyName']}"] = _tags(p)
        elif call.action == "DeleteRole":
            self._tags.pop(role, None)
            self._boundaries.pop(role, None)

    def unused(self) -> dict[str, set[str]]:
        """Granted actions that no call needed, by process."""
        found = {}
        for name, policy in self._policies.items():
            granted: set[str] = set()
            for statement in policy["Statement"]:
                # The rest of the federation user's is the cap on what its sessions may do: no call of Deputy's own.
                is_cap = name == FEDERATION and statement.get("Sid") != "FederatedUsers"
                if statement["Effect"] == "Allow" and not is_cap:
                    actions = statement["Action"]
                    granted |= {actions} if isinstance(actions, str) else set(actions)
            if left := granted - self._used[name]:
                found[name] = left
        return found


def _tags(parameters: dict[str, str]) -> dict[str, str]:
    keys = [k for k in parameters if k.startswith("Tags.member.") and k.endswith(".Key")]
    return {parameters[k]: parameters[k.removesuffix("Key") + "Value"] for k in keys}


def _members(parameters: dict[str, str], name: str) -> list[str]:
    return [v for k, v in parameters.items() if k.startswith(f"{name}.member.")]
