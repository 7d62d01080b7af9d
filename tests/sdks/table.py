"""The generated part of docs/compatibility.md: written by `make sdks WRITE=1`, else held against what happened."""

import html
from collections.abc import Iterable, Mapping

from rig.tools import ROOT

from .broker import BUSY, MESSAGE
from .cases import SESSIONS, Outcome
from .catalogue import Sdk

PAGE = ROOT / "docs" / "compatibility.md"
_BEGIN, _END = "<!-- sdks -->\n", "<!-- /sdks -->\n"
_COLUMNS = {
    "first": "first credential",
    "slow 0.6": "after 0.6 s",
    "slow 2.5": "after 2.5 s",
    "sessions": f"{SESSIONS} sessions",
    "hang": "broker hangs",
    "gone": "broker gone",
    "403": "403",
    "503": "503",
    "proxy": "proxy",
    "v6": "IPv6",
}
_LONGEST = 400
_HEAD = 110

Results = Mapping[Sdk, Outcome]
Line = tuple[Sdk | None, str]
"""A line of the page, and whose it is."""


def lines(sdks: Iterable[Sdk], results: Results) -> list[Line]:
    """All lines, of SDKs that were not tried with nothing in them."""
    sdks = list(sdks)
    whole = [sdk for sdk in sdks if not sdk.first_only]
    told: list[Line] = [
        (None, f"| SDK | version | {' | '.join(_COLUMNS.values())} |"),
        (None, f"|---|---|{'---|' * len(_COLUMNS)}"),
    ]
    for sdk in whole:
        words = results[sdk].words if sdk in results else {}
        told.append((sdk, f"| {sdk.name} | {sdk.version} | {' | '.join(words.get(c, '') for c in _COLUMNS)} |"))
    told += [(None, ""), (None, "| older version | works | what its user sees |"), (None, "|---|---|---|")]
    for sdk in sdks:
        if sdk.first_only:
            outcome = results.get(sdk, Outcome())
            seen = _code(outcome.seen.get("first", ""))
            told.append((sdk, f"| {sdk.name} {sdk.version} | {outcome.words.get('first', '')} | {seen} |"))
    told += [(None, ""), (None, "| SDK | status | what its user sees |"), (None, "|---|---|---|")]
    for sdk in whole:
        told += [(sdk, f"| {sdk.name} | {status} | {_code(text)} |") for status, text in _refusals(results.get(sdk))]
    return told


def _refusals(outcome: Outcome | None) -> list[tuple[str, str]]:
    """What is seen for either status, or once for both."""
    if not outcome:
        return []
    seen = [(status, outcome.seen[status]) for status in ("403", "503")]
    return [("403, 503", seen[0][1])] if seen[0][1] == seen[1][1] else seen


def write(told: Iterable[Line]) -> None:
    """Puts the lines into the page."""
    before, _, after = _parts()
    inner = "\n".join(line for _, line in told)
    PAGE.write_text(f"{before}{_BEGIN}\n{inner}\n\n{_END}{after}")


def differences(told: Iterable[Line], tried: Iterable[Sdk]) -> list[str]:
    """Lines of SDKs that were tried, and of none, which the page lacks; and those that it has besides when all were tried."""
    told, tried = list(told), set(tried)
    there = [line for line in _parts()[1].splitlines() if line]
    expected = [line for sdk, line in told if line and (sdk is None or sdk in tried)]
    wrong = [f"missing: {line}" for line in expected if line not in there]
    if all(sdk is None or sdk in tried for sdk, _ in told):
        wrong += [f"nothing like this happened: {line}" for line in there if line not in expected]
    return wrong


def _parts() -> tuple[str, str, str]:
    before, begin, rest = PAGE.read_text().partition(_BEGIN)
    inner, end, after = rest.partition(_END)
    if not begin or not end:
        raise RuntimeError(f"{PAGE} lacks the markers {_BEGIN.strip()} and {_END.strip()}")
    return before, inner, after


def _code(text: str) -> str:
    if len(text) > _LONGEST:
        text = f"{text[:_HEAD]} … {_around(text)}"
    # In HTML, for no name in it is one of ours.
    return f"<code>{html.escape(text, quote=False).replace('|', '&#124;').replace('*', '&#42;')}</code>" if text else ""


def _around(text: str) -> str:
    """Where a long text comes to the point."""
    points = (text.find(point, _HEAD) for point in (MESSAGE, BUSY, "Unauthorized", "ContainerCredentialsProvider(): "))
    at = next((point for point in points if point >= 0), _HEAD)
    return text[at:] if len(text) - at < 200 else f"{text[at : at + 200]} …"
