"""Makes releases by hack/release, and reads what is in them."""

import hashlib
import json
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from releasing import licences
from rig.tools import ROOT

REGISTRY = "registry.example.com/deputy"
PROGRAMS = ("deputy", "deputy-agent")
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


@dataclass
class Release:
    """A folder that hack/release has made, and what it said."""

    folder: Path
    said: str

    def json(self, path: str) -> dict:
        """A file of it."""
        return json.loads((self.folder / path).read_text())

    def blob(self, image: str, digest: str) -> bytes:
        """A blob of an image, whose digest is looked at."""
        content = (self.folder / "images" / image / "blobs" / digest.replace(":", "/")).read_bytes()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
        return content

    def digest(self, image: str) -> str:
        """Of an image's index, which is all that its layout offers."""
        (entry,) = self.json(f"images/{image}/index.json")["manifests"]
        assert entry["annotations"]["org.opencontainers.image.ref.name"] == VERSION
        return entry["digest"]

    def manifests(self, image: str) -> dict[str, dict]:
        """The manifest of an image for each platform."""
        index = json.loads(self.blob(image, self.digest(image)))
        platforms = {f"{m['platform']['os']}/{m['platform']['architecture']}": m["digest"] for m in index["manifests"]}
        return {platform: json.loads(self.blob(image, digest)) for platform, digest in platforms.items()}


def hack_release(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Runs the script."""
    command = [ROOT / "hack/release", "--registry", REGISTRY, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)


def made(folder: Path, binaries: Path) -> Release:
    """A dry run. It takes licences from the toolchain, which a machine that makes no release may lack."""
    missing = licences.missing()
    if missing:
        pytest.skip(f"SKIPPED: no release can be made here, {missing}")
    done = hack_release("--binaries", binaries, "--out", folder)
    assert done.returncode == 0, done.stderr
    return Release(folder, done.stdout)
