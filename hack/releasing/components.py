"""What a program is made of, as cargo resolves it for the two targets."""

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from releasing.common import PLATFORMS, ROOT, fail, run

_LINE = re.compile(r"(?P<depth>\d+)(?P<name>\S+) v(?P<version>\S+)(?: \((?!\*\)).*?\))*(?P<seen> \(\*\))?")


def _each_target(flag: str) -> list[str]:
    """The flag with each of the two targets: what only others need is not fetched."""
    return [word for triple in PLATFORMS.values() for word in (flag, triple)]


@dataclass(frozen=True)
class Crate:
    """One package of a program."""

    name: str
    version: str
    licence: str
    authors: tuple[str, ...]
    repository: str | None
    checksum: str | None
    """Of the package as crates.io has it, or of the one file of it that is taken; None for those of this repository, and of the toolchain."""
    purl: str | None
    """Where it can be had; None for those of this repository."""
    folder: Path = field(compare=False)
    """With the texts of its licence."""


@dataclass(frozen=True)
class Parts:
    """The packages of one program."""

    root: Crate
    shipped: frozenset[Crate]
    """Whose code is in the binary, the root too."""
    building: frozenset[Crate]
    """Which only run while it is built: build scripts' own packages and procedural macros."""
    needs: dict[Crate, frozenset[Crate]]

    @property
    def everything(self) -> list[Crate]:
        """All, in order."""
        return sorted(self.shipped | self.building, key=lambda c: (c.name, c.version))

    def beside(self, other: Crate) -> "Parts":
        """With `other` beside the program in its image."""
        needs = self.needs | {self.root: self.needs[self.root] | {other}, other: frozenset()}
        return Parts(self.root, self.shipped | {other}, self.building, needs)


def parts(program: str, toolchain: dict[str, str]) -> Parts:
    """The packages of `program`, and what `toolchain` links into every program, by name and version."""
    crates = _crates()
    needs = _tree(program, "normal,build", crates)
    shipped = frozenset(_tree(program, "normal,no-proc-macro", crates))
    (root,) = (c for c in shipped if c.name == program)
    linked = frozenset(_linked(name, version) for name, version in toolchain.items())
    needs |= {root: needs[root] | linked} | {part: frozenset() for part in linked}
    return Parts(root, shipped | linked, frozenset(needs) - shipped - linked, needs)


def _linked(name: str, version: str) -> Crate:
    """The standard library of Rust, or the C library, in a static binary."""
    licence, repository = {
        "rust-std": ("MIT OR Apache-2.0", "https://github.com/rust-lang/rust"),
        "glibc": ("LGPL-2.1-or-later", "https://sourceware.org/git/glibc.git"),
    }[name]
    return Crate(name, version, licence, (), repository, None, f"pkg:generic/{name}@{version}", ROOT)


def _crates() -> dict[tuple[str, str], Crate]:
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock}
    described = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", *_each_target("--filter-platform")))
    made = {}
    for package in described["packages"]:
        key = package["name"], package["version"]
        if not package["license"]:
            fail(f"{' '.join(key)} says no licence")
        made[key] = Crate(
            *key,
            # As crates wrote it before SPDX expressions.
            licence=package["license"].replace("/", " OR "),
            authors=tuple(package["authors"]),
            repository=package["repository"],
            checksum=checksums.get(key),
            purl=f"pkg:cargo/{key[0]}@{key[1]}" if checksums.get(key) else None,
            folder=Path(package["manifest_path"]).parent,
        )
    return made


def _tree(program: str, edges: str, crates: dict[tuple[str, str], Crate]) -> dict[Crate, frozenset[Crate]]:
    """Each package below `program`, and what it needs."""
    asked = ("--package", program, *_each_target("--target"), "--edges", edges)
    text = run("cargo", "tree", "--locked", *asked, "--prefix", "depth", "--format", "{p}")
    above: list[Crate] = []
    needs: dict[Crate, set[Crate]] = {}
    for line in filter(None, text.splitlines()):
        read = _LINE.fullmatch(line.rstrip())
        if not read:
            fail(f"cargo tree says what is not understood: {line}")
        crate = crates[read["name"], read["version"]]
        del above[int(read["depth"]) :]
        needs.setdefault(crate, set())
        if above:
            needs[above[-1]].add(crate)
        above.append(crate)
    return {crate: frozenset(below) for crate, below in needs.items()}
