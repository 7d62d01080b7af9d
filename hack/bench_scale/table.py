"""The tables of what was measured."""

import math
from collections.abc import Callable

from rig.deputy import PROCESSES

from .story import IDLE, Measured

ACCOUNT_RATE = 20
"""Calls a second that Deputy asks of one account at most (`BudgetSettings::max_rate`)."""
CONTROLLER_MEMORY, WEBHOOK_MEMORY, RESYNC_CPU = 60, 30, 10
FIGURES_AT = 10_000


def number(value: float) -> str:
    """Three digits of it, or the whole number."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def growth(sizes: list[int], values: list[float]) -> str:
    """The exponent by which the last value grew over the first one."""
    if len(values) < 2 or min(values[0], values[-1]) <= 0.05:
        return ""
    return f"n^{math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0]):.2f}"


def of_sizes(measured: list[Measured]) -> str:
    """A row for each thing, a column for each size."""
    if not measured:
        return ""
    sizes = [m.size for m in measured]
    lines = [
        f"| {' | '.join(['what', *(f'{n:,}' for n in sizes), 'growth', 'figure at 10,000'])} |\n",
        "|" + "---|" * (len(sizes) + 3) + "\n",
    ]

    def row(what: str, unit: str, value: Callable[[Measured], float], figure: float | None = None, exact: bool = False) -> None:
        values = [value(m) for m in measured]
        said = ""
        if figure is not None:
            said = f"{'' if exact else '< '}{number(figure)} {unit}".strip()
            at = dict(zip(sizes, values, strict=True)).get(FIGURES_AT)
            if at is not None and (at > figure if exact else at >= figure):
                said += " **missed**"
        cells = [f"{number(v)} {unit}".strip() for v in values]
        lines.append(f"| {' | '.join([what, *cells, growth(sizes, values), said])} |\n".replace("|  |", "| |").replace("|  |", "| |"))

    row("accounts", "", lambda m: m.accounts)
    figures = {"controller": CONTROLLER_MEMORY, "webhook": WEBHOOK_MEMORY}
    for name in PROCESSES:
        row(f"`{name}`: resident once all are Ready", "MB", lambda m, n=name: m.steps["ready"].used[n].resident, figures.get(name))
        row(f"`{name}`: its peak until then", "MB", lambda m, n=name: m.steps["ready"].used[n].peak)
        row(f"`{name}`: resident after a restart", "MB", lambda m, n=name: m.steps["restarted"].used[n].resident)
    row("created, roles and bindings together", "s", lambda m: m.seconds["created"])
    row(f"all Ready, {ACCOUNT_RATE} calls/s for each account", "s", lambda m: m.steps["ready"].seconds)
    row("calls to AWS for each role until Ready", "", lambda m: m.steps["ready"].all_calls / m.size)
    row(
        f"the same in one account at {ACCOUNT_RATE} calls/s, computed of the calls", "s", lambda m: m.steps["ready"].all_calls / ACCOUNT_RATE
    )
    for name in (*PROCESSES, "kube-apiserver", "etcd"):
        row(f"CPU until Ready: `{name}`", "s", lambda m, n=name: m.steps["ready"].cpu[n])
    row(f"calls to AWS in {IDLE} idle seconds", "", lambda m: m.steps["idle"].all_calls, 0, exact=True)
    row(f"CPU in {IDLE} idle seconds, all of Deputy's", "s", lambda m: sum(m.steps["idle"].cpu[n] for n in PROCESSES))
    row("restart without change: calls to AWS for single roles", "", lambda m: m.steps["restarted"].calls_for_single_roles, 0, exact=True)
    row("all others, for each account", "", lambda m: (m.steps["restarted"].all_calls - m.steps["restarted"].calls_for_single_roles) / m.accounts)
    row("restart without change: until nothing is left to do", "s", lambda m: m.steps["restarted"].seconds)
    for name in PROCESSES:
        figure = RESYNC_CPU if name == "controller" else None
        row(f"restart without change: CPU of `{name}`", "s", lambda m, n=name: m.steps["restarted"].cpu[n], figure)
    row("a limit's update that is refused because it suspends all", "s", lambda m: m.seconds["refused"])
    row("a limit's update that suspends none", "s", lambda m: m.seconds["widened"])
    row("the limit narrowed, all roles suspended", "s", lambda m: m.steps["suspended"].seconds)
    row("calls to AWS for each suspended role", "", lambda m: m.steps["suspended"].all_calls / m.size)
    for name in PROCESSES:
        row(f"CPU until suspended: `{name}`", "s", lambda m, n=name: m.steps["suspended"].cpu[n])
    return "".join(lines) + "\n"


def of_rates(measured: list[tuple[int, Measured]]) -> str:
    """A row for each rate of one account."""
    if not measured:
        return ""
    lines = [
        "| one account grants | roles | all Ready | calls, refused ones besides | all suspended | calls, refused ones besides |\n",
        "|---|---|---|---|---|---|\n",
    ]
    for rate, m in measured:
        ready, suspended = m.steps["ready"], m.steps["suspended"]
        cells = [
            f"{rate} calls/s",
            f"{m.size}",
            f"{number(ready.seconds)} s",
            f"{ready.all_calls:,} + {ready.throttled:,}",
            f"{number(suspended.seconds)} s",
            f"{suspended.all_calls:,} + {suspended.throttled:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines) + "\n"
