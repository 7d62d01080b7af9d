"""Statements of resource policies: what Deputy writes into the policies of buckets, queues and topics, and what it leaves alone."""

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rig import people
from rig.apiclient import ApiClient, ApiError
from rig.people import Person
from rig.proc import wait_until

from .scenario import ACCOUNT, API, LIST, READ, Scenario

REGION = "ap-northeast-1"
HOME = "123456789012"
KINDS = ("s3", "sqs", "sns")
ACTIONS = {"s3": "s3:GetObject", "sqs": "sqs:SendMessage", "sns": "sns:Publish"}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Resource:
    """A bucket, a queue or a topic, and its policy as its owner sees it."""

    service: str
    arn: str
    read: Callable[[], str]
    """The text of its policy; empty without one."""
    write: Callable[[str], object]

    @property
    def granted(self) -> str:
        """What a statement about it is about."""
        return f"{self.arn}/*" if self.service == "s3" else self.arn

    @property
    def allow(self) -> dict:
        """What a ceiling has to allow, and what a statement says."""
        return {"Action": ACTIONS[self.service], "Resource": self.granted}

    def theirs(self) -> str:
        """A statement of its owner, laid out as nobody else would."""
        return (
            '{"Sid" :"OfTheOwner",\n      "Effect": "Allow",  "Principal": {"AWS": "arn:aws:iam::123456789012:root"},'
            f' "Action" : ["{ACTIONS[self.service]}"],\n "Resource":\t"{self.granted}" }}'
        )

    def statements(self, sid: str | None = None) -> list[dict]:
        """The statements of its policy, or those with a Sid."""
        found = json.loads(self.read() or '{"Statement": []}')["Statement"]
        return [s for s in found if sid is None or s.get("Sid") == sid]


def bucket(scenario: Scenario, name: str) -> Resource:
    s3 = scenario.aws.client("s3")
    s3.create_bucket(Bucket=name)

    def read() -> str:
        try:
            return s3.get_bucket_policy(Bucket=name)["Policy"]
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                raise
            return ""

    return Resource("s3", f"arn:aws:s3:::{name}", read, lambda text: s3.put_bucket_policy(Bucket=name, Policy=text))


def queue(scenario: Scenario, name: str) -> Resource:
    sqs = scenario.aws.client("sqs", region=REGION)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return Resource(
        "sqs",
        f"arn:aws:sqs:{REGION}:{HOME}:{name}",
        lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy", ""),
        lambda text: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text}),
    )


def topic(scenario: Scenario, name: str) -> Resource:
    sns = scenario.aws.client("sns", region=REGION)
    arn = sns.create_topic(Name=name)["TopicArn"]
    return Resource(
        "sns",
        arn,
        lambda: sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"],
        lambda text: sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text),
    )


MAKERS = {"s3": bucket, "sqs": queue, "sns": topic}


@pytest.fixture
def resource(scenario):
    """Makes resources of a kind; Deputy's identities know of their names."""
    return lambda service="s3": MAKERS[service](scenario, f"granted-{next(_numbers)}")


def policy_of(*statements: str, version: str = "2012-10-17") -> str:
    """A policy as an owner writes it, of statements as they are laid out."""
    return f'{{ "Version": "{version}", "Id": "owner",\n "Statement": [\n  {", ".join(statements)}\n ] }}'


def statement(namespace: str, about: Resource, *roles: str, name: str = "grant", **says: object) -> dict:
    """An AWSResourcePolicyStatement for roles of the namespace."""
    return {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "AWSResourcePolicyStatement",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accountRef": {"name": ACCOUNT},
            "resourceARN": about.arn,
            "principals": [{"kind": "AWSRole", "name": role} for role in roles or ("uploader",)],
            "statement": {**about.allow, **says},
        },
    }


def path(team, name: str = "grant") -> str:
    return f"{API}/namespaces/{team.name}/awsresourcepolicystatements/{name}"


