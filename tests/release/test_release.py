"""What a release consists of, and that the same input makes the same release."""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from release.making import PROGRAMS, REGISTRY, VERSION, Release, hack_release, made
from release.programs import AARCH64, TOOLCHAIN, X86_64, elf, written
from rig.tools import ROOT, venv


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the release below."""
    return written(tmp_path_factory.mktemp("binaries"))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, binaries: Path) -> Release:
    """One release, which the tests look at."""
    return made(tmp_path_factory.mktemp("out") / "first", binaries)


def test_the_same_binaries_make_the_same_release(release: Release, binaries: Path, tmp_path: Path) -> None:
    again = made(tmp_path / "a-longer-path" / "second", binaries)

    def files(folder: Path) -> dict[str, bytes]:
        paths = [p for p in folder.rglob("*") if p.is_file()]
        # The one file with a time of its own: it says where the index of an image is, and is no part of the image.
        return {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.name != "index.json"}

    first, second = files(release.folder), files(again.folder)
    assert first.keys() == second.keys() and len(first) > 25
    assert [path for path in first if first[path] != second[path]] == []
    assert [release.digest(image) for image in PROGRAMS] == [again.digest(image) for image in PROGRAMS]


def test_another_binary_makes_another_image(release: Release, tmp_path: Path) -> None:
    changed = written(tmp_path / "binaries")
    (changed / "linux-arm64/deputy-agent").write_bytes(elf(AARCH64, b"another one"))
    other = made(tmp_path / "out", changed)
    assert other.digest("deputy-agent") != release.digest("deputy-agent")
    assert other.digest("deputy") == release.digest("deputy")


@pytest.mark.parametrize("image", PROGRAMS)
def test_an_image_is_one_program_for_two_architectures(release: Release, binaries: Path, image: str) -> None:
    manifests = release.manifests(image)
    assert sorted(manifests) == ["linux/amd64", "linux/arm64"]
    for platform, manifest in manifests.items():
        config = json.loads(release.blob(image, manifest["config"]["digest"]))
        assert f"{config['os']}/{config['architecture']}" == platform
        assert config["config"]["User"] == "65532:65532" and config["config"]["Entrypoint"] == [f"/{image}"]
        assert "Env" not in config["config"]
        (layer,) = manifest["layers"]
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(release.blob(image, layer["digest"])))) as tar:
            files = {entry.name: entry for entry in tar if entry.isfile()}
            program = tar.extractfile(image)
            assert program and program.read() == (binaries / platform.replace("/", "-") / image).read_bytes()
        expected = {image, "licenses/LICENSE", "licenses/THIRD-PARTY.txt"}
        assert set(files) == expected | ({"etc/ssl/certs/ca-certificates.crt"} if image == "deputy" else set())
        assert {entry.uid + entry.gid for entry in files.values()} == {0}
        assert [name for name, entry in files.items() if entry.mode & 0o022] == []
        assert [name for name, entry in files.items() if entry.mode & 0o111] == [image]


def compiled(commands: list[list[str]]) -> tuple[set[str], set[str]]:
    """`name version` of whatever these builds put into a program, and of what else they run, as cargo itself plans them (which it says with
    a flag of the nightly cargo)."""
    into, running = set(), set()
    for command in commands:
        plan = [*command, "--unit-graph", "-Z", "unstable-options"]
        done = subprocess.run(plan, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"RUSTC_BOOTSTRAP": "1"})
        for unit in json.loads(done.stdout)["units"]:
            name, version = re.fullmatch(r".*?([^/#@]+)[#@](?:([^@]+)@)?([^@]+)", unit["pkg_id"]).group(2, 3)
            name = name or unit["pkg_id"].split("#")[0].rsplit("/", 1)[-1]
            (into if unit["platform"] else running).add(f"{name} {version}")
    return into, running - into


@pytest.fixture(scope="module")
def builds() -> dict[str, list[list[str]]]:
    """The commands by which hack/release compiles each program."""
    script = """
