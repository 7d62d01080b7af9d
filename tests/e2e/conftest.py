"""AWS as the pods of the node see it: over TLS, under the name of a Service."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from aws_over_tls import TlsFront
from k8s import NODE, apply

from rig import pki
from rig.aws import Aws

NODE_ADDRESS = "10.10.0.1"
HOST = "aws.aws-double.svc"


@dataclass
class Double:
    """The AWS double and the two ways to it."""

    aws: Aws
    control: str
    """URL of IAM and STS, recorded."""
    data: str
    """URL of S3."""
    roots: str
    """PEM of the authority that both have their certificate from."""


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory):
    """ministack on the node. Runs in its network, as this whole process does."""
    if not (NODE / "pid").exists():
        pytest.skip("no node: tests/e2e/run brings one up")
    folder: Path = tmp_path_factory.mktemp("aws")
    pki.make_ca(folder, "roots")
    pki.issue(
        folder, "aws", "roots", "/CN=aws", {"subjectAltName": f"DNS:{HOST}", "extendedKeyUsage": "serverAuth"}
    )
    with Aws(folder) as aws:
        ports = {"control": 4566, "data": 4567}
        upstream = {name: int(url.rpartition(":")[2]) for name, url in _urls(aws).items()}
        for name, port in ports.items():
            TlsFront((NODE_ADDRESS, port), upstream[name], folder / "aws.crt", folder / "aws.key")
        _publish(ports)
        yield Double(
            aws,
            f"https://{HOST}:{ports['control']}",
            f"https://{HOST}:{ports['data']}",
            (folder / "roots.crt").read_text(),
        )


def _urls(aws: Aws) -> dict[str, str]:
    return {"control": aws.url, "data": aws.direct_url}


def _publish(ports: dict[str, int]) -> None:
    namespace, name = HOST.split(".")[1], HOST.split(".")[0]
    apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": [{"name": n, "port": p} for n, p in ports.items()]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": n, "port": p} for n, p in ports.items()],
            "endpoints": [{"addresses": [NODE_ADDRESS]}],
        },
    )
