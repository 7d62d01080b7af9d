"""Deputy on the node: identities in AWS, the chart's values, and the example, adapted to the double."""

import json

import yaml
from k8s import STATE, run

from rig.aws import ACCOUNT, REGION, Aws, Credentials
from rig.deputy import adapted_to_double
from rig.tools import ROOT

NAMESPACE = "deputy"
CLUSTER = "e2e"
BUCKET = "productionapp"
COMPONENTS = ["controller", "limits", "webhook", "broker"]
_EXAMPLE = ROOT / "examples" / "productionapp"


def identities(aws: Aws, account: dict) -> dict[str, Credentials]:
    """A user for each process that calls AWS, with what `deputy bootstrap aws` prints, adapted to the double."""
    command = [STATE / "build" / "out" / "deputy", "bootstrap", "aws", "--cluster-name", CLUSTER, "-f", "-"]
    [printed] = json.loads(run(*command, stdin=yaml.safe_dump(account)))["accounts"]
    return {
        identity["process"].removeprefix("deputy "): aws.create_user(
            identity["name"], *adapted_to_double(identity["policy"])["Statement"]
        )
        for identity in printed["identities"]
    }


def secrets(credentials: dict[str, Credentials]) -> list[dict]:
    """The identities' keys, one Secret for each process."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"aws-{name}", "namespace": NAMESPACE},
            "stringData": keys.environment(),
        }
        for name, keys in credentials.items()
    ]


def roots(namespace: str, pem: str) -> dict:
    """The authority of the double's certificate."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "aws-roots", "namespace": namespace},
        "data": {"ca.crt": pem},
    }


def values(credentials: dict[str, Credentials]) -> str:
    """The chart's values, as YAML."""
    image = {"tag": "1", "pullPolicy": "Never"}
    chosen: dict = {
        "clusterName": CLUSTER,
        "image": {"repository": "localhost/e2e/deputy", **image},
        "agent": {"image": {"repository": "localhost/e2e/agent", "tag": "1"}},
        "people": {"enabled": True},
    }
    for name in COMPONENTS:
        chosen[name] = {}
    for name, keys in credentials.items():
        chosen[name] = {
            "extraEnv": [
                {"name": "SSL_CERT_FILE", "value": "/aws-roots/ca.crt"},
                *(
                    {"name": key, "valueFrom": {"secretKeyRef": {"name": f"aws-{name}", "key": key}}}
                    for key in keys.environment()
                ),
            ],
            "extraVolumes": [{"name": "aws-roots", "configMap": {"name": "aws-roots"}}],
            "extraVolumeMounts": [{"name": "aws-roots", "mountPath": "/aws-roots", "readOnly": True}],
        }
    return yaml.safe_dump(chosen)


def example(control: str, data: str, script: str) -> dict[str, dict]:
    """examples/productionapp by kind, adapted: the account is the double, the application is ours."""
    documents = [d for f in sorted(_EXAMPLE.glob("*.yaml")) for d in yaml.safe_load_all(f.read_text())]
    kinds = {d["kind"]: d for d in documents}
    kinds["AWSAccount"]["spec"] |= {
        "region": REGION,
        # A user: the double takes a role session's own ARN for aws:PrincipalArn.
        "issuer": {"principalARN": f"arn:aws:iam::{ACCOUNT}:user/deputy-broker"},
        "endpoints": {"iam": control, "sts": control},
    }
    kinds["DelegationLimit"]["spec"]["people"] = {"users": ["*@example.com"]}
    kinds["ConfigMap"]["data"] = {"uploader.py": script}
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    pod["volumes"].append({"name": "aws-roots", "configMap": {"name": "aws-roots"}})
    pod["terminationGracePeriodSeconds"] = 1
    container = pod["containers"][0]
    container["image"] = "localhost/e2e/python:1"
    container["resources"] = {}
    container["volumeMounts"].append({"name": "aws-roots", "mountPath": "/aws-roots"})
    # Where S3 is, and whom to trust there. Nothing about credentials.
    container["env"] = [
        {"name": "AWS_ENDPOINT_URL_S3", "value": data},
        {"name": "AWS_CA_BUNDLE", "value": "/aws-roots/ca.crt"},
    ]
    return kinds

