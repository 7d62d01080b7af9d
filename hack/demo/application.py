"""What runs in a container: boto3 as it is, with nothing but the environment that the container has.

Reads calls from standard input (`[{"service", "method", "parameters"}]`) and writes one line of JSON for each: what AWS
answered, `{"code": null}` or the code of the error, and for GetCallerIdentity the ARN.
"""

import json
import sys

import boto3
import botocore.exceptions

clients: dict = {}
for call in json.load(sys.stdin):
    service = call["service"]
    try:
        client = clients.setdefault(service, None) or boto3.client(service)
        clients[service] = client
        answer = getattr(client, call["method"])(**call["parameters"])
        print(json.dumps({"code": None, "arn": answer.get("Arn")}))
    except botocore.exceptions.ClientError as error:
        print(json.dumps({"code": error.response["Error"]["Code"]}))
