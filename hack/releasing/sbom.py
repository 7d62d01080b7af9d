"""Bills of materials: one list of packages, written by the libraries of both formats and validated by them."""

import json
import uuid
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing
from packageurl import PackageURL
from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    Checksum,
    ChecksumAlgorithm,
    CreationInfo,
    Document,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    Package,
    PackagePurpose,
    Relationship,
    RelationshipType,
    SpdxNoAssertion,
)
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from spdx_tools.spdx.writer.json.json_writer import write_document_to_file

from releasing.common import fail
from releasing.components import Crate, Parts
from releasing.version import Version

_CREATOR = "deputy-hack-release"
_BUILD_ONLY = "Runs while the program is built; none of its code is in the program."


def _namespace(parts: Parts, version: Version) -> uuid.UUID:
    """A name for the document that follows from what it is about."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{parts.root.name}@{version.number}+{version.commit}")


def cyclonedx(parts: Parts, version: Version, path: Path) -> None:
    """Writes CycloneDX 1.6."""
    licences = LicenseFactory()
    made = {}
    for crate in parts.everything:
        component = Component(
            type=ComponentType.APPLICATION if crate == parts.root else ComponentType.LIBRARY,
            name=crate.name,
            version=crate.version,
            bom_ref=f"{crate.name}@{crate.version}",
            scope=ComponentScope.EXCLUDED if crate in parts.building else ComponentScope.REQUIRED,
            purl=PackageURL.from_string(crate.purl) if crate.purl else None,
            licenses=[licences.make_with_expression(" ".join(crate.licence.split()))],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=crate.checksum)] if crate.checksum else [],
            external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(crate.repository))] if crate.repository else [],
        )
        made[crate] = component
    bom = Bom(serial_number=_namespace(parts, version), components=[c for crate, c in made.items() if crate != parts.root])
    bom.metadata.timestamp = version.time
    bom.metadata.component = made[parts.root]
    for crate in parts.everything:
        bom.register_dependency(made[crate], [made[below] for below in parts.needs[crate]])
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        fail(f"{path.name} is no CycloneDX 1.6: {wrong}")
    path.write_text(text + "\n")


def spdx(parts: Parts, version: Version, source: str, path: Path) -> None:
    """Writes SPDX 2.3."""

    def ident(crate: Crate) -> str:
        return "SPDXRef-" + "".join(c if c.isalnum() or c in ".-" else "-" for c in f"{crate.name}-{crate.version}")

    licensing = get_spdx_licensing()

    def package(crate: Crate) -> Package:
        licence = licensing.parse(crate.licence, validate=True)
        if crate.checksum and crate.purl and crate.purl.startswith("pkg:pypi/"):
            download = f"https://pypi.org/project/{crate.name}/{crate.version}/"
        elif crate.checksum:
            download = f"https://crates.io/crates/{crate.name}/{crate.version}"
        else:
            download = f"git+{crate.repository}" if crate.purl else f"git+{source}@{version.commit}"
        return Package(
            spdx_id=ident(crate),
            name=crate.name,
            version=crate.version,
            download_location=download,
            files_analyzed=False,
            license_concluded=SpdxNoAssertion(),
            license_declared=licence,
            copyright_text=SpdxNoAssertion(),
            checksums=[Checksum(ChecksumAlgorithm.SHA256, crate.checksum)] if crate.checksum else [],
            external_references=[ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", crate.purl)] if crate.purl else [],
            primary_package_purpose=PackagePurpose.APPLICATION if crate == parts.root else PackagePurpose.LIBRARY,
            comment=_BUILD_ONLY if crate in parts.building else None,
        )

    links = [Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, ident(parts.root))]
    for crate in parts.everything:
        for below in sorted(parts.needs[crate], key=lambda c: (c.name, c.version)):
            if below in parts.building:
                links.append(Relationship(ident(below), RelationshipType.BUILD_DEPENDENCY_OF, ident(crate)))
            else:
                links.append(Relationship(ident(crate), RelationshipType.DEPENDS_ON, ident(below)))
    document = Document(
        creation_info=CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id="SPDXRef-DOCUMENT",
            name=f"{parts.root.name}-{version.number}",
            document_namespace=f"{source}/spdx/{parts.root.name}-{_namespace(parts, version)}",
            creators=[Actor(ActorType.TOOL, f"{_CREATOR}-{version.number}")],
            created=version.time.replace(tzinfo=None),
        ),
        packages=[package(crate) for crate in parts.everything],
        relationships=links,
    )
    wrong = validate_full_spdx_document(document)
    if wrong:
        fail(f"{path.name} is no SPDX 2.3: {wrong[0].validation_message}")
    write_document_to_file(document, str(path), validate=False)
    # The library's order of keys is its own; this one stays when it changes.
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1, sort_keys=True) + "\n")
