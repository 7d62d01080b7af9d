"""How a story is printed, and how it fails."""

import sys
import textwrap


class NotAsTold(RuntimeError):
    """A step did not go as the story says."""


def chapter(title: str) -> None:
    """A headline."""
    print(f"\n\033[1m== {title}\033[0m" if sys.stdout.isatty() else f"\n== {title}", flush=True)


def tell(text: str) -> None:
    """A paragraph."""
    print(textwrap.fill(" ".join(text.split()), 110), flush=True)


def show(text: str) -> None:
    """What a program said, indented."""
    print(textwrap.indent(text.rstrip(), "    "), flush=True)


def expect(holds: object, what: str) -> None:
    """Ends the story when something does not hold."""
    if not holds:
        raise NotAsTold(what)
