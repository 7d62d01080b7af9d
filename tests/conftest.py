"""Which tests may run beside each other: those of one cluster stay in one process, in their order."""

import pytest

# Files of tests/integration whose tests have a cluster of their own, or none.
APART = {
    f"test_{name}.py"
    for name in (
        "api_server",
        "bootstrap_formats",
        "credentials",
        "examples",
        "helm",
        "mass_deletion",
        "scarce_calls",
        "uninstall",
        "upgrade",
    )
}


def group(nodeid: str) -> str:
    """All tests of the shared Deputy are one group, for the last of them hold what all the others did against what was granted. Every
    other file is a group, because what it starts it starts for all of its tests."""
    path = nodeid.split("::")[0]
    folder, _, name = path.rpartition("/")
    return "scenario" if folder.endswith("integration") and name not in APART else path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ends the run where the shared Deputy would be started twice."""
    strays = [i.nodeid for i in items if "scenario" in getattr(i, "fixturenames", ()) and group(i.nodeid) != "scenario"]
    if strays:
        raise pytest.UsageError(f"these use the fixture `scenario`, and tests/conftest.py lists their files as apart: {strays}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `-n 2` each group has one process. `--dist loadgroup` of xdist 3.8 tells groups by a field that items of pytest 9 do not have."""
    from xdist.scheduler import LoadScopeScheduling

    class LoadByCluster(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return LoadByCluster(config, log)
