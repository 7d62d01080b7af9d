"""A release pushed to a registry on this machine, over TLS. Signing needs Sigstore: in the place of cosign a program stands that notes what it is asked."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from release.making import PROGRAMS, VERSION, Release, made
from release.programs import written
from rig.pki import issue, make_ca
from rig.ports import free_port
from rig.proc import Process
from rig.tools import ROOT, binary, venv

PUBLISH = """
import sys
from pathlib import Path
from releasing import publish, version
from releasing.images import Image
out, registry, digests = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
images = [Image(name, out / "images" / name, digest, {}) for name, digest in zip(("deputy", "deputy-agent"), digests)]
what = version.read(None, False)
charts = sorted((out / "charts").glob("*.tgz"))
publish.publish(publish.Made(out, registry, images, charts, out / "provenance.predicate.json", out / "SHA256SUMS"), what)
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
    cosign.parent.mkdir()
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
    digests = [release.digest(image) for image in PROGRAMS]
    command = [venv("release") / "bin/python", "-B", "-c", PUBLISH, release.folder, f"{registry.host}/deputy", *digests]
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
