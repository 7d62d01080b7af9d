"""pyarrow's file system on S3, which has the SDK for C++ in it."""

import os
from urllib.parse import urlsplit

from lines import serve
from pyarrow.fs import S3FileSystem


def make():
    return S3FileSystem(scheme="http", endpoint_override=urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc)


def call(files) -> str:
    with files.open_input_stream("bucket/identity") as stream:
        return stream.read().decode()


serve(make, call)
