"""Compiles the programs: static, for both architectures, the same from any folder; and checks that binaries are what images need."""

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from releasing.common import PLATFORMS, PROGRAMS, ROOT, fail, run
from releasing.version import Version

MACHINES = {"amd64": 62, "arm64": 183}
"""What the header of an ELF file says of its processor."""
_CROSS = "aarch64-linux-gnu-gcc"
_TOOLCHAIN = "toolchain.json"
_INTERPRETER = 3
"""The segment by which a binary names its dynamic loader: a static one has none."""


def target_folder() -> Path:
    """Cargo's."""
    return (ROOT / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()


def compiled(version: Version, target: Path, programs: Sequence[str] = PROGRAMS, architectures: Sequence[str] = tuple(PLATFORMS)) -> Path:
    """Builds the programs below `target`, and returns the folder that `taken` reads."""
    out = target / "binaries"
    for architecture in architectures:
        triple = PLATFORMS[architecture]
        env = os.environ | _environment(version, target, architecture, triple)
        for program in programs:
            # Each by itself: in one build with another program it would get the features, and so the crates, that only the other asks for.
            run("cargo", "build", "--locked", "--release", "--target", triple, "--package", program, env=env)
        folder = out / f"linux-{architecture}"
        folder.mkdir(parents=True, exist_ok=True)
        for program in programs:
            shutil.copy(target / triple / "release" / program, folder / program)
    (out / _TOOLCHAIN).write_text(json.dumps(_toolchain(architectures), indent=1) + "\n")
    return out


def _compiler(architecture: str) -> str:
    """The C compiler for an architecture on this machine."""
    return "cc" if os.uname().machine == PLATFORMS[architecture].split("-", 1)[0] else _CROSS


def _toolchain(architectures: Sequence[str]) -> dict[str, dict[str, str]]:
    """What is `linked` into every static binary, and what `compilers` whoever builds the same again needs: their versions, with those of
    the C library's package. One list is about both architectures, so both have to have the same C library."""
    compilers, found = {"rustc": run("rustc", "--version").strip(), "cargo": run("cargo", "--version").strip()}, {}
    for architecture in architectures:
        compiler = _compiler(architecture)
        macros = run(compiler, "-dM", "-E", "-include", "features.h", "-x", "c", "/dev/null")
        defined = dict(line.split()[1:3] for line in macros.splitlines() if len(line.split()) == 3)
        found[architecture] = f"{defined['__GLIBC__']}.{defined['__GLIBC_MINOR__']}"
        compilers[f"cc for {architecture}"] = run(compiler, "--version").splitlines()[0]
        compilers[f"ld for {architecture}"] = run(run(compiler, "-print-prog-name=ld").strip(), "--version").splitlines()[0]
        compilers[f"libc for {architecture}"] = _package(run(compiler, "-print-file-name=libc.a").strip())
    if len(set(found.values())) != 1:
        fail(f"the architectures have C libraries of different versions: {found}")
    return {"linked": {"rust-std": compilers["rustc"].split()[1], "glibc": next(iter(found.values()))}, "compilers": compilers}


def _package(file: str) -> str:
    """The Debian package that a file is of, with its version."""
    # As dpkg knows the file, whose path may go up and down again and lead over links.
    for path in (os.path.normpath(file), os.path.realpath(file)):
        if Path(path).is_file() and shutil.which("dpkg-query"):
            owner = subprocess.run(["dpkg-query", "--search", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if owner.returncode == 0:
                return run("dpkg-query", "--show", owner.stdout.rsplit(": ", 1)[0].split(",")[0]).strip().replace("\t", " ")
    return fail(f"no Debian package has the C library {file}: releases are made on Debian or Ubuntu, whose packages say which version it is")


def toolchain(folder: Path) -> dict[str, dict[str, str]]:
    """What is said of the binaries in `folder`: nothing of those that were compiled elsewhere without saying it."""
    path = folder / _TOOLCHAIN
    return json.loads(path.read_text()) if path.is_file() else {"linked": {}, "compilers": {}}


def _environment(version: Version, target: Path, architecture: str, triple: str) -> dict[str, str]:
    """No path of this machine gets into a binary: panics, assertions of C code and build scripts name files by these three instead."""
    cargo = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    names = {ROOT: "/deputy", cargo: "/cargo", target: "/target"}
    rust = [f"--remap-path-prefix={path}={name}" for path, name in names.items()]
    made = {
        "CARGO_TARGET_DIR": str(target),
        "CARGO_INCREMENTAL": "0",
        # Static, so that the image needs nothing else. With an explicit target the flag does not reach build scripts and procedural macros.
        "RUSTFLAGS": " ".join(["-C target-feature=+crt-static", *rust]),
        f"CFLAGS_{triple.replace('-', '_')}": " ".join(f"-ffile-prefix-map={path}={name}" for path, name in names.items()),
        "DEPUTY_COMMIT": version.commit,
        "SOURCE_DATE_EPOCH": str(version.epoch),
    }
    if architecture == "arm64":
        # Kernels for arm64 have pages of 4, 16 or 64 KiB. jemalloc takes the page of the machine that builds, and ends where it is larger.
        made["JEMALLOC_SYS_WITH_LG_PAGE"] = "16"
        if os.uname().machine != "aarch64":
            if not shutil.which(_CROSS):
                fail(f"{_CROSS} is needed for {triple} (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross)")
            made["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"] = _CROSS
            made["CC_aarch64_unknown_linux_gnu"] = _CROSS
    return made


def taken(folder: Path) -> dict[tuple[str, str], Path]:
    """The binaries in `folder`/linux-ARCHITECTURE, each looked at: of that architecture, and static."""
    found = {}
    for architecture in PLATFORMS:
        for program in PROGRAMS:
            path = folder / f"linux-{architecture}" / program
            if not path.is_file():
                fail(f"{path} is missing")
            why = _unfit(path.read_bytes(), MACHINES[architecture])
            if why:
                fail(f"{path} {why}; the image for linux/{architecture} would not start")
            found[program, architecture] = path
    return found


def _unfit(binary: bytes, machine: int) -> str | None:
    """Why a file can't be the one program of an image without anything else."""
    if binary[:6] != b"\x7fELF\x02\x01" or len(binary) < 64:
        return "is no 64-bit ELF program"
    if (is_for := struct.unpack_from("<H", binary, 18)[0]) != machine:
        return f"is for the processor {is_for} of ELF's list, not {machine}"
    (start,), (size, count) = struct.unpack_from("<Q", binary, 32), struct.unpack_from("<HH", binary, 54)
    if start + size * count > len(binary):
        return "ends before its program headers do"
    if any(struct.unpack_from("<I", binary, start + size * n)[0] == _INTERPRETER for n in range(count)):
        return "is linked dynamically"
    return None
