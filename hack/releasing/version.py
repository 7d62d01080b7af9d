"""Which version it is, of which commit, and what its notes say. A tag, Cargo.toml, the charts and CHANGELOG.md have to agree."""

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timezone

import yaml

from releasing import tag
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


def read(named: str | None) -> Version:
    """The version of the tree, which the tag `named` has to name. Without one the notes may be those of what is unreleased."""
    number = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for chart in CHARTS:
        made = yaml.safe_load((ROOT / f"charts/{chart}/Chart.yaml").read_text())
        if not made["version"] == made["appVersion"] == number:
            fail(f"charts/{chart}/Chart.yaml has version {made['version']} and appVersion {made['appVersion']}, Cargo.toml has {number}")
    commit = run("git", "rev-parse", "HEAD").strip() if named is None else tag.checked(named, number)
    epoch = int(run("git", "show", "--no-patch", "--format=%ct", "HEAD"))
    return Version(number, commit, epoch, _notes(number, released=named is not None))


def _notes(number: str, released: bool) -> str:
    """The section of CHANGELOG.md."""
    log = (ROOT / "CHANGELOG.md").read_text()
    for title in (number,) if released else (number, "Unreleased"):
        found = re.search(rf"^## \[{re.escape(title)}\][^\n]*\n(.*?)(?=^## \[|\Z)", log, re.MULTILINE | re.DOTALL)
        if found and found[1].strip():
            return found[1].strip()
    return fail(f"CHANGELOG.md has no section ## [{number}] with text")
