"""`spec.revocation` of a role: running sessions that nobody can tell apart, and those of who keeps less, with it and without."""

import pytest

from rig.aws import ACCOUNT
from rig.proc import wait_until

from .scenario import LIST, READ, WRITE, binding, document
from .test_principals import subject
from .test_revocation import may_read, session_of, sessions, wait_cut

ALL = {"revocation": "All"}
RULES = [{"match": [f"arn:aws:iam::{ACCOUNT}:user/*"]}]
#: All that the role of these tests allows, and less.
READS, READS_LESS = document(READ, WRITE), document(READ)


class Partner:
    """A user of AWS with a role of Deputy's."""

    def __init__(self, scenario, name: str) -> None:
        self.aws, self.arn = scenario.aws, f"arn:aws:iam::{ACCOUNT}:user/{name}"
        self.credentials = scenario.aws.create_user(
            name, {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}
        )

    def session(self, team):
        """What it does with the session that it gets now."""
        arn = team.admin.get(team.role_path())["status"]["roleARN"]
        return self.aws.client("s3", self.aws.assume_role(self.credentials, arn, "partner"))


@pytest.fixture
def new_shared(scenario, new_team):
    """Makes a role that two users of AWS and a ServiceAccount have, with a running session of each."""

    def made(**spec: object):
        team = new_team(principals=RULES)
        team.pod("uploader", "uploader")
        team.role("uploader", READ, **spec)
        team.binding("uploader", "uploader", "uploader")
        partners = [Partner(scenario, f"{team.name}-{name}") for name in ("alice", "bob")]
        outside = binding(team.name, "partners", "uploader")
        outside["spec"]["subjects"] = [subject(partner.arn) for partner in partners]
        scenario.create(outside)
        team.wait_binding("partners")
        team.wait_trusted()
        running = [partner.session(team) for partner in partners]
        running.append(session_of(scenario, team, "uploader"))
        assert all(may_read(s3) for s3 in running)
        return team, partners, running

    return made


def leave_one(scenario, team, partners) -> None:
    left = [subject(partners[0].arn)]
    scenario.admin.patch(team.binding_path("partners"), {"spec": {"subjects": left}})


def test_the_session_of_a_user_of_aws_ends_with_all_and_lives_without(scenario, new_shared):
    cut, partners, (alice, bob, pod) = new_shared(**ALL)
    kept, others, (_, lives, _) = new_shared()
    leave_one(scenario, kept, others)
    wait_until(lambda: sessions(scenario, kept).get("remain"), "how long it lives is said", 20)
    leave_one(scenario, cut, partners)
    wait_cut(bob, "the session of a user who lost the role")
    assert not may_read(alice), "nobody can tell it from the other"
    assert may_read(pod), "a session of the broker's says whose it is"
    said = sessions(scenario, cut)
    assert "remain" not in said and said["untagged"]["until"] > said["untagged"]["before"]
    # Who keeps the role assumes it again. A second has to begin: times have no finer.
    wait_until(lambda: may_read(partners[0].session(cut)), "a new session", 20, every=0.5)
    wait_until(lambda: sessions(scenario, cut)["untagged"].get("closed"), "AWS has the trust policy", 20)
    (remain,) = sessions(scenario, kept)["remain"]
    assert remain["reason"] == "NotTagged" and may_read(lives)
    # Until its owner says otherwise.
    scenario.admin.patch(kept.role_path(), {"spec": ALL})
    wait_cut(lives, "a session that was left to live")


@pytest.fixture
def new_restricted(scenario, new_team):
    """Makes a role that a ServiceAccount has with a session policy, and a running session."""

    def made(**spec: object):
        team = new_team()
        team.pod("uploader", "uploader")
        team.role("uploader", READ, WRITE, **spec)
        team.binding("uploader", "uploader", "uploader", policy=READS)
        team.wait_trusted()
        running = session_of(scenario, team, "uploader")
        assert may_read(running)
        return team, running

    return made


def set_policy(scenario, team, policy: dict | None) -> None:
    scenario.admin.patch(team.binding_path(), {"spec": {"session": {"policy": policy}}})
    team.wait_binding()


def wait_recorded(scenario, team, field: str) -> list[dict]:
    return wait_until(lambda: sessions(scenario, team).get(field), f"{field} is recorded", 20)


def test_a_session_with_a_former_policy_ends_with_all_and_lives_without(scenario, new_restricted):
    cut, wide = new_restricted(**ALL)
    kept, lives = new_restricted()
    for team in (kept, cut):
        set_policy(scenario, team, READS_LESS)
    wait_cut(wide, "the session with the former policy")
    narrow = session_of(scenario, cut, "uploader")
    assert may_read(narrow), "the new one is another session, and allowed"
    assert [entry["serviceAccount"] for entry in sessions(scenario, cut)["narrowed"]] == ["uploader"]
    assert "remain" not in sessions(scenario, cut)
    (remain,) = wait_recorded(scenario, kept, "remain")
    assert remain["reason"] == "FormerPolicy" and may_read(lives)
    # Back: what the former policy allowed is allowed, and so is what the narrower one did.
    set_policy(scenario, cut, READS)
    wait_until(lambda: may_read(wide), "as it was", 20)
    assert may_read(narrow) and "narrowed" not in sessions(scenario, cut)


def test_a_wider_session_policy_ends_nothing(scenario, new_restricted):
    team, running = new_restricted(**ALL)
    before = sessions(scenario, team)["sessionPolicies"]
    set_policy(scenario, team, document(READ, WRITE, LIST))
    wait_until(lambda: sessions(scenario, team)["sessionPolicies"] != before, "it is recorded", 20)
    assert "narrowed" not in sessions(scenario, team) and may_read(running)
    # None at all is the widest, and one where none was is narrower.
    set_policy(scenario, team, None)
    wait_until(lambda: "sessionPolicies" not in sessions(scenario, team), "none is recorded", 20)
    assert may_read(running)
    whole = session_of(scenario, team, "uploader")
    set_policy(scenario, team, READS)
    wait_cut(whole, "the session of all of the role")
    assert may_read(running), "it has the policy of now"


def test_a_change_that_no_controller_saw_counts_as_narrower(scenario, new_restricted):
    team, running = new_restricted(**ALL)
    wait_recorded(scenario, team, "sessionPolicies")
    scenario.deputy.processes["controller"].stop()
    try:
        scenario.admin.patch(team.binding_path(), {"spec": {"session": {"policy": READS_LESS}}})
        assert may_read(running)
    finally:
        scenario.deputy.start_process("controller")
    wait_cut(running, "the session with the former policy")
    assert may_read(session_of(scenario, team, "uploader"))
