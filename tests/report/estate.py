"""An estate of any size: namespaces with roles, bindings, subjects of each kind, and some of each fault."""

import json

PLATFORM = {
    "apiVersion": "deputy.dev/v1alpha1",
    "kind": "AWSAccount",
    "metadata": {"name": "production"},
    "spec": {
        "accountID": "123456789012",
        "partition": "aws",
        "region": "eu-central-1",
        "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"},
    },
}


TABLES = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}


def limit(team: int) -> dict:
    bucket = f"arn:aws:s3:::team-{team}"
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "DelegationLimit",
        "metadata": {"name": f"team-{team}"},
        "spec": {
            "namespaces": [f"team-{team}-*"],
            "accounts": ["production"],
            "ceiling": policy(
                {"Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": f"{bucket}*/*"},
                {"Action": "s3:ListBucket", "Resource": f"{bucket}*"},
                {"Action": ["sqs:SendMessage", "sqs:ReceiveMessage"], "Resource": f"arn:aws:sqs:*:123456789012:team-{team}-*"},
                {"Action": TABLES, "Resource": f"arn:aws:dynamodb:*:123456789012:table/team-{team}-*"},
            ),
        },
    }


def role(namespace: str, team: int, number: int) -> list[dict]:
    name = f"application-{number}"
    bucket = f"arn:aws:s3:::team-{team}-{number}"
    statements = [
        {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{bucket}/*"},
        {"Action": "s3:ListBucket", "Resource": bucket},
    ]
    if number % 5 == 0:
        statements.append({"Action": TABLES, "Resource": f"arn:aws:dynamodb:*:123456789012:table/team-{team}-{number}"})
    if number % 17 == 0:
        # Beyond the limit.
        statements.append({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::somebody-elses/*"})
    meta = {"name": name, "namespace": namespace}
    made = [
        {
            "apiVersion": "deputy.dev/v1alpha1",
            "kind": "AWSRole",
            "metadata": meta,
            "spec": {"accountRef": {"name": "production"}, "policies": [{"name": "data", "document": policy(*statements)}]},
        }
    ]
    if number % 11:
        made.append(
            {
                "apiVersion": "deputy.dev/v1alpha1",
                "kind": "AWSRoleBinding",
                "metadata": meta,
                "spec": {
                    "roleRef": {"kind": "AWSRole", "name": name if number % 13 else f"{name}-gone"},
                    "subjects": [{"kind": "ServiceAccount", "name": name}, {"kind": "ServiceAccount", "name": f"{name}-worker"}],
                },
            }
        )
    return made


def estate(roles: int, teams: int = 20, namespaces: int = 5) -> str:
    """So many roles, as JSON documents."""
    objects = [PLATFORM, *(limit(team) for team in range(teams))]
    for number in range(roles):
        team = number % teams
        space = number // teams % namespaces
        objects.extend(role(f"team-{team}-{space}", team, number))
    return "\n---\n".join(json.dumps(one) for one in objects)
