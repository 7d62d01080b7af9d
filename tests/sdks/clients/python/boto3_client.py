"""boto3, with everything as it is by default."""

import os

import boto3
from lines import serve


def make():
    return boto3.session.Session().client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL"])


serve(make, lambda sts: sts.get_caller_identity()["Arn"])
