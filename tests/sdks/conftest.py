"""All SDKs on one stage, at the same time: each has a broker and an agent of its own, and most of the time is waiting."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from . import table
from .broker import Certificates
from .cases import Outcome, Stage, several_sessions, try_all
from .catalogue import SDKS, Sdk
from .install import Missing
from .sts import Sts


class Results:
    """What came of everything. SDKs that could not be installed have the reason in `missing`; `broken` is no fault of an SDK."""

    def __init__(self) -> None:
        self.outcomes: dict[Sdk, Outcome] = {}
        self.missing: dict[Sdk, str] = {}
        self.broken: dict[Sdk, Exception] = {}

    def of(self, sdk: Sdk) -> Outcome:
        """What came of one SDK. Skips the test that asks when it was not tried."""
        if sdk in self.missing:
            message = f"{sdk.name} {sdk.version} was not tried: {self.missing[sdk]}"
            (pytest.fail if os.environ.get("SDKS_REQUIRE") else pytest.skip)(message)
        if sdk in self.broken:
            raise self.broken[sdk]
        return self.outcomes[sdk]


@pytest.fixture(scope="session")
def results(tmp_path_factory) -> Results:
    """Everything is installed, then tried, once."""
    results, programs = Results(), {}
    for sdk in SDKS:
        try:
            programs[sdk] = sdk.argv()
        except Missing as error:
            results.missing[sdk] = str(error)
        except Exception as error:  # noqa: BLE001 - a registry that is away is no fault of ours
            results.missing[sdk] = f"it could not be installed: {str(error)[-500:]}"
    folder = tmp_path_factory.mktemp("sdks")
    with Sts() as sts, ThreadPoolExecutor(2 * len(SDKS)) as pool:
        stage = Stage(folder, Certificates(folder), sts)
        runs = {sdk: pool.submit(_run, pool, sdk, program, stage) for sdk, program in programs.items()}
        for sdk, run in runs.items():
            if error := run.exception():
                results.broken[sdk] = error
            else:
                results.outcomes[sdk] = run.result()
    return results


def _run(pool: ThreadPoolExecutor, sdk: Sdk, program: Sequence[str | Path], stage: Stage) -> Outcome:
    several = None if sdk.first_only else pool.submit(several_sessions, sdk, program, stage)
    outcome = try_all(sdk, program, stage)
    if several:
        outcome.words["sessions"] = several.result()
    return outcome


@pytest.fixture(scope="session")
def page(results: Results) -> list[table.Line]:
    """The generated part of the page."""
    return table.lines(SDKS, results.outcomes)
