"""The command line beside a real cluster: what `deputy` says there is what the API server does."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from botocore.exceptions import ClientError

from rig.apiclient import ApiError
from rig.tools import deputy

from .scenario import BUCKET, LIST, READ, Team, binding, collection, document, limit, role
from .test_admission import DOCUMENTS
from .test_revocation import session_of

ANYTHING = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def ask(scenario, *arguments: str, input: str = "", kubeconfig: Path | None = None) -> CompletedProcess[str]:
    """Runs the program against the cluster, as its administrator unless another kubeconfig is given."""
    return deputy(*arguments, "--kubeconfig", kubeconfig or scenario.cluster.kubeconfig, input=input)


def check(scenario, *manifests: Mapping) -> dict:
    """The answer of `deputy check` to manifests, beside what the cluster has."""
    done = ask(scenario, "check", "-", "--format", "json", input="\n---\n".join(map(json.dumps, manifests)))
    answer = json.loads(done.stdout)
    accepted = all(found["status"] == "accepted" for found in answer["objects"])
    assert done.returncode == (0 if accepted else 1), done.stderr
    return answer


def stored(scenario, manifest: Mapping) -> bool:
    """Whether the API server would store it, whether or not it is there."""
    path = f"{collection(manifest)}/{manifest['metadata']['name']}?fieldValidation=Strict&dryRun=All"
    try:
        scenario.admin.call("PATCH", f"{path}&fieldManager=check&force=true", manifest, "application/apply-patch+yaml")
    except ApiError as error:
        # A field that no schema has is an internal error of server-side apply.
        assert 400 <= error.code < 500 or "field not declared in schema" in error.message, error
        return False
    return True


def written(namespace: str, document: object) -> dict:
    """A role whose policy is just this."""
    return role(namespace, "another", policies=[{"name": "objects", "document": document}])


# What is tried in a namespace whose limit allows READ, WRITE and LIST, and whose role `uploader` is bound to `uploader`.
TRIED = {
    "a role within the limit": lambda ns: role(ns, "another", READ),
    "a role beyond it": lambda ns: role(ns, "another", ANYTHING),
    "the role that is there, changed": lambda ns: role(ns, "uploader", READ, LIST),
    "the role that is there, wider than the limit": lambda ns: role(ns, "uploader", ANYTHING),
    "a session longer than the limit's": lambda ns: role(ns, "another", READ, maxSessionDuration="12h"),
    "an account that is not there": lambda ns: role(ns, "another", READ, accountRef={"name": "nobody"}),
    "another account for the role that is there": lambda ns: role(ns, "uploader", READ, accountRef={"name": "else"}),
    "a binding": lambda ns: binding(ns, "second", "uploader", "uploader"),
    "a binding of a role that is not there": lambda ns: binding(ns, "second", "nobody", "uploader"),
    "a binding with tags that no limit allows": lambda ns: binding(ns, "second", "uploader", "a", tags={"team": "red"}),
    "another role for the binding that is there": lambda ns: binding(ns, "uploader", "another", "uploader"),
    "the limit as it is": lambda ns: limit(ns, [ns]),
    "the limit narrowed below the role": lambda ns: limit(ns, [ns], LIST),
    "the limit for another namespace": lambda ns: limit(ns, ["elsewhere"]),
    "a limit more": lambda ns: limit(f"{ns}-more", [ns], READ),
    "a role that has a field more": lambda ns: role(ns, "another", READ, rights="all"),
    "a name that is none": lambda ns: role(ns, "Another", READ),
    **{name: partial(written, document=found) for name, (found, _) in DOCUMENTS.items()},
}


@pytest.fixture(scope="module")
def granted(scenario):
    """A namespace with a limit, a role and a binding that stay while the module runs."""
    team = Team(scenario, "command-line")
    team.granted("uploader", READ)
    yield team
    team.leave()


@pytest.mark.parametrize("what", TRIED)
def test_check_says_what_the_api_server_does(scenario, granted, what):
    manifest = TRIED[what](granted.name)
    (found,) = check(scenario, manifest)["objects"]
    # Undecided is stored, and grants nothing yet.
    would_be = found["status"] in ("accepted", "undecided")
    assert would_be == stored(scenario, manifest), found


def test_check_counts_what_a_change_suspends_as_the_webhook_does(scenario, granted):
    (found,) = check(scenario, limit(granted.name, [granted.name], LIST))["objects"]
    said = [f["message"] for f in found["findings"] if f["reason"] == "WouldSuspend"]
    path, narrowed = f"{granted.limit_path}?dryRun=All", {"spec": {"ceiling": document(LIST)}}
    warnings = scenario.admin.warnings("PATCH", path, narrowed, "application/merge-patch+json")
    for whole in (f"DelegationLimit {granted.name}: {message}" for message in said):
        # The API server hands on 256 characters.
        assert any(w == whole or w.endswith("…") and whole.startswith(w[:-1]) for w in warnings), (whole, warnings)
    assert any("suspends 2 of" in message for message in said), said


def test_who_can_what_can_and_explain_tell_what_is_granted(scenario, granted):
    account, arn = f"{granted.name}/uploader", scenario.admin.get(granted.role_path())["status"]["roleARN"]
    done = ask(scenario, "who-can", "s3:GetObject", f"arn:aws:s3:::{BUCKET}/*")
    assert done.returncode == 0 and f"ServiceAccount {account}" in done.stdout, done
    done = ask(scenario, "what-can", account)
    assert done.returncode == 0 and "s3:GetObject" in done.stdout, done
    assert "s3:PutObject" not in done.stdout and "s3:ListBucket" not in done.stdout, done.stdout
    # The name of the cluster is known from the status.
    done = ask(scenario, "explain", "role", account)
    assert done.returncode == 0 and arn in done.stdout, done
    done = ask(scenario, "explain", "arn", arn)
    assert done.returncode == 0 and f"AWSRole {account}" in done.stdout, done


def test_denied_tells_what_an_applications_own_denial_needs(scenario, granted):
    granted.pod("denied")
    s3 = session_of(scenario, granted, "denied")
    with pytest.raises(ClientError) as refused:
        s3.delete_object(Bucket=BUCKET, Key="report.txt")
    done = ask(scenario, "denied", str(refused.value))
    assert done.returncode == 0, done
    assert f"AWSRole {granted.name}/uploader" in done.stdout and "s3:DeleteObject" in done.stdout, done.stdout


def test_who_may_not_list_is_told_so_and_nothing_is_decided(scenario, granted):
    _, stranger = scenario.cluster.person("stranger")
    for command in (
        ["check", "-"],
        ["who-can", "s3:GetObject", "*"],
        ["what-can", f"{granted.name}/uploader"],
        ["explain", "role", f"{granted.name}/uploader"],
    ):
        done = ask(scenario, *command, input=json.dumps(role(granted.name, "one", READ)), kubeconfig=stranger)
        assert done.returncode == 3, (command, done)
        assert done.stdout == "" and "forbidden" in done.stderr and "stranger" in done.stderr, (command, done)
