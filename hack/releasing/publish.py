"""hack/publish: pushes and signs what hack/release has made, or says what it would push. Signatures are keyless: cosign takes the identity
of the CI run. Nothing but Python's own library is imported here: the rights to push and to sign are no other package's."""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from releasing import handover, tag
from releasing.common import fail, run, sha256, tool
from releasing.handover import Handover


def _charts(made: Handover) -> list[tuple[str, str]]:
    """Each chart's repository and package."""
    return [(f"{made.registry}/charts/{name}", f"files/{name}-{made.version}.tgz") for name in made.images]


def commands(made: Handover, out: Path) -> list[list[str]]:
    """In order: what is pushed has its signature and attestations before a chart names it."""
    regctl, helm, files = str(tool("regctl")), str(tool("helm")), out / "files"
    steps = []
    for image, digest in made.images.items():
        there = f"{made.registry}/{image}"
        pinned = f"{there}@{digest}"
        steps += [
            [regctl, "image", "copy", f"ocidir://{out}/images/{image}@{digest}", f"{there}:{made.version}"],
            ["cosign", "sign", "--yes", "--recursive", pinned],
            ["cosign", "attest", "--yes", "--type", "slsaprovenance1", "--predicate", str(out / "provenance.predicate.json"), pinned],
        ]
        for kind, ending in (("spdxjson", "spdx"), ("cyclonedx", "cdx")):
            sbom = files / f"{image}.{ending}.json"
            steps.append(["cosign", "attest", "--yes", "--type", kind, "--predicate", str(sbom), pinned])
    steps += [[helm, "push", str(out / package), f"oci://{made.registry}/charts"] for _, package in _charts(made)]
    sums = files / "SHA256SUMS"
    steps.append(["cosign", "sign-blob", "--yes", "--bundle", f"{sums}.sigstore.json", str(sums)])
    return steps


def plan(made: Handover, out: Path) -> str:
    """The commands as a person would type them in the folder of the release."""
    charts = iter(_charts(made))
    lines = []
    for command in commands(made, out):
        program, *words = (word.replace(f"{out}/", "") for word in command)
        lines.append(shlex.join([program.rsplit("/", 1)[-1], *words]))
        if command[1] == "push":
            lines.append(f"cosign sign --yes {next(charts)[0]}@<the digest that helm push prints>")
    return "\n".join(lines) + "\n"


def _there(reference: str) -> tuple[str, dict] | None:
    """The digest and the manifest that the registry has under a tag, or None where it says that there is none. Any other answer ends the run."""
    asked = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 120}
    digest = subprocess.run([tool("regctl"), "manifest", "head", reference], **asked)
    if digest.returncode:
        if re.search(r"\b404\b|not found", digest.stderr):
            return None
        fail(f"whether {reference} was published already, the registry does not say, so nothing is pushed: {digest.stderr.strip()}")
    found = digest.stdout.strip()
    manifest = run(tool("regctl"), "manifest", "get", "--format", "raw-body", f"{reference.rsplit(':', 1)[0]}@{found}")
    return found, json.loads(manifest)


def _not_another(made: Handover, out: Path) -> None:
    """A version is published once: who has it keeps what it was, whatever a later run makes."""
    for image, digest in made.images.items():
        there = _there(f"{made.registry}/{image}:{made.version}")
        if there and there[0] != digest:
            fail(f"{made.registry}/{image}:{made.version} is published, as {there[0]}; this release would make it {digest}: take another version")
    for repository, package in _charts(made):
        there = _there(f"{repository}:{made.version}")
        digest = f"sha256:{sha256(out / package)}"
        if there and digest not in [layer.get("digest") for layer in there[1].get("layers", ())]:
            fail(f"{repository}:{made.version} is published, with another package than {digest}: take another version")


def publish(made: Handover, out: Path) -> None:
    """Runs the plan, and ends at the first step that fails: run again, it pushes the same bytes to the same places."""
    if not shutil.which("cosign"):
        fail("cosign is needed to publish: every image, chart and checksum is signed")
    _not_another(made, out)
    for _, package in _charts(made):
        # helm push writes the time of the file into the manifest, and a folder that was handed on has another one.
        os.utime(out / package, (made.time, made.time))
    for command in commands(made, out):
        print("+", shlex.join(command), file=sys.stderr, flush=True)
        # helm says on standard error what it pushed.
        said = run(*command, all_output=True)
        if command[1] == "push":
            digest, place = re.search(r"sha256:[0-9a-f]{64}", said), re.search(r"^Pushed: (\S+):[^:\s]+$", said, re.MULTILINE)
            if not digest or not place:
                fail(f"helm push says no digest, so the chart can't be signed:\n{said}")
            run("cosign", "sign", "--yes", f"{place[1]}@{digest[0]}")
    print(f"published {made.version} to {made.registry}; the files of the release are in {out / 'files'}")


def main() -> None:
    """Publishes a folder."""
    parser = argparse.ArgumentParser(prog="hack/publish", description=__doc__)
    parser.add_argument("folder", type=Path, help="what hack/release has made")
    parser.add_argument("--tag", required=True, help="the tag that is published")
    parser.add_argument("--registry", required=True, help="where images and charts go, as hack/release was told")
    parser.add_argument("--digest", help=f"the SHA-256 of its {handover.NAME}, as the step before has said")
    asked = parser.parse_args()
    out = asked.folder.resolve()
    made = handover.read(out, asked.digest)
    if made.registry != asked.registry:
        fail(f"the release was made for {made.registry}, not for {asked.registry}: its charts would pull from there")
    commit = tag.checked(asked.tag, made.version)
    if made.commit != commit:
        fail(f"the release was made from {made.commit}, the tag {asked.tag} is {commit}")
    publish(made, out)


if __name__ == "__main__":
    main()
