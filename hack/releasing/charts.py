"""Packages the charts, with the images of this release in their values."""

import gzip
import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from releasing.common import ROOT, fail, run, tool
from releasing.images import Image
from releasing.version import CHARTS, Version

_KEY = re.compile(r"(?P<indent> *)(?P<off># )?(?P<key>[A-Za-z]+):(?P<value>[^#]*)$")
_IMAGE_FLAG = re.compile(r"--[a-z-]*image(=(?P<value>.*))?")


def packaged(version: Version, registry: str, images: dict[str, Image], out: Path) -> list[Path]:
    """Both charts as `helm package` makes them, and the same each time."""
    out.mkdir(parents=True, exist_ok=True)

    def image(name: str) -> dict[str, str]:
        return {"repository": f"{registry}/{name}", "digest": images[name].digest}

    values = {
        "deputy": {("image",): image("deputy"), ("agent", "image"): image("deputy-agent")},
        "deputy-agent": {("image",): image("deputy-agent")},
    }
    made = []
    for chart in CHARTS:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / chart
            shutil.copytree(ROOT / "charts" / chart, copy)
            file = copy / "values.yaml"
            text = file.read_text()
            for path, settings in values[chart].items():
                for key, value in settings.items():
                    text = _set(text, (*path, key), value)
            file.write_text(text)
            run(tool("helm"), "package", copy, "--version", version.number, "--app-version", version.number, "--destination", out)
        package = out / f"{chart}-{version.number}.tgz"
        _repack(package, version.epoch)
        _checked(package, values[chart])
        made.append(package)
    return made


def _set(text: str, path: tuple[str, ...], value: str) -> str:
    """The values with another one at `path`, which is there, perhaps commented out; comments stay."""
    lines = text.splitlines()
    above: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        read = _KEY.fullmatch(line)
        # Two words of a comment are no key.
        if not read or (read["off"] and read["key"] != path[-1]):
            continue
        indent = len(read["indent"])
        above = [entry for entry in above if entry[0] < indent]
        if (*(key for _, key in above), read["key"]) == path:
            lines[number] = f'{read["indent"]}{read["key"]}: "{value}"'
            return "\n".join(lines) + "\n"
        if not read["off"]:
            above.append((indent, read["key"]))
    return fail(f"values.yaml has no {'.'.join(path)}")


def _repack(package: Path, epoch: int) -> None:
    """Helm writes the time of packaging into the archive."""
    files = {}
    with tarfile.open(package) as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            files[entry.name] = content.read() if content else b""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        # Chart.yaml comes first, where Helm writes it: who reads it alone need not read on.
        for name in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(files[name]), 0o644, epoch
            tar.addfile(entry, io.BytesIO(files[name]))
    package.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
    # Helm takes the time of the file for that of the chart, in what it pushes.
    os.utime(package, (epoch, epoch))


def _checked(package: Path, values: dict[tuple[str, ...], dict[str, str]]) -> None:
    """Whether what Helm renders from the package pulls the images of this release and no other."""
    # The chart of the operator alone needs a value.
    cluster = ["--set", "clusterName=release"] if values.keys() > {("image",)} else []
    rendered = run(tool("helm"), "template", "deputy", package, "--namespace", "deputy", "--kube-version", "1.33.0", *cluster)
    wanted = {f"{image['repository']}@{image['digest']}" for image in values.values()}
    pulled = {reference for document in yaml.safe_load_all(rendered) for reference in _pulled(document)}
    if pulled != wanted:
        fail(f"{package.name} renders what pulls {', '.join(sorted(pulled)) or 'nothing'}; it has to pull {', '.join(sorted(wanted))}")


def _pulled(node: object) -> Iterator[str]:
    """Every image that a manifest names: of its containers and volumes, and those that it hands to a program to pull."""
    if isinstance(node, list):
        for below in node:
            yield from _pulled(below)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("image", "reference") and isinstance(value, str):
            yield value
        elif key in ("args", "command") and isinstance(value, list):
            # --agent-image=IMAGE, or the flag and then its value.
            for word, after in zip(value, [*value[1:], ""]):
                if flag := _IMAGE_FLAG.fullmatch(str(word)):
                    yield flag["value"] or str(after)
        elif key == "value" and str(node.get("name", "")).endswith("_IMAGE"):
            yield str(value)
        yield from _pulled(value)
