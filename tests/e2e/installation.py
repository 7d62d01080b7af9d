"""Deputy on the node: identities in AWS, the chart's values, and the example, adapted to the double."""

import json

import yaml

from rig.aws import ACCOUNT, REGION, Aws, Credentials
from rig.tools import ROOT

NAMESPACE = "deputy"
CLUSTER = "e2e"
BUCKET = "productionapp"
COMPONENTS = ["controller", "limits", "webhook", "broker"]
_EXAMPLE = ROOT / "examples" / "productionapp"


def identities(aws: Aws) -> dict[str, Credentials]:
    """A user for each process that calls AWS, with what it may do there.

    The double ignores paths in ARNs and judges CreatePolicy against `*`, so names stand for what paths say on AWS.
    """
    role = f"arn:aws:iam::{ACCOUNT}:role/deputy.*"
    role_by_path = f"arn:aws:iam::{ACCOUNT}:role/deputy/{CLUSTER}/*"
    return {
        "controller": aws.create_user(
            "deputy-controller",
            {
                "Effect": "Allow",
                "Action": [
                    *("iam:CreateRole", "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy"),
                    *("iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary"),
                    *("iam:TagRole", "iam:UntagRole", "iam:DetachRolePolicy"),
                ],
                "Resource": [role, role_by_path],
            },
            {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": ["iam:CreatePolicy*", "iam:DeletePolicy*", "iam:DeleteRolePermissionsBoundary"],
                "Resource": "*",
            },
        ),
        "limits": aws.create_user(
            "deputy-limits",
            {
                "Effect": "Allow",
                "Action": ["iam:*Policy", "iam:*PolicyVersion", "iam:ListPolic*", "iam:ListEntitiesForPolicy"],
                "Resource": "*",
            },
            {"Effect": "Deny", "Action": ["iam:*RolePolicy", "iam:*UserPolicy"], "Resource": "*"},
        ),
        "broker": aws.create_user(
            "deputy-broker",
            {
                "Effect": "Allow",
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Resource": [role, role_by_path],
            },
        ),
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


def statement(document: str | dict) -> list[dict]:
    """A policy's statements."""
    return (json.loads(document) if isinstance(document, str) else document)["Statement"]
