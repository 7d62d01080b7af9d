"""The workflows hold as little as they need: actions by digest, rights by job, steps that only call what runs anywhere."""

import re

import pytest
import yaml
from rig.tools import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_an_action_is_named_by_its_digest(path) -> None:
    used = [line.split("uses:", 1)[1].strip() for line in path.read_text().splitlines() if "uses:" in line]
    assert used and [name for name in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", name)] == []


def test_only_the_job_that_needs_a_right_has_it() -> None:
    workflows = {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
    assert workflows.keys() == {"advisories.yaml", "release.yaml"}
    assert workflows["advisories.yaml"]["permissions"] == {"contents": "read"}
    release = workflows["release.yaml"]
    assert release["permissions"] == {}
    rights = {name: job["permissions"] for name, job in release["jobs"].items()}
    assert rights == {"publish": {"contents": "read", "packages": "write", "id-token": "write"}, "page": {"contents": "write"}}
    # A tag is somebody's text: it reaches a shell as a variable of the environment, never as part of the script.
    for job in release["jobs"].values():
        assert [step["run"] for step in job["steps"] if "${{" in step.get("run", "")] == []
        assert job["timeout-minutes"] <= 120
    calls = [step["run"] for step in release["jobs"]["publish"]["steps"] if "make " in step.get("run", "")]
    assert len(calls) == 1 and calls[0].startswith('make release TAG="$GITHUB_REF_NAME"')