def look(team, name: str = "grant") -> None:
    """Has AWS looked at, whatever Deputy knows of the statement."""
    requested = {"deputy.dev/reconcile-requested-at": str(time.time())}
    team.admin.patch(path(team, name), {"metadata": {"annotations": requested}})


def role_arn(team, name: str = "uploader") -> str:
    return team.admin.get(team.role_path(name))["status"]["roleARN"]


def principals(found: dict) -> set[str]:
    """Whom a statement names; AWS shows one principal as text."""
    named = found["Principal"]["AWS"]
    return {named} if isinstance(named, str) else set(named)


@pytest.fixture
def granted(scenario, new_team):
    """A namespace with a role, whose limit allows statements about a resource."""

    def make(about: Resource, **spec: object):
        team = new_team(ceiling=(LIST, READ, {"Effect": "Allow", **about.allow}), resourcePolicies=[about.arn], **spec)
        team.role("uploader", READ)
        return team

    return make


def in_aws(team, about: Resource, name: str = "grant") -> dict:
    """Waits until a statement is ready; the one statement of its Sid."""
    team.scenario.wait(path(team, name), "Ready", "True")
    sid = team.admin.get(path(team, name))["status"]["sid"]
    [found] = about.statements(sid)
    return found


@pytest.mark.parametrize("service", KINDS)
def test_a_statement_stands_beside_those_of_others_and_goes_with_its_object(scenario, granted, resource, service):
    about = resource(service)
    before = policy_of(about.theirs())
    about.write(before)
    team = granted(about)
    scenario.create(statement(team.name, about))
    found = in_aws(team, about)
    assert found["Effect"] == "Allow" and principals(found) == {role_arn(team)}, found
    assert found["Action"] in (ACTIONS[service], [ACTIONS[service]]), found
    assert found["Sid"].startswith("Deputy") and len(found["Sid"]) == 32 and found["Sid"].isalnum(), found
    assert about.theirs() in about.read(), "another's statement has every byte"
    status = team.admin.get(path(team))["status"]
    assert status["principalARNs"] == [role_arn(team)], status
    team.admin.delete(path(team))
    scenario.wait_gone(path(team))
    assert about.theirs() in about.read()
    assert json.loads(about.read()) == json.loads(before)


@pytest.mark.parametrize("service", ["s3", "sqs"])
def test_where_it_is_the_only_one_the_policy_comes_and_goes_with_it(scenario, granted, resource, service):
    about = resource(service)
    team = granted(about)
    assert about.read() == ""
    scenario.create(statement(team.name, about))
    found = in_aws(team, about)
    assert json.loads(about.read()) == {"Version": "2012-10-17", "Statement": [found]}
    team.admin.delete(path(team))
    scenario.wait_gone(path(team))
    assert about.read() == ""


def test_the_policy_that_aws_gives_a_topic_stays(scenario, granted, resource):
    about = resource("sns")
    before = json.loads(about.read())
    team = granted(about)
    scenario.create(statement(team.name, about))
    found = in_aws(team, about)
    assert json.loads(about.read()) == {**before, "Statement": [*before["Statement"], found]}
    team.admin.delete(path(team))
    scenario.wait_gone(path(team))
    assert json.loads(about.read()) == before


def test_what_somebody_changes_in_aws_is_written_again(scenario, granted, resource):
    about = resource()
    about.write(policy_of(about.theirs()))
    team = granted(about)
    scenario.create(statement(team.name, about))
    found = in_aws(team, about)
    wider = json.dumps({**found, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}})
    # Without it, and not as it was before Deputy wrote: for a minute that may be what AWS still shows.
    without = policy_of(about.theirs(), about.theirs().replace("OfTheOwner", "AnotherOne"))
    for drifted in (policy_of(about.theirs(), wider), without, policy_of(about.theirs(), wider, wider)):
        about.write(drifted)
        look(team)
        wait_until(lambda: about.statements(found["Sid"]) == [found], f"{drifted} repaired", 20)
        assert about.theirs() in about.read()

    def told() -> bool:
        events = team.admin.get("/apis/events.k8s.io/v1/events")["items"]
        return any(e["reason"] == "DriftReverted" and e["regarding"].get("namespace") == team.name for e in events)

    wait_until(told, "an event about the drift", 20)


