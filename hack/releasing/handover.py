"""What the step that makes a release hands to the step that publishes it: `release.json`, with the digest of every file.

Making runs the code of many others (build scripts, Python packages), publishing holds the rights to push and to sign. So publishing, which
imports nothing of theirs, takes the folder as somebody's input, and looks at every byte before it uses one."""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from releasing.common import PROGRAMS, fail, sha256

NAME = "release.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True)
class Handover:
    """A release that can be published."""

    version: str
    commit: str
    time: int
    """When the commit was made, in seconds since 1970."""
    registry: str
    images: dict[str, str]
    """The digest of each image's index."""
    files: dict[str, str]
    """The SHA-256 of every other file, by its path in the folder."""


def _files(out: Path) -> list[Path]:
    """Everything but what the last step says of it, and the images, whose digests have their files."""
    found = [path for path in out.rglob("*") if not path.is_dir() and path != out / NAME and (out / "images") not in path.parents]
    return sorted(found)


def write(about: Handover, out: Path) -> None:
    """Writes it, with the digests of all files, after everything else."""
    made = replace(about, files={str(f.relative_to(out)): sha256(f) for f in _files(out)})
    (out / NAME).write_text(json.dumps(asdict(made), indent=1) + "\n")


def read(out: Path, digest: str | None = None) -> Handover:
    """Reads it, and ends where the folder is not what it says. `digest` is its own, where the step before has said it."""
    path = out / NAME
    if not path.is_file() or path.stat().st_size > 1 << 20:
        fail(f"{path} is missing or larger than 1 MiB: hack/release makes it")
    if digest is not None and sha256(path) != digest:
        fail(f"{path} has the digest {sha256(path)}, made was {digest}")
    try:
        made = Handover(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        fail(f"{path} is not what hack/release writes: {error}")
    if not _VERSION.fullmatch(made.version) or made.images.keys() != set(PROGRAMS):
        fail(f"{path} is about version {made.version} and the images {sorted(made.images)}, not about {', '.join(PROGRAMS)} of a version")
    there = {str(f.relative_to(out)): f for f in _files(out)}
    if there.keys() != made.files.keys():
        fail(f"{path} and the folder have different files: {', '.join(sorted(there.keys() ^ made.files.keys()))}")
    for name, file in there.items():
        if file.is_symlink() or sha256(file) != made.files[name]:
            fail(f"{file} is not what {path} says")
    for image, index in made.images.items():
        _image(out / "images" / image, index)
    return made


def _image(layout: Path, digest: str) -> None:
    """Every blob below the index is there and is what its digest says."""
    if not _DIGEST.fullmatch(digest):
        fail(f"{layout} is to have the digest {digest}, which is none")
    blob = layout / "blobs/sha256" / digest.removeprefix("sha256:")
    if not blob.is_file() or blob.is_symlink() or f"sha256:{sha256(blob)}" != digest:
        fail(f"{blob} is missing or another one")
    # Of what an index or a manifest names, only these have something below them.
    if blob.stat().st_size <= 1 << 20 and (text := blob.read_bytes()).startswith(b"{"):
        about = json.loads(text)
        for below in [*about.get("manifests", ()), *about.get("layers", ()), *filter(None, [about.get("config")])]:
            if "digest" in below:
                _image(layout, below["digest"])
