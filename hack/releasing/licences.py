"""The licences of what is in a binary: the texts that its packages have, each once, with who has it."""

import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

from releasing.common import ROOT, fail, run
from releasing.components import Crate, Parts

_GLIBC = Path("/usr/share/doc/libc6/copyright")

_FILE = re.compile(r"(?:un)?licen[sc]e|copying|copyright|notice", re.IGNORECASE)
_ENDINGS = {"", ".md", ".txt", ".apache", ".mit", ".bsd", ".apache2", ".apache-2.0"}
_MIT = """MIT License

Copyright (c) {holders}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def text(parts: Parts) -> str:
    """The file `THIRD-PARTY.txt` of one program."""
    by_text: dict[str, set[str]] = defaultdict(set)
    others = [c for c in parts.everything if c in parts.shipped and c.checksum]
    for crate in others:
        for found in _texts(crate):
            by_text[found].add(f"{crate.name} {crate.version}")
    for name, found in _toolchain():
        by_text[found].add(name)
    lines = [f"{parts.root.name} {parts.root.version} contains the following, under these licences. Their texts follow.", ""]
    lines += [f"{c.name} {c.version}: {c.licence}" + (f" ({c.repository})" if c.repository else "") for c in others]
    lines += ["the Rust standard library: MIT OR Apache-2.0 (https://github.com/rust-lang/rust)"]
    lines += ["the GNU C Library: LGPL-2.1-or-later (https://sourceware.org/glibc)", ""]
    for found, names in sorted(by_text.items(), key=lambda t: sorted(t[1])):
        lines += ["-" * 100, *sorted(names), "", found.strip(), ""]
    return "\n".join(lines) + "\n"


def _texts(crate: Crate) -> list[str]:
    """Whatever files of a package are named as such are, in its folders too: code of others comes with licences of its own."""
    files = sorted(
        path
        for path in crate.folder.rglob("*")
        if _FILE.match(path.name) and path.suffix.lower() in _ENDINGS and path.is_file()
    )
    texts = [path.read_text(errors="replace").replace("\r\n", "\n") for path in files]
    if texts:
        return texts
    # Not in the package, only in its repository.
    if "Apache-2.0" in crate.licence:
        return [(ROOT / "LICENSE").read_text()]
    if crate.licence == "MIT":
        return [_MIT.format(holders=", ".join(crate.authors) or f"the authors of {crate.name}")]
    return fail(f"{crate.name} {crate.version} ({crate.licence}) has no text of its licence: hack/releasing/licences.py needs to know one")


class _Words(HTMLParser):
    """The text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def handle_data(self, data: str) -> None:
        self.lines += [line.strip() for line in data.splitlines() if line.strip()]


def _rust() -> Path:
    """Where rustup's toolchain has the licences of its standard library."""
    return Path(run("rustc", "--print", "sysroot").strip()) / "share/doc/rust/COPYRIGHT-library.html"


def missing() -> str | None:
    """What this machine lacks of the licences of its toolchain, without which nothing may be handed on."""
    for path in (_rust(), _GLIBC):
        if not path.is_file():
            return f"{path} is missing: binaries are made with the toolchain of rustup, on Debian or Ubuntu with their libc6-dev"
    return None


def _toolchain() -> list[tuple[str, str]]:
    """What compiler and linker put into every static binary: the standard library with the crates in it, and the C library."""
    if why := missing():
        fail(why)
    words = _Words()
    words.feed(_rust().read_text())
    return [("the Rust standard library", "\n".join(words.lines)), ("the GNU C Library", _GLIBC.read_text(errors="replace"))]