def test_an_edit_of_the_object_is_an_edit_of_its_statement(scenario, granted, resource):
    about = resource()
    team = granted(about)
    scenario.create(statement(team.name, about))
    before = in_aws(team, about)
    narrower = f"{about.arn}/reports/*"
    team.admin.patch(path(team), {"spec": {"statement": {"Resource": narrower}}})
    after = in_aws(team, about)
    assert after["Sid"] == before["Sid"] and after["Resource"] in (narrower, [narrower]), after


def test_a_statement_of_somebody_else_with_its_sid_is_left_alone(scenario, granted, resource):
    about = resource()
    team = granted(about)
    scenario.create(statement(team.name, about))
    sid = in_aws(team, about)["Sid"]
    team.admin.delete(path(team))
    scenario.wait_gone(path(team))
    foreign = policy_of(about.theirs().replace("OfTheOwner", sid))
    about.write(foreign)
    scenario.create(statement(team.name, about))
    scenario.wait(path(team), "Ready", "False", "Conflict")
    assert about.read() == foreign
    team.admin.delete(path(team))
    scenario.wait_gone(path(team))
    assert about.read() == foreign, "what was never ours does not go with the object"


def test_a_policy_that_is_not_understood_is_left_alone(scenario, granted, resource):
    about = resource()
    odd = policy_of(about.theirs().replace('"Effect"', '"Elsewhere": {}, "Effect"'))
    about.write(odd.replace('"Id"', '"Unheard": 1, "Id"'))
    text = about.read()
    team = granted(about)
    scenario.create(statement(team.name, about))
    scenario.wait(path(team), "Ready", "False")
    assert about.read() == text


def test_what_a_limit_allows_no_more_is_taken_out(scenario, granted, resource):
    about = resource()
    about.write(policy_of(about.theirs()))
    team = granted(about)
    scenario.create(statement(team.name, about))
    sid = in_aws(team, about)["Sid"]
    meant = {"metadata": {"annotations": {"deputy.dev/accept-suspending": "1000"}}, "spec": {"resourcePolicies": []}}
    team.admin.patch(team.limit_path, meant)
    scenario.wait(path(team), "Accepted", "False", "ResourcePolicy")
    wait_until(lambda: not about.statements(sid), "the statement is out", 20)
    assert about.theirs() in about.read()
    team.admin.patch(team.limit_path, {"spec": {"resourcePolicies": [about.arn]}})
    assert in_aws(team, about)["Sid"] == sid


def test_a_principal_may_come_later_and_go_again(scenario, granted, resource):
    about = resource()
    team = granted(about)
    scenario.create(statement(team.name, about, "uploader", "later"))
    found = scenario.wait(path(team), "Ready", "False", "PrincipalNotReady")
    assert "later" in found["message"], found
    sid = team.admin.get(path(team))["status"]["sid"]
    wait_until(lambda: [principals(s) for s in about.statements(sid)] == [{role_arn(team)}], "the one that is there", 20)
    team.role("later", READ)
    assert principals(in_aws(team, about)) == {role_arn(team), role_arn(team, "later")}
    for name in ("later", "uploader"):
        team.admin.delete(team.role_path(name))
    wait_until(lambda: not about.statements(sid), "nobody left to name", 20)


def test_a_federated_user_is_named_by_its_arn(scenario, new_team, resource):
    about = resource()
    team = new_team(
        ceiling=(LIST, {"Effect": "Allow", **about.allow}), resourcePolicies=[about.arn], federatedUsers=["Manager*"]
    )
    manifest = statement(team.name, about)
    manifest["spec"]["principals"] = [{"kind": "AWSFederatedUserBinding", "name": "manager"}]
    scenario.create(manifest)
    scenario.wait(path(team), "Ready", "False", "PrincipalNotReady")
    assert about.read() == ""
    user = {
        "accountRef": {"name": ACCOUNT},
        "userName": f"Manager-{next(_numbers)}",
        "subjects": [{"kind": "ServiceAccount", "name": "reports"}],
        "session": {"resourcePolicyOnly": True},
    }
    meta = {"name": "manager", "namespace": team.name}
    scenario.create({"apiVersion": "deputy.dev/v1alpha1", "kind": "AWSFederatedUserBinding", "metadata": meta, "spec": user})
    assert principals(in_aws(team, about)) == {f"arn:aws:sts::{HOME}:federated-user/{user['userName']}"}


