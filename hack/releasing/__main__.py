"""hack/release: makes everything into a folder, says what would be pushed, and with --push pushes it."""

import argparse
import re
import shutil
from pathlib import Path

from releasing import archives, charts, compile, components, handover, images, licences, provenance, publish, roots, sbom, version
from releasing.common import PROGRAMS, fail

_REGISTRY = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="hack/release", description=__doc__)
    parser.add_argument("--out", type=Path, help="the folder, which is made anew (release-files in cargo's target folder)")
    parser.add_argument("--registry", default="registry.example.com/deputy", help="where images and charts go")
    parser.add_argument("--tag", help="v and the version in Cargo.toml, on the main branch; needed to push")
    parser.add_argument("--binaries", type=Path, help="DIR/linux-{amd64,arm64}/{deputy,deputy-agent} instead of compiling")
    parser.add_argument("--push", action="store_true", help="push and sign; without, nothing leaves this machine")
    return parser.parse_args()


def main() -> None:
    """Makes a release."""
    asked = arguments()
    if asked.push and asked.tag is None:
        fail("--push needs --tag")
    if asked.tag is not None and asked.binaries:
        fail("--tag takes no --binaries: what is published is compiled from the tag by the same run")
    if not _REGISTRY.fullmatch(asked.registry):
        fail(f"--registry {asked.registry} is no HOST/PATH in small letters, without a scheme and without a tag")
    out = (asked.out or compile.target_folder() / "release-files").resolve()
    if out.exists() and any(out.iterdir()) and not (out / handover.NAME).is_file():
        fail(f"{out} has files and is no earlier release: name a folder that may be replaced")
    what = version.read(asked.tag)
    where = provenance.origin()
    folder = asked.binaries or compile.compiled(what, compile.target_folder() / "release-build")
    binaries, toolchain = compile.taken(folder), compile.toolchain(folder)
    shutil.rmtree(out, ignore_errors=True)
    # Whatever is downloaded is here, in one folder as on the page of a release: the checksums are right in both.
    files = out / "files"
    files.mkdir(parents=True)

    alone, texts, boms = {}, {}, []
    for program in PROGRAMS:
        parts = components.parts(program, toolchain["linked"])
        alone[program] = licences.text(parts)
        if program == "deputy":
            parts = parts.beside(roots.part())
        texts[program] = licences.text(parts)
        spdx, cyclonedx = (files / f"{program}.{kind}.json" for kind in ("spdx", "cdx"))
        sbom.spdx(parts, what, where.source, spdx)
        sbom.cyclonedx(parts, what, cyclonedx)
        boms += [spdx, cyclonedx]
    made = {name: images.assembled(name, what, binaries, texts[name], where.source, out / "images") for name in PROGRAMS}
    packages = charts.packaged(what, asked.registry, made, files)
    subjects = [*archives.archives(what, binaries, alone["deputy"], files), *packages, *boms]
    statement = provenance.statement(what, where, asked.registry, toolchain["compilers"], list(made.values()), subjects)
    provenance.write(statement, files / "provenance.intoto.json", out / "provenance.predicate.json")
    archives.notes(what, asked.registry, list(made.values()), out)
    archives.checksums(files)

    digests = {name: image.digest for name, image in made.items()}
    ready = handover.Handover(what.number, what.commit, what.epoch, asked.registry, digests, {})
    plan = publish.plan(ready, out)
    (out / "PLAN").write_text(plan)
    handover.write(ready, out)
    if asked.push:
        publish.publish(handover.read(out), out)
    else:
        print(f"{what.number} is in {out}. It was pushed nowhere; to {asked.registry} would go:\n\n{plan}", end="")


if __name__ == "__main__":
    main()
