"""Which version it is, of which commit, and what its notes say. A tag, Cargo.toml, the charts and CHANGELOG.md have to agree."""

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timezone

import yaml

from releasing.common import ROOT, fail, run

CHARTS = ("deputy", "deputy-agent")


@dataclass(frozen=True)
class Version:
    """What is released."""

    number: str
    commit: str
    epoch: int
    """When the commit was made: the time of everything in the release, so that it is the same whenever it is built."""
    notes: str

    @property
    def time(self) -> datetime:
        """`epoch` as a time."""
        return datetime.fromtimestamp(self.epoch, timezone.utc)

    @property
    def rfc3339(self) -> str:
        """`epoch` as OCI writes it."""
        return self.time.strftime("%Y-%m-%dT%H:%M:%SZ")


def read(tag: str | None, push: bool) -> Version:
    """The version of the tree, which `tag` has to name. Without `push` there need be no tag, and the notes may be those of what is unreleased."""
    number = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for chart in CHARTS:
        made = yaml.safe_load((ROOT / f"charts/{chart}/Chart.yaml").read_text())
        if not made["version"] == made["appVersion"] == number:
            fail(f"charts/{chart}/Chart.yaml has version {made['version']} and appVersion {made['appVersion']}, Cargo.toml has {number}")
    if tag is not None and tag != f"v{number}":
        fail(f"the tag {tag} is not v{number}, the version in Cargo.toml")
    commit = run("git", "rev-parse", "HEAD").strip()
    if push:
        _published_as(tag, commit)
    epoch = int(run("git", "show", "--no-patch", "--format=%ct", "HEAD"))
    return Version(number, commit, epoch, _notes(number, push))


def _published_as(tag: str | None, commit: str) -> None:
    """What is published is what the tag names, and nothing else."""
    if tag is None:
        fail("--push needs --tag")
    tagged = run("git", "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}").strip()
    if tagged != commit:
        fail(f"the tag {tag} is {tagged}, checked out is {commit}")
    changed = run("git", "status", "--porcelain").strip()
    if changed:
        fail(f"files differ from the tag {tag}; what is published has to be what the tag names:\n{changed}")


def _notes(number: str, push: bool) -> str:
    """The section of CHANGELOG.md."""
    log = (ROOT / "CHANGELOG.md").read_text()
    for title in (number,) if push else (number, "Unreleased"):
        found = re.search(rf"^## \[{re.escape(title)}\][^\n]*\n(.*?)(?=^## \[|\Z)", log, re.MULTILINE | re.DOTALL)
        if found and found[1].strip():
            return found[1].strip()
    return fail(f"CHANGELOG.md has no section ## [{number}] with text")