import json
from pathlib import Path
from releasing import compile, version
commands = []
compile.run = lambda *command, env=None: commands.append(command) or ""
compile._toolchain = lambda architectures: {}
compile.shutil.copy = lambda *paths: None
compile.shutil.which = lambda name: name
import tempfile
compile.compiled(version.read(None), Path(tempfile.mkdtemp()))
print(json.dumps(commands))
"""
    env = os.environ | {"PYTHONPATH": str(ROOT / "hack")}
    command = [venv("release") / "bin/python", "-B", "-c", script]
    commands = json.loads(subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {program: [c for c in commands if program in c] for program in PROGRAMS}


def test_a_program_is_compiled_by_itself(builds: dict[str, list[list[str]]]) -> None:
    # In one build with another it would have the features, and so the crates, of both.
    for program, commands in builds.items():
        assert [[word for word, before in zip(c[1:], c) if before == "--package"] for c in commands] == [[program]] * 2


@pytest.mark.parametrize("program", PROGRAMS)
def test_both_bills_of_materials_name_what_cargo_compiles(release: Release, builds: dict[str, list[list[str]]], program: str) -> None:
    cyclonedx, spdx = release.json(f"files/{program}.cdx.json"), release.json(f"files/{program}.spdx.json")
    into, running = compiled(builds[program])
    assert len(into) > 60
    # A static binary has these as well, and a scanner has to know which.
    linked = {f"{name} {version}" for name, version in TOOLCHAIN["linked"].items()}
    # As has the image of the operator.
    roots = {"certifi " + next(c["version"] for c in cyclonedx["components"] if c["name"] == "certifi")} if program == "deputy" else set()
    expected = into | running | linked | roots
    components = [*cyclonedx["components"], cyclonedx["metadata"]["component"]]
    assert {f"{c['name']} {c['version']}" for c in components} == expected
    assert {f"{p['name']} {p['versionInfo']}" for p in spdx["packages"]} == expected
    # Each with where it comes from and its digest there; ours have none.
    ours = {c["name"] for c in components if "purl" not in c}
    assert ours and all(name.startswith("deputy") for name in ours)
    assert {f"{c['name']} {c['version']}" for c in components if ("hashes" in c) != ("purl" in c)} == linked
    assert [c["name"] for c in components if not c["licenses"]] == []
    # What only runs while it is built is told from what is in the binary, by both alike.
    building = {c["name"] for c in components if c["scope"] == "excluded"}
    assert "serde_derive" in building and "tokio" not in building
    shipped = {f"{c['name']} {c['version']}" for c in components if c["scope"] == "required"}
    assert shipped == into | linked | roots
    assert {p["name"] for p in spdx["packages"] if "comment" in p} == building


@pytest.mark.parametrize("program", PROGRAMS)
def test_licences_in_an_image_are_of_all_that_is_in_its_binary(release: Release, program: str) -> None:
    manifest = release.manifests(program)["linux/arm64"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(release.blob(program, manifest["layers"][0]["digest"])))) as tar:
        file = tar.extractfile("licenses/THIRD-PARTY.txt")
        assert file
        text = file.read().decode()
    listed, texts = text.split("\n" + "-" * 100 + "\n", 1)
    shipped = [c for c in release.json(f"files/{program}.cdx.json")["components"] if c["scope"] == "required" and "hashes" in c]
    for component in shipped:
        name = f"{component['name']} {component['version']}"
        assert f"\n{name}: " in listed
        assert re.search(rf"^{re.escape(name)}$", texts, re.MULTILINE), f"{name} has no text of a licence"
    assert "the GNU C Library: LGPL-2.1-or-later" in listed and "the Rust standard library: " in listed
    # The roots are in the image, and not in the archive of the command line.
    assert (re.search(r"^certifi [0-9.post]+: MPL-2.0 ", listed, re.MULTILINE) is not None) == (program == "deputy")
    for architecture in ("amd64", "arm64"):
        with tarfile.open(release.folder / f"files/deputy-{VERSION}-linux-{architecture}.tar.gz") as tar:
            file = tar.extractfile("THIRD-PARTY.txt")
            assert file and "certifi" not in file.read().decode()


def test_provenance_and_checksums_are_about_the_files_that_are_there(release: Release) -> None:
    # As users have them: whatever is on the page of a release, side by side. Nothing that is missing may be passed over.
    files = release.folder / "files"
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=files, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
    sums = dict(reversed(line.split("  ")) for line in (files / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() | {"SHA256SUMS"} == {path.name for path in files.iterdir()}
    statement = release.json("files/provenance.intoto.json")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["predicate"] == release.json("provenance.predicate.json")
    subjects = {(s["name"], s["digest"]["sha256"]) for s in statement["subject"]}
    # Whatever a user downloads; not the statement itself, which the checksums have.
    downloads = {(name, digest) for name, digest in sums.items() if name != "provenance.intoto.json"}
    images = set()
    for image in PROGRAMS:
        index = json.loads(release.blob(image, release.digest(image)))
        digests = [release.digest(image), *(m["digest"] for m in index["manifests"])]
        images |= {(f"{REGISTRY}/{image}", digest.removeprefix("sha256:")) for digest in digests}
    assert subjects == downloads | images and len(downloads) == 8 and len(images) == 6
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    definition = statement["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": commit}
    # What whoever builds the same again has to have: compilers, and what is taken as it is.
    assert definition["internalParameters"]["compilers"] == TOOLCHAIN["compilers"]
    (roots,) = (d for d in definition["resolvedDependencies"] if d["uri"].startswith("pkg:pypi/certifi@"))
    layer = release.manifests("deputy")["linux/amd64"]["layers"][0]["digest"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(release.blob("deputy", layer)))) as tar:
        file = tar.extractfile("etc/ssl/certs/ca-certificates.crt")
        assert file and hashlib.sha256(file.read()).hexdigest() == roots["digest"]["sha256"]


def test_charts_pull_the_images_of_their_release(release: Release) -> None:
    def chart(name: str) -> tuple[dict, dict]:
        with tarfile.open(release.folder / f"files/{name}-{VERSION}.tgz") as tar:
            read = [tar.extractfile(f"{name}/{file}") for file in ("Chart.yaml", "values.yaml")]
            return tuple(yaml.safe_load(file) for file in read if file)

    def pinned(image: str) -> dict:
        return {"repository": f"{REGISTRY}/{image}", "digest": release.digest(image)}

    about, values = chart("deputy")
    assert about["version"] == about["appVersion"] == VERSION
    assert values["image"].items() >= pinned("deputy").items()
    assert values["agent"]["image"].items() >= pinned("deputy-agent").items()
    about, values = chart("deputy-agent")
    assert about["version"] == about["appVersion"] == VERSION
    assert values["image"].items() >= pinned("deputy-agent").items()


def test_a_dry_run_says_what_it_would_push_and_sign(release: Release) -> None:
    plan = (release.folder / "PLAN").read_text().splitlines()
    assert "pushed nowhere" in release.said and release.said.endswith("\n".join(plan) + "\n")
    for image in PROGRAMS:
        pinned = f"{REGISTRY}/{image}@{release.digest(image)}"
        assert f"regctl image copy ocidir://images/{image}@{release.digest(image)} {REGISTRY}/{image}:{VERSION}" in plan
        signs = [line for line in plan if line.startswith("cosign") and line.endswith(pinned)]
        assert [line.split("--type ")[1].split()[0] for line in signs if "--type" in line] == ["slsaprovenance1", "spdxjson", "cyclonedx"]
        assert f"cosign sign --yes --recursive {pinned}" in signs
        assert f"helm push files/{image}-{VERSION}.tgz oci://{REGISTRY}/charts" in plan
    assert plan[-1] == "cosign sign-blob --yes --bundle files/SHA256SUMS.sigstore.json files/SHA256SUMS"
    notes = (release.folder / "NOTES").read_text()
    assert "### Added" in notes and all(release.digest(image) in notes for image in PROGRAMS)


@pytest.mark.parametrize(
    ("binary", "why"),
    [
        (elf(X86_64), "is for the processor 62 of ELF's list, not 183"),
        (elf(AARCH64, dynamic=True), "is linked dynamically"),
        (b"#!/bin/sh\n", "is no 64-bit ELF program"),
        (elf(AARCH64)[:100], "ends before its program headers do"),
        (None, "is missing"),
    ],
)
def test_a_binary_that_would_not_start_in_its_image_is_refused(tmp_path: Path, binary: bytes | None, why: str) -> None:
    path = written(tmp_path / "binaries") / "linux-arm64/deputy"
    path.unlink() if binary is None else path.write_bytes(binary)
    done = hack_release("--binaries", tmp_path / "binaries", "--out", tmp_path / "out")
    assert done.returncode == 1 and f"{path} {why}" in done.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--push"], "--push needs --tag"),
        (["--tag", "v99.0.0"], f"the tag v99.0.0 is not v{VERSION}"),
        (["--tag", f"v{VERSION}", "--binaries", "x"], "--tag takes no --binaries"),
        (["--registry", "https://registry.example.com/Deputy"], "is no HOST/PATH in small letters"),
    ],
)
def test_what_can_not_be_a_release_is_refused_before_anything_is_built(tmp_path: Path, arguments: list[str], why: str) -> None:
    done = hack_release("--out", tmp_path / "out", *arguments)
    assert done.returncode == 1 and why in done.stderr and not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, binaries: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = hack_release("--binaries", binaries, "--out", tmp_path)
    assert done.returncode == 1 and "is no earlier release" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"
