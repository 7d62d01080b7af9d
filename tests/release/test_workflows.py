"""The workflows hold as little as they need: actions by digest, rights by job, steps that only call what runs anywhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

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
    assert rights == {
        "make": {"contents": "read"},
        "publish": {"contents": "read", "packages": "write", "id-token": "write"},
        "page": {"contents": "write"},
    }
    # A tag is somebody's text: it reaches a shell as a variable of the environment, never as part of the script.
    for job in release["jobs"].values():
        assert [step["run"] for step in job["steps"] if "${{" in step.get("run", "")] == []
        assert job["timeout-minutes"] <= 120
    # Nor as a word of make, which would expand it.
    assert "make " not in "".join(step.get("run", "") for job in release["jobs"].values() for step in job["steps"])
    # Whoever reviews is asked before a job has rights that reach others.
    assert release["jobs"]["publish"]["environment"] == "release"
    for name, needed in (("publish", "make"), ("page", "publish")):
        assert release["jobs"][name]["needs"] == needed


def test_the_job_that_signs_runs_no_package_of_others() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text())["jobs"]["publish"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert [script for script in scripts if re.search(r"cargo|rustup|pip|apt|venv|hack/release\b", script)] == []
    assert sum("hack/publish" in script for script in scripts) == 1 and "--digest" in scripts[-1]
    called = (ROOT / "hack/publish").read_text()
    assert "venv" not in called and "cargo" not in called
    # What it compiles is compiled before there is a login.
    assert [i for i, s in enumerate(scripts) if "hack/tools/tool build" in s] < [i for i, s in enumerate(scripts) if "docker login" in s]


@pytest.mark.parametrize("target", ["release", "reproducible"])
@pytest.mark.parametrize("text", ["v`touch ran`", "$(shell touch ran)", '"; touch ran; "', "$$(touch ran)", "'; touch ran; '"])
def test_make_runs_nothing_that_a_variable_says(tmp_path: Path, target: str, text: str) -> None:
    # A copy, whose scripts say what they are called with.
    (tmp_path / "hack").mkdir()
    for name in ("release", "reproducible"):
        (tmp_path / "hack" / name).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (tmp_path / "hack" / name).chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    words = {"release": ("TAG", "REGISTRY", "OUT", "BINARIES"), "reproducible": ("PROGRAM", "ARCHITECTURE")}[target]
    for given in ([f"{word}={text}" for word in words], []):
        env = os.environ | ({} if given else dict.fromkeys(words, text))
        command = ["make", "--silent", "--directory", tmp_path, target, *given]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(text) == len(words) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "hack/tools/python").glob("*.txt")), ids=lambda p: p.stem)
def test_a_package_of_python_is_pinned_by_its_hash(path: Path) -> None:
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    packages = re.sub(r"\\\n", " ", text).splitlines()
    assert packages and [p for p in packages if not re.fullmatch(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+", p)] == []


def test_no_package_of_python_runs_code_when_it_is_installed() -> None:
    script = (ROOT / "hack/tools/tool").read_text().replace("\\\n", " ")
    fetching = [line for line in script.splitlines() if re.search(r"pip\"? (install|download)", line)]
    assert len(fetching) == 2 and all("--require-hashes --only-binary :all:" in re.sub(" +", " ", line) for line in fetching)
