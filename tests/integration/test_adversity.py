"""Credentials that rotate on disk, a cluster that has no room for anything new, and objects that are as large as they can be."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rig.apiclient import ApiError
from rig.aws import ROOT
from rig.deputy import NAMESPACE, PROCESSES, adapted_to_double
from rig.proc import wait_until

from .scenario import API, LIST, READ, binding, document, role

ROLE = "provisioner-by-pod-identity"
VALID_FOR = timedelta(seconds=15)


class IdentityAgent:
    """Gives the process its AWS credentials, as the agent of EKS Pod Identity does: for the token that the kubelet projects, and for a short
    while. `AWS_CONTAINER_CREDENTIALS_FULL_URI` and `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` of any AWS SDK."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "token"
        self.valid, self.session, self.refused = "", ROOT, 0
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers.get("Authorization") != agent.valid:
                    agent.refused += 1
                    self._answer(400, {"code": "InvalidTokenException", "message": "the token has expired"})
                    return
                expires = datetime.now(timezone.utc) + VALID_FOR
                self._answer(
                    200,
                    {
                        "AccessKeyId": agent.session.access_key_id,
                        "SecretAccessKey": agent.session.secret_access_key,
                        "Token": agent.session.session_token,
                        "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    },
                )

            def _answer(self, status: int, body: dict) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self._server.server_port}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self._file),
        }

    def project(self, token: str) -> None:
        """The token in the file is this one from now on, as the kubelet writes it: by renaming."""
        new = self._file.with_suffix(".new")
        new.write_text(token)
        new.rename(self._file)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_credentials_that_rotate_on_disk_are_read_again(scenario, team, tmp_path):
    deputy, iam, recorder = scenario.deputy, scenario.iam(), scenario.aws.recorder
    agent, fixed = IdentityAgent(tmp_path), deputy.identities.pop("controller")
    own = next(i["policy"] for i in deputy.bootstrap["identities"] if i["process"] == "deputy controller")
    arn = scenario.aws.create_role(ROLE, *adapted_to_double(own)["Statement"])

    def rotate(token: str) -> str:
        """Another token is valid from now on, and the one of before is not; the access key id of the session that it gives."""
        agent.valid, agent.session = token, scenario.aws.assume_role(ROOT, arn, token)
        return agent.session.access_key_id

    try:
        deputy.processes["controller"].stop()
        first = rotate("first")
        agent.project("first")
        deputy.start_process("controller", **agent.environment)
        team.role("uploader", READ, wait=False)
        team.wait_role(timeout=60)
        assert {c.access_key_id for c in recorder.calls("CreateRole") if f".{team.name}." in c.parameters["RoleName"]} == {first}
        # The token on disk is too old, and the session runs out: that is said, and nothing is taken away.
        second = rotate("second")
        wait_until(lambda: agent.refused, "the old token is refused", 60)
        team.role("other", READ, wait=False)
        team.wait_role("other", "False", timeout=60)
        # The kubelet has rotated it: the process that runs takes it.
        mark = recorder.mark()
        agent.project("second")
        team.wait_role("other", timeout=180)
        assert {c.access_key_id for c in recorder.calls("CreateRole", since=mark)} == {second}
        assert team.wait_role()["reason"] == "Ready"
    finally:
        deputy.identities["controller"] = fixed
        deputy.restart("controller")
        agent.stop()
        iam.delete_role_policy(RoleName=ROLE, PolicyName="test")
        iam.delete_role(RoleName=ROLE)


@contextmanager
def no_room(scenario, *namespaces: str) -> Iterator[None]:
    """While in these namespaces nothing more may be made of what Deputy and its users make there."""
    kinds = [f"{plural}.deputy.dev" for plural in ("awsroles", "awsrolebindings", "namespacelimits")]
    kinds += ["configmaps", "secrets", "leases.coordination.k8s.io", "events.events.k8s.io"]
    hard = {f"count/{kind}": "0" for kind in kinds}
    paths = [f"/api/v1/namespaces/{namespace}/resourcequotas" for namespace in namespaces]
    for path in paths:
        scenario.admin.create(path, {"metadata": {"name": "none"}, "spec": {"hard": hard}})
        # As the controller of quotas does.
        scenario.admin.patch(f"{path}/none/status", {"status": {"hard": hard, "used": hard}})
    try:
        yield
    finally:
        for path in paths:
            scenario.admin.delete(f"{path}/none")


def test_a_namespace_without_room_keeps_what_it_has_and_heals(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    copy = f"{API}/namespaces/{team.name}/namespacelimits/{team.name}"
    wait_until(lambda: scenario.admin.exists(copy), "the copy of the limit", 20)
    with no_room(scenario, team.name, NAMESPACE):

        def is_full() -> bool:
            try:
                scenario.admin.create(f"{API}/namespaces/{team.name}/awsroles", role(team.name, "more", READ))
            except ApiError as error:
                return error.code == 403 and "exceeded quota" in error.message
            scenario.admin.delete(team.role_path("more"))
            return False

        wait_until(is_full, "the quota is in force", 20)
        for name in PROCESSES:
            scenario.deputy.restart(name)
        scenario.admin.delete(copy)
        change = [{"name": "objects", "document": document(READ, LIST)}]
        scenario.admin.patch(team.role_path(), {"spec": {"policies": change}})
        team.wait_role(timeout=60)
        wait_until(lambda: team.inline() == {"deputy": document(READ, LIST)}, "the change is in AWS", 30)
        # A limit is in force, though nothing can be written down in the namespace.
        scenario.admin.patch(team.limit_path, {"spec": {"ceiling": document(READ, LIST)}})
        team.wait_limit(timeout=60)
        team.wait_answer(200)
        assert not scenario.admin.exists(copy)
        scenario.admin.delete(team.binding_path())
        team.wait_trusted(trusted=False, timeout=60)
    team.binding()
    scenario.admin.patch(team.limit_path, {"spec": {"session": {"maxDuration": "2h"}}})
    wait_until(lambda: scenario.admin.exists(copy), "the copy is there again", 60)
    team.wait_answer(200)


SUBJECTS = 10_000
STATEMENTS = 4_000


def test_what_is_as_large_as_it_can_be_holds_up_no_other(scenario, team, new_team):
    crowd = binding(team.name, "crowd", "uploader", *[f"app-{n}" for n in range(SUBJECTS)])
    with pytest.raises(ApiError) as error:
        scenario.admin.create(f"{API}/namespaces/{team.name}/awsrolebindings", crowd)
    assert error.value.code == 422 and "must have at most 100 items" in error.value.message, error.value
    # What the webhook would refuse, and the schema takes: many, and each near the most that etcd takes.
    statements = [{**READ, "Resource": f"arn:aws:s3:::productionapp/{n}/{'x' * 200}*"} for n in range(STATEMENTS)]
    names = [f"huge-{n}" for n in range(10)]
    with scenario.without_validation():
        for name in names:
            scenario.create(role(team.name, name, *statements))
            scenario.create(binding(team.name, name, name, *[f"app-{n}" for n in range(100)]))
    other = new_team()
    other.granted("uploader", READ)
    other.pod()
    other.wait_answer(200)
    for name in names:
        condition = team.wait_role(name, "False", timeout=120)
        assert len(condition["message"]) < 10_000
    assert [r for r in scenario.roles_in_aws() if f".{team.name}." in r] == []
    assert team.deputy.unready("controller") == {}
