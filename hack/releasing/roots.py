"""The certificate authorities by which AWS's endpoints are verified, in the image of the operator: Mozilla's, as the package certifi has them."""

from importlib import metadata
from pathlib import Path

import certifi

from releasing.common import fail, sha256
from releasing.components import Crate

FILE = Path(certifi.where())
PLACE = "etc/ssl/certs/ca-certificates.crt"
"""Where programs look for them, as in the Dockerfile."""


def part() -> Crate:
    """The file, as bills of materials, licences and provenance name it."""
    package = metadata.distribution("certifi")
    folder = next((file.locate().parent for file in package.files or () if file.name == "LICENSE"), None)
    if folder is None:
        fail(f"certifi {package.version} has no file LICENSE, so its licence can not be shipped with its roots")
    version, licence = package.version, package.metadata["License-Expression"] or package.metadata["License"]
    purl = f"pkg:pypi/certifi@{version}#certifi/{FILE.name}"
    return Crate("certifi", version, licence, (), "https://github.com/certifi/python-certifi", sha256(FILE), purl, Path(str(folder)))
