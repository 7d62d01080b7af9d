"""hack/release: makes everything into a folder, says what would be pushed, and with --push pushes it."""

import argparse
import re
import shutil
from pathlib import Path

from releasing import archives, charts, compile, components, images, licences, provenance, publish, sbom, version
from releasing.common import PROGRAMS, fail

_REGISTRY = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="hack/release", description=__doc__)
    parser.add_argument("--out", type=Path, help="the folder, which is made anew (release-files in cargo's target folder)")
    parser.add_argument("--registry", default="registry.example.com/deputy", help="where images and charts go")
    parser.add_argument("--tag", help="v and the version in Cargo.toml; needed to push")
    parser.add_argument("--binaries", type=Path, help="DIR/linux-{amd64,arm64}/{deputy,deputy-agent} instead of compiling")
    parser.add_argument("--push", action="store_true", help="push and sign; without, nothing leaves this machine")
    return parser.parse_args()


def main() -> None:
    """Makes a release."""
    asked = arguments()
    if asked.push and asked.binaries:
        fail("--push takes no --binaries: what is published is compiled from the tag by the same run")
    if not _REGISTRY.fullmatch(asked.registry):
        fail(f"--registry {asked.registry} is no HOST/PATH in small letters, without a scheme and without a tag")
    out = (asked.out or compile.target_folder() / "release-files").resolve()
    if out.exists() and any(out.iterdir()) and not (out / "SHA256SUMS").is_file():
        fail(f"{out} has files and is no earlier release: name a folder that may be replaced")
    what = version.read(asked.tag, asked.push)
    where = provenance.origin()
    folder = asked.binaries or compile.compiled(what, compile.target_folder() / "release-build")
    binaries, linked = compile.taken(folder), compile.toolchain(folder)
    shutil.rmtree(out, ignore_errors=True)
    (out / "sbom").mkdir(parents=True)

    texts, boms = {}, []
    for program in PROGRAMS:
        parts = components.parts(program, linked)
        texts[program] = licences.text(parts)
        spdx, cyclonedx = (out / "sbom" / f"{program}.{kind}.json" for kind in ("spdx", "cdx"))
        sbom.spdx(parts, what, where.source, spdx)
        sbom.cyclonedx(parts, what, cyclonedx)
        boms += [spdx, cyclonedx]
    made = {name: images.assembled(name, what, binaries, texts[name], where.source, out / "images") for name in PROGRAMS}
    packages = charts.packaged(what, asked.registry, made, out / "charts")
    files = [*archives.archives(what, binaries, texts["deputy"], out), *packages, *boms]
    statement = provenance.statement(what, where, asked.registry, list(made.values()), files)
    whole, predicate = provenance.write(statement, out)
    notes = archives.notes(what, asked.registry, list(made.values()), out)
    sums = archives.checksums([*files, whole, notes], out)

    ready = publish.Made(out, asked.registry, list(made.values()), packages, predicate, sums)
    plan = publish.plan(ready, what)
    (out / "PLAN").write_text(plan)
    if asked.push:
        publish.publish(ready, what)
        print(f"published {what.number} to {asked.registry}; the files of the release are in {out}")
    else:
        print(f"{what.number} is in {out}. It was pushed nowhere; to {asked.registry} would go:\n\n{plan}", end="")


if __name__ == "__main__":
    main()
