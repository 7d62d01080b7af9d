"""Runs it, and writes the tables into docs/benchmarks.md, between their two markers."""

import asyncio
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from measured import Section

from .load import TIMES, Cost, costs
from .soak import Record, Soak
from .world import World

FLAT = 5.0
"""Percent."""


def counts(counter: dict) -> str:
    return ", ".join(f"{number:,} × {what}" for what, number in sorted(counter.items()))


def memory_row(name: str, record: Record, series: list) -> str:
    third = len(series) // 3
    values = [sorted(part)[len(part) // 2] / 1024 for part in (series[:third], series[third : 2 * third], series[2 * third :])]
    grown = record.flatness(series)
    missed = "" if abs(grown) <= FLAT else " **missed**"
    minutes = " ".join(f"{value / 1024:.1f}" for value in series)
    return f"| `{name}` | {values[0]:.1f} | {values[1]:.1f} | {values[2]:.1f} | {grown:+.1f} %{missed} | {minutes} |\n"


def long_run(soak: Soak, record: Record, load: tuple[float, float]) -> str:
    """What became of memory."""
    return (
        f"\n{datetime.now(timezone.utc).date()}, {os.cpu_count()} CPUs, load average {load[0]:.1f} at the beginning and {load[1]:.1f} at the end. "
        f"{soak.minutes} minutes, {soak.clients} clients, {len(soak.world.agents)} agents; {record.pods:,} pods came and went, STS made "
        f"{record.sessions:,} sessions. Answers of the broker: {counts(record.answers)}; of agents: {counts(record.of_agents)}."
        f"\n\n{'; '.join(record.events)}.\n\n"
        "| resident, MiB | first third | middle third | last third | last against middle, within 5 % | each minute |\n|---|---|---|---|---|---|\n"
        + memory_row("deputy broker", record, record.broker)
        + memory_row("deputy-agent", record, record.agents)
    )


def warm(rows: list[Cost], load: float) -> str:
    """What a warm request costs."""
    table = "".join(
        f"| {c.what} | {c.closed_rate:,.0f} | {c.closed_cpu:.0f} µs | {c.open_cpu:.0f} µs | {c.p50:.2f} ms | {c.p99:.2f} ms | {c.not_ok} |\n"
        for c in rows
    )
    return (
        f"\n{datetime.now(timezone.utc).date()}, load average {load:.1f} at the end. Of each loop the run of {TIMES} that other work disturbed least.\n\n"
        "| warm request | closed loop, a second | CPU each | open loop, CPU each | p50 | p99 | failed |\n|---|---|---|---|---|---|---|\n" + table
    )


def main() -> None:
    minutes, clients, agents = (int(os.environ.get(*what)) for what in (("MINUTES", "20"), ("CLIENTS", "200"), ("AGENTS", "5")))
    section, before = Section("soak"), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="deputy-soak-") as folder, World(Path(folder), os.environ.get("PROFILE", "release")) as world:
        for _ in range(agents):
            world.add_agent()
        soak, text, grown = Soak(world, minutes, clients), "", 0.0
        if minutes:
            record = asyncio.run(soak.run())
            text += long_run(soak, record, (before, os.getloadavg()[0]))
            grown = max(abs(record.flatness(series)) for series in (record.broker, record.agents))
        if not os.environ.get("WITHOUT_LOAD"):
            text += warm(costs(world, Path(folder)), os.getloadavg()[0])
    print(text)
    if not os.environ.get("DRY"):
        section.write(text + "\n")
    if grown > FLAT:
        sys.exit(1)


if __name__ == "__main__":
    main()