def test_what_is_beyond_the_limit_is_refused_with_what_is_allowed(scenario, granted, resource):
    about, another = resource(), resource()
    team = granted(about)
    refused = scenario.refusal(statement(team.name, another))
    assert refused.code == 403 and "ResourcePolicy" in refused.message and about.arn in refused.message, refused.message
    wide = scenario.refusal(statement(team.name, about, Action=["s3:GetObject", "s3:DeleteObject"]))
    assert wide.code == 403 and "ExceedsLimit" in wide.message and "s3:DeleteObject" in wide.message, wide.message
    with scenario.without_validation():
        scenario.create(statement(team.name, about, Action="s3:DeleteObject"))
    scenario.wait(path(team), "Accepted", "False", "ExceedsLimit")
    assert about.read() == ""


@pytest.mark.parametrize(
    "says",
    [
        {"Sid": "Mine"},
        {"Principal": "*"},
        {"NotPrincipal": {"AWS": "*"}},
        {"Effect": "Deny"},
        {"Action": "sqs:SendMessage"},
        {"Resource": "arn:aws:s3:::another-bucket/*"},
        {"Resource": "*"},
    ],
)
def test_what_is_not_the_namespaces_to_say_is_refused(scenario, granted, resource, says):
    about = resource()
    refused = scenario.refusal(statement(granted(about).name, about, **says))
    assert next(iter(says)) in refused.message or next(iter(says.values())) in refused.message, refused.message


@pytest.mark.parametrize(
    "arn", ["arn:aws:s3:::granted-1/*", "arn:aws:s3:::granted-*", "arn:aws:iam::123456789012:role/x", "arn:aws:sqs:*:1:x"]
)
def test_the_api_server_refuses_what_is_no_resource(scenario, resource, arn):
    manifest = statement("default", resource())
    manifest["spec"]["resourceARN"] = arn
    with scenario.without_validation():
        assert "should match" in scenario.refusal(manifest).message


def test_resource_and_account_stay(scenario, granted, resource):
    about = resource()
    team = granted(about)
    scenario.create(statement(team.name, about))
    with scenario.without_validation():
        for field, value in (("resourceARN", "arn:aws:s3:::granted-others"), ("accountRef", {"name": "other"})):
            with pytest.raises(Exception, match="is immutable"):
                team.admin.patch(path(team), {"spec": {field: value}})


FINALIZER = "deputy.dev/aws"
ANOTHER = "example.com/another"


def with_finalizers(*names: str) -> dict:
    return {"metadata": {"finalizers": list(names)}}


@pytest.fixture
def namespace_admin(scenario):
    """Somebody with what the chart adds to the role `admin`, in one namespace: nothing aggregates here."""

    def make(team) -> ApiClient:
        person = Person.of(scenario.deputy, f"admin-of-{team.name}@example.com")
        for role in ("deputy-aggregate-to-admin", "deputy-aggregate-to-view"):
            people.bind(scenario.deputy, team.name, role, "User", person.name)
        wait_until(lambda: person.client.get(path(team).rpartition("/")[0]), "the bindings count", 10)
        return person.client

    return make


def kept(call: Callable[..., object], *arguments: object) -> str:
    """What somebody is told who would take the finalizer off."""
    with pytest.raises(ApiError) as refused:
        call(*arguments)
    assert refused.value.code == 403 and f"the finalizer {FINALIZER} keeps this object" in refused.value.message, refused.value
    return refused.value.message


