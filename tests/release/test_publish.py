"""A release pushed to a registry on this machine, over TLS. Signing needs Sigstore: in the place of cosign a program stands that notes what it is asked."""

import gzip
import hashlib
import json
import os
import ssl
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from release.making import PROGRAMS, REGISTRY, VERSION, Release, made
from release.programs import AARCH64, elf, written
from releasing import handover
from rig.pki import issue, make_ca
from rig.ports import free_port
from rig.proc import Process
from rig.tools import ROOT, binary

# As hack/publish, which wants a tag besides, and the registry that the release was made for.
PUBLISH = """
import sys
from dataclasses import replace
from pathlib import Path
from releasing import handover, publish
out = Path(sys.argv[1])
publish.publish(replace(handover.read(out), registry=sys.argv[2]), out)
"""
COSIGN = """#!/bin/sh
[ -z "$COSIGN_FAILS" ] || { echo "no identity" >&2; exit 1; }
echo "$@" >> "$COSIGN_LOG"
"""
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Registry:
    """olareg, empty, in memory."""

    host: str
    authority: Path

    def manifest(self, repository: str, reference: str) -> dict:
        """What it has, with the digest that it says."""
        request = urllib.request.Request(
            f"https://{self.host}/v2/{repository}/manifests/{reference}", headers={"Accept": f"{INDEX}, {MANIFEST}"}
        )
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(self.authority)), timeout=10) as answer:
            return {"digest": answer.headers["Docker-Content-Digest"], **json.load(answer)}

    def answers(self) -> bool:
        """Whether it is there; raises where it is not."""
        context = ssl.create_default_context(cafile=str(self.authority))
        return urllib.request.urlopen(f"https://{self.host}/v2/", context=context, timeout=2).status == 200


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry that runs."""
    make_ca(tmp_path, "ca")
    issue(tmp_path, "registry", "ca", "/CN=registry", {"subjectAltName": "IP:127.0.0.1", "extendedKeyUsage": "serverAuth"})
    port = free_port()
    files = ["--tls-cert", tmp_path / "registry.crt", "--tls-key", tmp_path / "registry.key"]
    command = [binary("olareg"), "serve", "--store-type", "mem", "--addr", "127.0.0.1", "--port", str(port), *files]
    running = Registry(f"127.0.0.1:{port}", tmp_path / "ca.crt")
    with Process("olareg", command, tmp_path / "olareg.log") as process:
        process.wait_ready(running.answers)
        yield running


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """What is pushed."""
    folder = tmp_path_factory.mktemp("published")
    return made(folder / "out", written(folder / "binaries"))


def publish(release: Release, registry: Registry, folder: Path, **more: str) -> subprocess.CompletedProcess:
    """The last step of hack/release, with everything pushed below `deputy` of the registry."""
    cosign = folder / "bin/cosign"
    cosign.parent.mkdir(exist_ok=True)
    cosign.write_text(COSIGN)
    cosign.chmod(0o755)
    env = os.environ | {
        "PATH": f"{cosign.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "hack"),
        "SSL_CERT_FILE": str(registry.authority),
        "COSIGN_LOG": str(folder / "cosign.log"),
        # No login of whoever runs the test is read.
        "DOCKER_CONFIG": str(folder),
        "REGCTL_CONFIG": str(folder / "regctl.json"),
        "HELM_CONFIG_HOME": str(folder / "helm"),
        **more,
    }
    # -I, -S: without any package of others, which would have the rights of whoever pushes and signs.
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'hack')!r})\n{PUBLISH}"
    command = [sys.executable, "-I", "-S", "-B", "-c", script, release.folder, f"{registry.host}/deputy"]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)


def test_what_is_published_has_the_digests_that_are_signed(release: Release, registry: Registry, tmp_path: Path) -> None:
    done = publish(release, registry, tmp_path)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "cosign.log").read_text().splitlines()
    for image in PROGRAMS:
        there = registry.manifest(f"deputy/{image}", VERSION)
        assert there["digest"] == release.digest(image)
        for entry in there["manifests"]:
            manifest = registry.manifest(f"deputy/{image}", entry["digest"])
            assert manifest["layers"] and manifest["digest"] == entry["digest"]
        pinned = f"{registry.host}/deputy/{image}@{there['digest']}"
        assert f"sign --yes --recursive {pinned}" in asked
        assert len([line for line in asked if line.startswith("attest ") and line.endswith(pinned)]) == 3
        chart = registry.manifest(f"deputy/charts/{image}", VERSION)
        assert chart["layers"][0]["mediaType"] == "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
        assert f"sign --yes {registry.host}/deputy/charts/{image}@{chart['digest']}" in asked
    assert asked[-1].startswith("sign-blob ") and len(asked) == 2 * 4 + 2 + 1


def test_a_chart_is_not_pushed_when_its_images_can_not_be_signed(release: Release, registry: Registry, tmp_path: Path) -> None:
    done = publish(release, registry, tmp_path, COSIGN_FAILS="1")
    assert done.returncode == 1 and "no identity" in done.stderr
    with pytest.raises(urllib.error.HTTPError, match="404"):
        registry.manifest("deputy/charts/deputy", VERSION)


def copied(release: Release, folder: Path) -> Release:
    """The same, handed on as an artifact of CI is: with other times."""
    shutil.copytree(release.folder, folder, copy_function=shutil.copyfile)
    return Release(folder, release.said)


def test_a_run_that_is_started_again_pushes_the_same(release: Release, registry: Registry, tmp_path: Path) -> None:
    names = [*PROGRAMS, *(f"charts/{image}" for image in PROGRAMS)]
    digests = []
    for folder in ("first", "second"):
        done = publish(copied(release, tmp_path / folder), registry, tmp_path)
        assert done.returncode == 0, done.stderr
        digests.append([registry.manifest(f"deputy/{name}", VERSION)["digest"] for name in names])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("published", ["an image", "a chart"])
def test_a_version_is_published_once(release: Release, registry: Registry, tmp_path: Path, published: str) -> None:
    if published == "an image":
        binaries = written(tmp_path / "binaries")
        (binaries / "linux-arm64/deputy-agent").write_bytes(elf(AARCH64, b"an earlier one"))
        assert publish(made(tmp_path / "earlier", binaries), registry, tmp_path).returncode == 0
        name = "deputy-agent"
    else:
        # The other way about: the same chart with another time in it.
        earlier = copied(release, tmp_path / "earlier")
        package = earlier.folder / f"files/deputy-agent-{VERSION}.tgz"
        package.write_bytes(gzip.compress(gzip.decompress(package.read_bytes()), mtime=1))
        about = earlier.json("release.json")
        about["files"][f"files/{package.name}"] = hashlib.sha256(package.read_bytes()).hexdigest()
        (earlier.folder / "release.json").write_text(json.dumps(about))
        assert publish(earlier, registry, tmp_path).returncode == 0
        name = "charts/deputy-agent"
    before = registry.manifest(f"deputy/{name}", VERSION)["digest"]
    (tmp_path / "cosign.log").unlink()
    done = publish(release, registry, tmp_path)
    assert done.returncode == 1 and f"deputy/{name}:{VERSION} is published" in done.stderr
    assert registry.manifest(f"deputy/{name}", VERSION)["digest"] == before and not (tmp_path / "cosign.log").exists()


def test_a_registry_that_does_not_say_what_it_has_gets_nothing(release: Release, tmp_path: Path) -> None:
    nobody = Registry(f"127.0.0.1:{free_port()}", tmp_path / "none.crt")
    make_ca(tmp_path, "none")
    done = publish(release, nobody, tmp_path)
    assert done.returncode == 1 and "the registry does not say, so nothing is pushed" in done.stderr
    assert not (tmp_path / "cosign.log").exists()


@pytest.mark.parametrize("changed", ["a file", "a file more", "a file less", "a layer", "release.json"])
def test_what_was_changed_after_it_was_made_is_not_published(release: Release, tmp_path: Path, changed: str) -> None:
    folder = copied(release, tmp_path / "copy").folder
    digest = hashlib.sha256((folder / "release.json").read_bytes()).hexdigest()
    handover.read(folder, digest)
    if changed == "a layer":
        layer = release.manifests("deputy")["linux/arm64"]["layers"][0]["digest"].removeprefix("sha256:")
        (folder / "images/deputy/blobs/sha256" / layer).write_bytes(b"another")
    elif changed == "a file less":
        (folder / "files/deputy.spdx.json").unlink()
    else:
        names = {"a file": "files/deputy.spdx.json", "a file more": "files/more", "release.json": "release.json"}
        with (folder / names[changed]).open("a") as file:
            file.write(" ")
    with pytest.raises(SystemExit, match="^hack/release: "):
        handover.read(folder, digest)


def test_a_release_is_published_where_it_was_made_for_and_under_its_tag(release: Release) -> None:
    def refused(registry: str, tag: str) -> str:
        command = [ROOT / "hack/publish", release.folder, "--registry", registry, "--tag", tag]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        assert done.returncode == 1
        return done.stderr

    assert "its charts would pull from there" in refused("registry.example.com/other", f"v{VERSION}")
    assert f"the tag v99.0.0 is not v{VERSION}" in refused(REGISTRY, "v99.0.0")
