"""What happens at each size, and what is noted."""

import json
import statistics
import time
from dataclasses import dataclass, field

from rig.deputy import PROCESSES

from .stage import API, Stage, Used

PER_NAMESPACE = 100
LIMIT = "scale"
BUCKET = "arn:aws:s3:::productionapp"
READ = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"{BUCKET}/*"}
LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET}
WRITE = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": f"{BUCKET}/*"}
MORE = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
FIRST_LISTING = 130
"""Seconds without a call after which no first listing of an account is to be expected any more, nor roles that waited for it:
the former comes a minute after a start, the latter wait two minutes at most."""
IDLE = 20
"""Seconds in which nothing changes."""
SECONDS_FOR_EACH = 0.6
"""How long, for each role, a step may take at most; besides two minutes."""


@dataclass
class Step:
    """What one step took: seconds, calls to AWS by action, and of each process CPU seconds and memory at its end."""

    seconds: float
    calls: dict[str, int]
    throttled: int
    cpu: dict[str, float]
    used: dict[str, Used]

    @property
    def all_calls(self) -> int:
        return sum(self.calls.values())

    @property
    def calls_for_single_roles(self) -> int:
        """Those that ask for one role or change it: neither lists nor what is asked of the account, the identities and the policies."""
        return sum(n for action, n in self.calls.items() if "Role" in action and action != "ListRoles")


@dataclass
class Measured:
    """All that was noted of one size."""

    size: int
    accounts: int
    steps: dict[str, Step] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Watch:
    """Notes what happens from here to `stop`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        stage.stub.reset()
        self._before = stage.used()
        self._pids = stage.pids()
        self.started = time.monotonic()

    def stop(self, ended: float | None = None) -> Step:
        """The step; it took until `ended` if that is said. A process that was started meanwhile began at nothing."""
        after, pids, counts = self._stage.used(), self._stage.pids(), self._stage.stub.counts()
        cpu = {
            name: now.cpu - (self._before[name].cpu if pids[name] == self._pids[name] else 0) for name, now in after.items()
        }
        seconds = (time.monotonic() if ended is None else ended) - self.started
        return Step(seconds, counts["calls"], counts["throttled"], cpu, after)


def patience(size: int) -> float:
    """The deadline of a step."""
    return 120 + SECONDS_FOR_EACH * size


def document(*statements: dict) -> dict:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def account_id(index: int) -> str:
    """Twelve digits of the account with that number."""
    return f"{100_000_000_000 + index}"


def prepare(stage: Stage, size: int, per_account: int) -> int:
    """The accounts, the one limit of all of them, namespaces and ServiceAccounts; how many accounts there are."""
    accounts = -(-size // per_account)
    names = [f"account-{i}" for i in range(accounts)]
    objects = []
    for i, name in enumerate(names):
        url = f"{stage.stub.url}/{account_id(i)}"
        spec = {
            "accountID": account_id(i),
            "region": "ap-northeast-1",
            "issuer": {"principalARN": f"arn:aws:iam::{account_id(i)}:user/deputy-broker"},
            "endpoints": {"iam": url, "sts": url},
        }
        objects.append((f"{API}/awsaccounts", manifest("AWSAccount", name, None, spec)))
    stage.create_all(objects)
    stage.wait_all("awsaccounts", accounts, "True", None, patience(0))
    spec = {
        "namespaces": ["scale-*"],
        "accounts": names,
        "ceiling": document(LIST, WRITE),
        "boundary": {"type": "Generated"},
    }
    stage.create_all([(f"{API}/delegationlimits", manifest("DelegationLimit", LIMIT, None, spec))])
    stage.wait_all("delegationlimits", 1, "True", None, patience(accounts))
    for i in range(-(-size // PER_NAMESPACE)):
        stage.cluster.create_namespace(f"scale-{i}")
    stage.create_all(
        (
            f"/api/v1/namespaces/scale-{i // PER_NAMESPACE}/serviceaccounts",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": f"app-{i}"}},
        )
        for i in range(size)
    )
    return accounts


def manifest(kind: str, name: str, namespace: str | None, spec: dict) -> dict:
    """An object of Deputy's."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "deputy.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def grants(size: int, accounts: int):
    """A role and a binding for each ServiceAccount, the accounts in turn."""
    for i in range(size):
        name, namespace = f"app-{i}", f"scale-{i // PER_NAMESPACE}"
        path = f"{API}/namespaces/{namespace}"
        role = {
            "accountRef": {"name": f"account-{i % accounts}"},
            "policies": [{"name": "objects", "document": document(LIST, WRITE)}],
        }
        yield f"{path}/awsroles", manifest("AWSRole", name, namespace, role)
        binding = {
            "roleRef": {"kind": "AWSRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
            "session": {"policy": document(LIST, READ)},
        }
        yield f"{path}/awsrolebindings", manifest("AWSRoleBinding", name, namespace, binding)


def note(measured: Measured, name: str, step: Step) -> None:
    """Keeps a step and shows it."""
    measured.steps[name] = step
    cpu = {n: round(step.cpu[n], 1) for n in step.cpu}
    memory = {n: f"{step.used[n].resident:.0f}/{step.used[n].peak:.0f}" for n in PROCESSES}
    print(
        f"{measured.size}: {name}: {step.seconds:.1f} s, {step.all_calls} calls {step.calls}, {step.throttled} throttled, CPU {cpu}, "
        f"MB {memory}",
        flush=True,
    )


def make(stage: Stage, measured: Measured) -> None:
    """Creates all roles and bindings, and waits until all are Ready."""
    watch = Watch(stage)
    measured.seconds["created"] = stage.create_all(grants(measured.size, measured.accounts))
    stage.wait_all("awsroles", measured.size, "True", None, patience(measured.size))
    ready = stage.wait_all("awsrolebindings", measured.size, "True", None, patience(measured.size))
    stage.quiet(patience(measured.size))
    note(measured, "ready", watch.stop(ready))


def suspend(stage: Stage, measured: Measured) -> None:
    """Narrows the limit to what no role is within, and waits until all roles are suspended."""
    narrow = {
        "metadata": {"annotations": {"deputy.dev/accept-suspending": str(2 * measured.size)}},
        "spec": {"ceiling": document(READ)},
    }
    watch = Watch(stage)
    measured.seconds["narrowing admitted"] = change(stage, narrow, 200)
    suspended = stage.wait_all("awsroles", measured.size, "False", "Suspended", patience(measured.size))
    stage.quiet(patience(measured.size))
    note(measured, "suspended", watch.stop(suspended))


def change(stage: Stage, patch: dict, expected: int, query: str = "") -> float:
    """A merge patch of the limit; the seconds until its answer, which has to have that status."""
    started = time.monotonic()
    path = f"{API}/delegationlimits/{LIMIT}{query}"
    status, text = stage.request("PATCH", path, patch, "application/merge-patch+json")
    if status != expected:
        raise RuntimeError(f"PATCH {path}: {status} {text[:500]!r}")
    took = time.monotonic() - started
    print(f"limit: {status} after {took:.3f} s: {json.loads(text).get('message', '')[:200]}", flush=True)
    return took


def ask_the_brake(stage: Stage, measured: Measured) -> None:
    """How long the webhook takes to look at all grants before a limit's update, refused or admitted; nothing is stored."""
    narrow, wide = {"spec": {"ceiling": document(READ)}}, {"spec": {"ceiling": document(LIST, WRITE, MORE)}}
    refused = [change(stage, narrow, 403) for _ in range(3)]
    widened = [change(stage, wide, 200, "?dryRun=All") for _ in range(3)]
    measured.seconds["refused"] = statistics.median(refused)
    measured.seconds["widened"] = statistics.median(widened)


def restart(stage: Stage, measured: Measured) -> None:
    """Ends all of Deputy's processes and starts them again: what does it cost to find that nothing changed?"""
    watch = Watch(stage)
    for name in PROCESSES:
        stage.deputy.processes[name].stop()
    for name in PROCESSES:
        stage.deputy.start_process(name, wait=False)
    for name in PROCESSES:
        stage.deputy.wait_ready(name, patience(0))
    measured.seconds["ready again"] = time.monotonic() - watch.started
    done = stage.uncalled(patience(measured.size) + FIRST_LISTING, FIRST_LISTING)
    stage.quiet(patience(measured.size))
    note(measured, "restarted", watch.stop(done))


def grow(stage: Stage, size: int, per_account: int) -> Measured:
    """One size: made, idle, restarted, asked, narrowed."""
    accounts = prepare(stage, size, per_account)
    measured = Measured(size, accounts)
    stage.quiet(patience(accounts))
    make(stage, measured)
    watch = Watch(stage)
    time.sleep(IDLE)
    note(measured, "idle", watch.stop())
    restart(stage, measured)
    ask_the_brake(stage, measured)
    suspend(stage, measured)
    return measured


def within_a_rate(stage: Stage, size: int, rate: int) -> tuple[int, Measured]:
    """One account that grants so many calls a second: made, and narrowed."""
    prepare(stage, size, size)
    measured = Measured(size, 1)
    stage.quiet(patience(1))
    stage.stub.grant(rate)
    make(stage, measured)
    suspend(stage, measured)
    return rate, measured
