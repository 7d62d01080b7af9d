"""People who ask the API server for credentials, by the API that the broker serves."""

from dataclasses import dataclass
from pathlib import Path

from .apiclient import ApiClient
from .aws import Credentials
from .deputy import Deputy

GROUP = "credentials.deputy.dev"
API = f"/apis/{GROUP}/v1alpha1"
ROLE = "deputy-credentials"
"""The ClusterRole of the chart that lets people ask."""


def path(namespace: str, binding: str) -> str:
    """Where the credentials of an AWSRoleBinding are asked for."""
    return f"{API}/namespaces/{namespace}/awsrolebindings/{binding}/credentials"


def request(**spec: object) -> dict:
    """What is asked."""
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "CredentialRequest", **({"spec": spec} if spec else {})}


def session(answer: dict) -> Credentials:
    """The session in an answer."""
    status = answer["status"]
    return Credentials(status["accessKeyID"], status["secretAccessKey"], status["sessionToken"])


@dataclass(frozen=True)
class Person:
    """Somebody whom the API server knows, by name and groups."""

    deputy: Deputy
    name: str
    client: ApiClient
    kubeconfig: Path

    @staticmethod
    def of(deputy: Deputy, name: str, *groups: str) -> "Person":
        """Makes the client certificate."""
        return Person(deputy, name, *deputy.cluster.person(name, *groups))

    def ask(self, namespace: str, binding: str, body: object = None) -> dict:
        """The whole answer; a refusal is an ApiError."""
        got = self.client.create(path(namespace, binding), request() if body is None else body)
        self.deputy.secrets |= {got["status"]["secretAccessKey"], got["status"]["sessionToken"]}
        return got

    def may_ask(self, namespace: str) -> None:
        """The RoleBinding that lets this person ask in a namespace."""
        bind(self.deputy, namespace, ROLE, "User", self.name)


def bind(deputy: Deputy, namespace: str, cluster_role: str, kind: str, name: str) -> None:
    """A RoleBinding of a ClusterRole in a namespace to a user or a group."""
    group = "rbac.authorization.k8s.io"
    meta = {"name": f"{cluster_role}-{name.partition('@')[0]}", "namespace": namespace}
    role = {"apiGroup": group, "kind": "ClusterRole", "name": cluster_role}
    deputy.cluster.admin.create(
        f"/apis/{group}/v1/namespaces/{namespace}/rolebindings",
        {"metadata": meta, "roleRef": role, "subjects": [{"apiGroup": group, "kind": kind, "name": name}]},
    )
