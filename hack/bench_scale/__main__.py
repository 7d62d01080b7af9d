"""Measures each size and writes the tables of docs/benchmarks.md after each, so that a run that is cut short leaves what it has."""

import os
import re
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from measured import DOCUMENT, Section
from rig.tools import ROOT

from . import table
from .stage import Stage
from .story import grow, within_a_rate

ROLES_AT_A_RATE = 100
"""How many roles the one account has whose calls are granted slowly: enough to be far beyond what may come at once."""


def numbers(name: str, default: str) -> list[int]:
    """A list of numbers from the environment."""
    return [int(n) for n in os.environ.get(name, default).split(",") if n]


def machine(started: datetime, load: float, profile: str) -> str:
    """Where, when and of what it was measured."""
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (
        f"{started:%Y-%m-%d}, profile {profile}, {os.cpu_count()} CPUs "
        f"({model[1] if model else 'model unknown'}), load average {load:.1f} at the beginning and {os.getloadavg()[0]:.1f} at the end, with "
        "all processes and the driver on the same CPUs.\n"
    )


def main() -> None:
    if sys.argv[1:]:
        sys.exit("bench-scale takes no arguments: SIZES, PER_ACCOUNT, RATES and PROFILE are environment variables")
    sizes, rates = numbers("SIZES", "1000,10000"), numbers("RATES", "20,5")
    per_account, profile = numbers("PER_ACCOUNT", "250")[0], os.environ.get("PROFILE", "release")
    section = Section("scale")
    started, load = datetime.now(timezone.utc), os.getloadavg()[0]
    measured, at_rates = [], []

    def write() -> None:
        tables = table.of_sizes(measured) + table.of_rates(at_rates)
        section.write(f"\n{machine(started, load, profile)}\n{tables}")

    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="deputy-scale-") as folder, Stage(Path(folder), profile) as stage:
            measured.append(grow(stage, size, per_account))
        write()
    for rate in rates:
        with tempfile.TemporaryDirectory(prefix="deputy-scale-") as folder, Stage(Path(folder), profile) as stage:
            at_rates.append(within_a_rate(stage, ROLES_AT_A_RATE, rate))
        write()
    print(f"written to {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
