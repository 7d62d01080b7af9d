"""Binaries as hack/release takes them: the smallest that look static and of an architecture, and the whole set of them."""

import json
import struct
from pathlib import Path

X86_64, AARCH64 = 62, 183
TOOLCHAIN = {"linked": {"rust-std": "1.2.3", "glibc": "2.99"}, "compilers": {"rustc": "rustc 1.2.3", "cc for arm64": "gcc 4.5.6"}}
"""What they say was linked into them, and by what they were compiled."""
_LOAD, _INTERPRETER = 1, 3


def elf(machine: int, content: bytes = b"", dynamic: bool = False) -> bytes:
    """A 64-bit ELF program of one segment, and of a second one that names a dynamic loader where it is `dynamic`."""
    kinds = [_LOAD, _INTERPRETER] if dynamic else [_LOAD]
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, len(kinds), 0, 0, 0)
    segments = b"".join(struct.pack("<IIQQQQQQ", kind, 5, 0, 0x400000, 0x400000, 64, 64, 4096) for kind in kinds)
    return ident + header + segments + content


def written(folder: Path) -> Path:
    """Both programs for both architectures."""
    for architecture, machine in (("amd64", X86_64), ("arm64", AARCH64)):
        for program in ("deputy", "deputy-agent"):
            path = folder / f"linux-{architecture}" / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(elf(machine, f"{program} for {architecture}".encode()))
    (folder / "toolchain.json").write_text(json.dumps(TOOLCHAIN))
    return folder
