"""Where a release comes from: an in-toto statement with a SLSA v1 predicate, about every file and image of it."""

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from releasing import roots
from releasing.common import ROOT, sha256
from releasing.images import Image
from releasing.version import Version


@dataclass(frozen=True)
class Origin:
    """What only whoever runs the script knows."""

    source: str
    """The repository, as a URL."""
    builder: str
    """Who builds: the workflow, as a URL, or the page that describes a build by hand."""
    invocation: str | None
    """This very run."""


def origin() -> Origin:
    """From the environment, which a CI system sets; of a dry run by hand it says what it is."""
    source = os.environ.get("RELEASE_SOURCE", "https://example.com/deputy")
    builder = os.environ.get("RELEASE_BUILDER", f"{source}/docs/releasing.md#by-hand")
    return Origin(source, builder, os.environ.get("RELEASE_INVOCATION"))


def statement(
    version: Version, origin: Origin, registry: str, compilers: dict[str, str], images: list[Image], files: list[Path]
) -> dict:
    """The statement. `files` are subjects by their names, images by their repositories."""
    subjects = [{"name": file.name, "digest": {"sha256": sha256(file)}} for file in files]
    for image in images:
        for digest in (image.digest, *image.platforms.values()):
            subjects.append({"name": f"{registry}/{image.name}", "digest": {"sha256": digest.removeprefix("sha256:")}})
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    authorities = roots.part()
    run = {"builder": {"id": origin.builder}}
    if origin.invocation:
        run["metadata"] = {"invocationId": origin.invocation}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": sorted(subjects, key=lambda s: (s["name"], s["digest"]["sha256"])),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{origin.source}/docs/releasing.md",
                "externalParameters": {"source": origin.source, "tag": f"v{version.number}", "registry": registry},
                "internalParameters": {"rust": toolchain, "compilers": compilers},
                "resolvedDependencies": [
                    {"uri": f"git+{origin.source}@refs/tags/v{version.number}", "digest": {"gitCommit": version.commit}},
                    {"uri": "Cargo.lock", "digest": {"sha256": sha256(ROOT / "Cargo.lock")}},
                    {"uri": authorities.purl, "digest": {"sha256": authorities.checksum}},
                ],
            },
            "runDetails": run,
        },
    }


def write(made: dict, whole: Path, predicate: Path) -> None:
    """The statement, and its predicate alone, as cosign takes it to attest images."""
    whole.write_text(json.dumps(made, indent=1) + "\n")
    predicate.write_text(json.dumps(made["predicate"], indent=1) + "\n")
