"""One pod does all that a pod can against the broker, while others ask for their first credential."""

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path

from rig.crowd import Member, address_of, arrive
from rig.proc import Process, wait_until

from .scenario import READ

PODS = int(os.environ.get("HOSTILE_PODS", "60"))
"""How many others come; HOSTILE_PODS says how many."""
WITHIN = 10.0
"""In how many seconds."""
BOUND = 2.0
"""Seconds within which each of them has its first credential."""
TESTS = Path(__file__).resolve().parents[1]


def test_one_hostile_pod_delays_nobodys_first_credential(scenario, team, new_team, tmp_path):
    deputy, other = scenario.deputy, new_team()
    for one in (team, other):
        one.granted("uploader", READ)
    bundle, token = deputy.broker_bundle(), team.cluster.pod_token(team.name, team.pod("hostile")["metadata"]["name"])
    deputy.secrets.add(token)
    tls = ssl.create_default_context(cadata=bundle)
    port = deputy.port("broker")
    members = []
    for number in range(PODS):
        other.pod(f"app-{number}")
        shown = other.cluster.pod_token(other.name, f"app-{number}")
        members.append(Member(port, tls, shown, address_of(number)))
    files = [tmp_path / "bundle", tmp_path / "token"]
    for file, text in zip(files, (bundle, token), strict=True):
        file.write_text(text)
    program = [sys.executable, "-m", "rig.hostile", str(port), *map(str, files), "127.66.6.6"]
    log = tmp_path / "hostile.log"
    with Process("a hostile pod", program, log, {**os.environ, "PYTHONPATH": str(TESTS)}) as hostile:
        wait_until(lambda: log.read_text().count("\n") >= 2, "it is at it", 20)
        waits = sorted(asyncio.run(arrive(members, WITHIN)))
        assert hostile.returncode is None, log.read_text()
    did = json.loads(log.read_text().splitlines()[-1])
    deputy.secrets |= {member.token for member in members}.union(*(member.secrets for member in members))
    print(f"first credentials of {PODS}: median {waits[PODS // 2]:.3f} s, last {waits[-1]:.3f} s; the hostile pod: {did}")
    # Each thing that it does was done, and all of it in vain.
    assert did["sockets"] >= 100 and did["prefaces"] >= 10 and did["forged 401"] >= 10 and did["names 403"] >= 10, did
    assert not [what for what in did if what.endswith(" 200")], did
    assert waits[-1] < BOUND, waits[-5:]
