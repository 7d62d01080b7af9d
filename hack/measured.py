"""Where programs that measure write what they found: docs/benchmarks.md, between two markers."""

import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parent.parent / "docs/benchmarks.md"


class Section:
    """What stands between `<!-- NAME -->` and `<!-- /NAME -->`. Where these are missing the program ends at once, before it has measured."""

    def __init__(self, name: str) -> None:
        self._begin, self._end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        self._around()

    def _around(self) -> tuple[str, str]:
        before, _, rest = DOCUMENT.read_text().partition(self._begin)
        _, end, after = rest.partition(self._end)
        if not end:
            sys.exit(f"{DOCUMENT} lacks the markers {self._begin.strip()} and {self._end.strip()}")
        return before + self._begin, end + after

    def write(self, text: str) -> None:
        """Puts `text` in the place of what is there."""
        before, after = self._around()
        DOCUMENT.write_text(before + text + after)
