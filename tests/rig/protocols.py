"""What a request to AWS says and how an error is said, in the protocols of the services that Deputy calls.

IAM, STS and SNS speak the query protocol, SQS JSON with the action in a header, and S3 has the action in method and path.
"""

import json
import re
import urllib.parse
from collections.abc import Mapping

_CODE = re.compile(rb"<Code>([^<]*)</Code>")
_TARGET = "X-Amz-Target"
_OF_BUCKET_POLICY = {"GET": "GetBucketPolicy", "PUT": "PutBucketPolicy", "DELETE": "DeleteBucketPolicy"}


def parameters(service: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """All parameters of a request, with its `Action` where that is known. What is no text is JSON."""
    url = urllib.parse.urlsplit(path)
    if service == "s3":
        return _of_s3(method, url, headers, body)
    if target := headers.get(_TARGET):
        try:
            said = json.loads(body or b"{}")
        except ValueError:
            said = {}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
        return {**texts, "Action": target.rpartition(".")[2]}
    return dict(urllib.parse.parse_qsl(url.query or body.decode("utf-8", "replace"), keep_blank_values=True))


def _of_s3(method: str, url: urllib.parse.SplitResult, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Buckets are in the path, as everywhere on this rig."""
    said = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    bucket, _, key = urllib.parse.unquote(url.path).lstrip("/").partition("/")
    said["Bucket"] = bucket
    if key:
        said["Key"] = key
    if owner := headers.get("x-amz-expected-bucket-owner"):
        said["ExpectedBucketOwner"] = owner
    if "policy" in said and not key and (action := _OF_BUCKET_POLICY.get(method)):
        said["Action"] = action
        if method == "PUT":
            said["Policy"] = body.decode("utf-8", "replace")
    return said


def error_code(answer: bytes) -> str:
    """The code of an answer that is an error; empty where it says none."""
    if found := _CODE.search(answer):
        return found.group(1).decode()
    try:
        said = json.loads(answer)
    except ValueError:
        return ""
    code = said.get("__type", "") if isinstance(said, dict) else ""
    return str(code).rpartition("#")[2]


def error(service: str, status: int, code: str, message: str) -> tuple[str, bytes]:
    """Content type and body of an error as the service says it."""
    if service == "sqs":
        return "application/x-amz-json-1.0", json.dumps({"__type": code, "message": message}).encode()
    kind = "Sender" if status < 500 else "Receiver"
    message = message.replace("&", "&amp;").replace("<", "&lt;")
    if service == "s3":
        return "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    text = (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
    return "text/xml", text.encode()