def test_the_finalizer_is_not_the_namespaces_to_take_off(scenario, granted, resource, namespace_admin):
    about = resource()
    team = granted(about)
    user = namespace_admin(team)
    user.create(path(team).rpartition("/")[0], statement(team.name, about))
    sid = in_aws(team, about)["Sid"]
    with scenario.without_validation():
        said = kept(user.patch, path(team), with_finalizers())
        assert sid in said and about.arn in said and "only who may update AWSAccounts takes it off" in said, said
        kept(user.patch, path(team), with_finalizers(ANOTHER))
        whole = user.get(path(team))
        del whole["metadata"]["finalizers"]
        kept(user.replace, path(team), whole)
    # Other finalizers are, and all else about the object.
    both = {"metadata": {"finalizers": [ANOTHER, FINALIZER], "labels": {"team": "blue"}}}
    assert user.patch(path(team), both)["metadata"]["finalizers"] == [ANOTHER, FINALIZER]
    # An object that is being deleted, and has to wait for AWS, is the same.
    scenario.aws.recorder.inject("DeleteBucketPolicy", code="AccessDenied", status=403)
    mark = scenario.aws.recorder.mark()
    user.delete(path(team))
    scenario.aws.recorder.wait_for("DeleteBucketPolicy", since=mark)
    kept(user.patch, path(team), with_finalizers(ANOTHER))
    scenario.aws.recorder.clear_faults()
    look(team)
    wait_until(lambda: user.get(path(team))["metadata"]["finalizers"] == [ANOTHER], "the controller took its own off", 30)
    assert not about.statements(sid)
    user.patch(path(team), with_finalizers())
    scenario.wait_gone(path(team))


def test_nobody_of_a_namespace_takes_the_sid_from_the_status(scenario, granted, resource, namespace_admin):
    about = resource()
    team = granted(about)
    user = namespace_admin(team)
    # In this namespace, all: no right that the chart gives.
    people.bind(scenario.deputy, team.name, "cluster-admin", "User", f"admin-of-{team.name}@example.com")
    scenario.create(statement(team.name, about))
    sid = in_aws(team, about)["Sid"]
    status = f"{path(team)}/status"
    wait_until(lambda: user.patch(status, {"status": {"observedGeneration": 1}}), "the binding counts", 10)
    for other in (None, "Deputyaaaaaaaaaaaaaaaaaaaaaaaaaa"):
        with pytest.raises(ApiError, match=f"by status.sid .{sid}. deputy controller knows the statement") as refused:
            user.patch(status, {"status": {"sid": other}})
        assert refused.value.code == 403
    with pytest.raises(ApiError, match="by status.sid"):
        user.patch(status, {"status": None})
    kept(user.patch, path(team), with_finalizers())


def test_a_finalizer_that_holds_nothing_may_be_taken_off(scenario, granted, resource, namespace_admin):
    about = resource()
    team = granted(about)
    user = namespace_admin(team)
    manifest = statement(team.name, about, "nobody-yet")
    manifest["metadata"]["finalizers"] = [FINALIZER]
    user.create(path(team).rpartition("/")[0], manifest)
    scenario.wait(path(team), "Ready", "False", "PrincipalNotReady")
    assert "sid" not in user.get(path(team))["status"]
    assert "finalizers" not in user.patch(path(team), with_finalizers())["metadata"]


def test_a_platform_administrator_may_take_the_finalizer_off(scenario, granted, resource):
    about = resource()
    team = granted(about)
    scenario.create(statement(team.name, about))
    sid = in_aws(team, about)["Sid"]
    # While nobody puts it on again.
    controller = scenario.deputy.processes["controller"]
    controller.stop()
    assert "finalizers" not in team.admin.patch(path(team), with_finalizers())["metadata"]
    team.admin.delete(path(team))
    scenario.wait_gone(path(team))
    assert about.statements(sid), "what is in AWS stays, for him to remove"
    about.write(policy_of(about.theirs()))
    scenario.deputy.start_process("controller")
