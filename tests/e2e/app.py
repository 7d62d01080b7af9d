"""The application: an unmodified boto3 that knows nothing of Deputy. One JSON line a round.

`kept` is a client made once, as applications have it; `fresh` is made anew each round, and so asks the agent each time.
"""

import json
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# The double serves buckets by path. No retries: what goes wrong is to be seen.
CONFIG = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})


def attempt(call, **arguments):
    try:
        call(Bucket="productionapp", Key="report", **arguments)
        return "ok"
    except ClientError as error:
        return error.response["Error"]["Code"]
    except BotoCoreError as error:
        return type(error).__name__


def use(s3):
    return {
        "put": attempt(s3.put_object, Body=b"42"),
        "get": attempt(s3.get_object),
        "delete": attempt(s3.delete_object),
    }


kept = boto3.client("s3", config=CONFIG)
n = 0
while True:
    n += 1
    session = boto3.Session()
    line = {"n": n, "kept": use(kept), "fresh": use(session.client("s3", config=CONFIG))}
    print(json.dumps(line), flush=True)
    time.sleep(0.5)
