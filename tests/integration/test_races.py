"""Everything that a grant needs, made in one burst: whoever comes first, in the end every pod has its credential, and none has to be made again."""

import os
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from rig.apiclient import ApiError
from rig.proc import NotReady, wait_until

from .scenario import API, READ, binding, collection, limit, role

BURSTS = int(os.environ.get("RACES", "60"))
"""Bursts with an order by chance; RACES says how many."""
AT_ONCE = 4
PODS = 2

ORDERS = {
    # Built-in kinds first, in the order that Argo CD has for kinds; what it does not know comes last.
    "argo-cd": ("namespace", "service-account", "pod-0", "pod-1", "limit", "role", "binding"),
    # Cluster-scoped objects, then those of namespaces by name of their kind (Flux, `kubectl apply --server-side` of a folder).
    "by-kind": ("limit", "namespace", "role", "binding", "pod-0", "pod-1", "service-account"),
    "pods-first": ("namespace", "pod-0", "pod-1", "binding", "role", "limit", "service-account"),
}


@dataclass
class Burst:
    """One namespace with all that is in it, and what became of it."""

    name: str
    first_credential: float = 0.0


def objects(name: str) -> dict[str, tuple[str, dict]]:
    """What a tool applies: by a word for each, where it is created and what it is."""
    pod = {"serviceAccountName": "uploader", "containers": [{"name": "app", "image": "app.invalid/app:1"}]}
    labelled = {"name": name, "labels": {"deputy.dev/inject": "enabled"}}
    ours = {
        "limit": limit(name, [name], READ),
        "role": role(name, "uploader", READ),
        "binding": binding(name, "uploader", "uploader", "uploader"),
    }
    return {
        "namespace": ("/api/v1/namespaces", {"metadata": labelled}),
        "service-account": (f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "uploader"}}),
        **{word: (collection(manifest), manifest) for word, manifest in ours.items()},
        **{
            f"pod-{number}": (f"/api/v1/namespaces/{name}/pods", {"metadata": {"name": f"pod-{number}"}, "spec": pod})
            for number in range(PODS)
        },
    }


def taken(scenario, path: str, manifest: dict) -> bool:
    """Whether the API server takes it now. The namespace or the ServiceAccount may not be there yet; nothing else is a reason."""
    try:
        scenario.admin.create(path, manifest)
    except ApiError as error:
        if error.code not in (403, 404) or "not found" not in error.message:
            raise
        return False
    return True


def apply(scenario, wanted: dict[str, tuple[str, dict]], order: list[str], threads: int) -> None:
    """As a GitOps tool does it: all in this order, `threads` at a time, and what was not taken again after a moment."""
    left, deadline = list(order), time.monotonic() + 60
    with ThreadPoolExecutor(threads) as pool:
        while left:
            assert time.monotonic() < deadline, f"{left} are never taken"
            answers = list(pool.map(lambda word: taken(scenario, *wanted[word]), left))
            left = [word for word, is_taken in zip(left, answers) if not is_taken]


def play(scenario, burst: Burst, order: list[str], threads: int) -> Burst:
    """One burst; `threads` apply at a time, in this order."""
    wanted = objects(burst.name)
    began = time.monotonic()
    apply(scenario, wanted, order, threads)
    for number in range(PODS):
        pod = f"pod-{number}"
        stored = scenario.admin.get(f"/api/v1/namespaces/{burst.name}/pods/{pod}")
        sidecars = [c["name"] for c in stored["spec"].get("initContainers", [])]
        assert sidecars == ["deputy-agent"], f"{burst.name}/{pod}, applied as {order}, is not injected"
        token = scenario.cluster.pod_token(burst.name, pod)
        seen: list = []

        def answered(token: str = token, seen: list = seen) -> bool:
            seen[:] = scenario.deputy.ask_broker(token)
            # Until all is there an agent hears "no" or "not yet", and asks again.
            return seen[0] == 200

        try:
            wait_until(answered, f"{burst.name}/{pod} has its credential", 120)
        except NotReady:
            pytest.fail(f"{burst.name}/{pod}, applied as {order}, {threads} at a time, has no credential: {seen}")
    burst.first_credential = time.monotonic() - began
    leave(scenario, burst.name)
    return burst


def leave(scenario, name: str) -> None:
    """Takes away what a burst has made, its limit last: its boundary policy goes with that, which later tests would have to wait for
    whenever the tags of all policies change."""
    roles = f"{API}/namespaces/{name}/awsroles"
    scenario.admin.delete(f"{API}/namespaces/{name}/awsrolebindings")
    scenario.admin.delete(roles)
    wait_until(lambda: not scenario.admin.get(roles)["items"], f"the roles of {name} are gone", 60)
    scenario.admin.delete(f"{API}/delegationlimits/{name}")


def test_a_burst_in_any_order_ends_with_credentials_for_every_pod(scenario):
    chance = random.Random(20261130)
    plans = []
    for number in range(BURSTS):
        order = list(objects("any"))
        chance.shuffle(order)
        plans.append((Burst(f"race-{number}"), order, chance.choice((1, 3, 7))))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        played = list(pool.map(lambda plan: play(scenario, *plan), plans))
    waits = sorted(burst.first_credential for burst in played)
    print(f"{BURSTS} bursts, {AT_ONCE} at a time: first credentials after {statistics.median(waits):.1f} s (median), {waits[-1]:.1f} s (longest)")
    assert len(played) == BURSTS


@pytest.mark.parametrize("tool", ORDERS)
def test_the_order_of_a_tool_ends_with_credentials_for_every_pod(scenario, tool):
    play(scenario, Burst(f"order-{tool}"), list(ORDERS[tool]), 1)
