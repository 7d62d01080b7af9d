"""What the API server's audit log says about who asked for what."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Metadata says user, verb, object, response code and the authorizer's decision; no bodies. ResponseStarted is kept
# because a watch has no ResponseComplete while it runs.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "users": ["system:apiserver"]}, {"level": "Metadata"}],
}


@dataclass(frozen=True)
class Request:
    """One audited request."""

    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    path: str
    allowed: bool
    """The authorizer's decision. A 403 of an admission plugin or webhook is `allowed`: RBAC had nothing against it."""
    time: str

    @property
    def what(self) -> str:
        """The resource as RBAC rules spell it, with its group: `apps/deployments`, `pods/status`, or the URL's path."""
        if not self.resource:
            return self.path
        return "/".join(part for part in (self.group, self.resource, self.subresource) if part)

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}".strip("/")
        return f"{self.user}: {self.verb} {self.what} {place} -> {self.code}"


def read(log: Path) -> Iterator[Request]:
    """All requests in the log, oldest first. A line still being written is left out."""
    if not log.exists():
        return
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            event = json.loads(line)
            ref = event.get("objectRef", {})
            yield Request(
                # Nobody, where the connection ended before it was known who asks.
                user=event["user"].get("username", ""),
                verb=event["verb"],
                group=ref.get("apiGroup", ""),
                resource=ref.get("resource", ""),
                subresource=ref.get("subresource", ""),
                namespace=ref.get("namespace", ""),
                name=ref.get("name", ""),
                code=event.get("responseStatus", {}).get("code", 0),
                path=event["requestURI"].partition("?")[0],
                allowed=event.get("annotations", {}).get("authorization.k8s.io/decision") != "forbid",
                time=event["stageTimestamp"],
            )
