"""The command line as an archive to download, checksums of all files, and the notes of the release."""

import gzip
import io
import tarfile
from pathlib import Path

from releasing.common import PLATFORMS, ROOT, sha256
from releasing.images import Image
from releasing.version import Version


def archives(version: Version, binaries: dict[tuple[str, str], Path], licences: str, out: Path) -> list[Path]:
    """`deputy` for each architecture, with its licences; the same each time."""
    made = []
    for architecture in PLATFORMS:
        files = {
            "LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644),
            "THIRD-PARTY.txt": (licences.encode(), 0o644),
            "deputy": (binaries["deputy", architecture].read_bytes(), 0o755),
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, (content, mode) in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(content), mode, version.epoch
                tar.addfile(entry, io.BytesIO(content))
        path = out / f"deputy-{version.number}-linux-{architecture}.tar.gz"
        path.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
        made.append(path)
    return made


def checksums(folder: Path) -> None:
    """`SHA256SUMS` of all files in the folder, as sha256sum reads it beside them."""
    files = sorted(folder.iterdir())
    (folder / "SHA256SUMS").write_text("".join(f"{sha256(f)}  {f.name}\n" for f in files))


def notes(version: Version, registry: str, images: list[Image], out: Path) -> None:
    """What is new, and by which digests it is pulled."""
    rows = "".join(f"| `{registry}/{i.name}:{version.number}` | `{i.digest}` |\n" for i in images)
    (out / "NOTES").write_text(
        f"{version.notes}\n\n### Images\n\n| image (linux/amd64, linux/arm64) | digest |\n|---|---|\n{rows}\n"
        "How to verify them: SECURITY.md, \"Verifying a release\".\n"
    )
