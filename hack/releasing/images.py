"""Assembles the images: OCI layouts with an index of two architectures, by regctl. The same binaries make the same digests."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from releasing import roots
from releasing.common import PLATFORMS, ROOT, run, tool
from releasing.version import Version


@dataclass(frozen=True)
class Image:
    """One image in a layout of its own."""

    name: str
    layout: Path
    digest: str
    """Of the index."""
    platforms: dict[str, str]
    """The digest of the manifest for each architecture."""


def assembled(
    name: str, version: Version, binaries: dict[tuple[str, str], Path], licences: str, source: str, out: Path
) -> Image:
    """The image `name`, with the program of that name as its entrypoint, as the Dockerfile makes it."""
    layout = out / name
    regctl = tool("regctl")

    def ref(tag: str) -> str:
        return f"ocidir://{layout}:{tag}"

    labels = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": version.number,
        "org.opencontainers.image.revision": version.commit,
        "org.opencontainers.image.source": source,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    out.mkdir(parents=True, exist_ok=True)
    for architecture in PLATFORMS:
        files = {name: (binaries[name, architecture].read_bytes(), 0o755)}
        if name == "deputy":
            files[roots.PLACE] = (roots.FILE.read_bytes(), 0o644)
        files["licenses/LICENSE"] = ((ROOT / "LICENSE").read_bytes(), 0o644)
        files["licenses/THIRD-PARTY.txt"] = (licences.encode(), 0o644)
        layer = out / f"{name}-{architecture}.tar"
        layer.write_bytes(_tar(files, version.epoch))
        run(regctl, "image", "create", ref(architecture), "--platform", f"linux/{architecture}", "--created", version.rfc3339)
        run(
            *(regctl, "image", "mod", ref(architecture), "--replace", "--layer-add", f"tar={layer}"),
            *("--user", "65532:65532", "--config-entrypoint", json.dumps([f"/{name}"])),
            *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
            # Of the configuration alone: the layer has its times, and regctl 0.11 makes it an empty one where it is to change them as well.
            *("--config-time", f"set={version.rfc3339}"),
        )
        layer.unlink()
    run(
        *(regctl, "index", "create", ref(version.number)),
        *(word for architecture in PLATFORMS for word in ("--ref", ref(architecture))),
        *(word for key, value in labels.items() for word in ("--annotation", f"{key}={value}")),
    )
    platforms = {a: run(regctl, "image", "digest", ref(a)).strip() for a in PLATFORMS}
    for architecture in PLATFORMS:
        # The index still has them: a tag of one architecture is not published.
        run(regctl, "tag", "delete", ref(architecture))
    return Image(name, layout, run(regctl, "image", "digest", ref(version.number)).strip(), platforms)


def _tar(files: dict[str, tuple[bytes, int]], epoch: int) -> bytes:
    """An archive that is the same from the same files: in order, root's, of one time, with the folders above."""
    folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folders | set(files)):
            entry = tarfile.TarInfo(path)
            entry.mtime = epoch
            content, entry.mode = files.get(path, (b"", 0o755))
            entry.size = len(content)
            if path in folders:
                entry.type = tarfile.DIRTYPE
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
