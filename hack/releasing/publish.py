"""Pushes a release that is made, or says what it would push. Signatures are keyless: cosign takes the identity of the CI run."""

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from releasing.common import fail, run, tool
from releasing.images import Image
from releasing.version import Version


@dataclass(frozen=True)
class Made:
    """A release in its folder."""

    out: Path
    registry: str
    images: list[Image]
    charts: list[Path]
    predicate: Path
    checksums: Path


def commands(made: Made, version: Version) -> list[list[str]]:
    """In order: what is pushed has its signature and attestations before a chart names it."""
    regctl, helm = str(tool("regctl")), str(tool("helm"))
    steps = []
    for image in made.images:
        there = f"{made.registry}/{image.name}"
        pinned = f"{there}@{image.digest}"
        steps += [
            [regctl, "image", "copy", f"ocidir://{image.layout}:{version.number}", f"{there}:{version.number}"],
            ["cosign", "sign", "--yes", "--recursive", pinned],
            ["cosign", "attest", "--yes", "--type", "slsaprovenance1", "--predicate", str(made.predicate), pinned],
        ]
        for kind, ending in (("spdxjson", "spdx"), ("cyclonedx", "cdx")):
            sbom = made.out / "sbom" / f"{image.name}.{ending}.json"
            steps.append(["cosign", "attest", "--yes", "--type", kind, "--predicate", str(sbom), pinned])
    steps += [[helm, "push", str(chart), f"oci://{made.registry}/charts"] for chart in made.charts]
    bundle = made.checksums.with_name(made.checksums.name + ".sigstore.json")
    steps.append(["cosign", "sign-blob", "--yes", "--bundle", str(bundle), str(made.checksums)])
    return steps


def plan(made: Made, version: Version) -> str:
    """The commands as a person would type them in the folder of the release."""
    lines = []
    for command in commands(made, version):
        program, *words = (word.replace(f"{made.out}/", "") for word in command)
        lines.append(shlex.join([program.rsplit("/", 1)[-1], *words]))
        if command[1] == "push":
            chart = f"{made.registry}/charts/{Path(command[2]).name.removesuffix('.tgz').rsplit('-' + version.number, 1)[0]}"
            lines.append(f"cosign sign --yes {chart}@<the digest that helm push prints>")
    return "\n".join(lines) + "\n"


def publish(made: Made, version: Version) -> None:
    """Runs the plan, and ends at the first step that fails: run again, it pushes the same bytes to the same places."""
    if not shutil.which("cosign"):
        fail("cosign is needed to publish: every image, chart and checksum is signed")
    for command in commands(made, version):
        print("+", shlex.join(command), file=sys.stderr, flush=True)
        # helm says on standard error what it pushed.
        said = run(*command, all_output=True)
        if command[1] == "push":
            digest, place = re.search(r"sha256:[0-9a-f]{64}", said), re.search(r"^Pushed: (\S+):[^:\s]+$", said, re.MULTILINE)
            if not digest or not place:
                fail(f"helm push says no digest, so the chart can't be signed:\n{said}")
            run("cosign", "sign", "--yes", f"{place[1]}@{digest[0]}")
