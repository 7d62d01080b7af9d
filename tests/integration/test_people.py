"""People ask the API server for credentials of AWSRoleBindings that name them, and get what each binding says."""

import base64
import json
import re
from datetime import datetime, timedelta, timezone

import pytest

from rig import extension, people
from rig.apiclient import ApiError
from rig.deputy import PEOPLE_SERVICE
from rig.people import Person
from rig.proc import wait_until

from .scenario import API, LIST, READ, Team, binding, document
from .test_broker import assumed, tags
from .test_revocation import may_read, wait_cut

ALICE, BOB = "alice@example.com", "bob@example.com"
PEOPLE = {"users": ["*@example.com"], "groups": ["sre"]}


def user(name: str) -> dict:
    return {"kind": "User", "name": name}


def group(name: str) -> dict:
    return {"kind": "Group", "name": name}


def bound(team: Team, *subjects: dict, name: str = "uploader", **session: object) -> dict:
    """A binding of the role for people, ready."""
    manifest = binding(team.name, name, "uploader", **session)
    manifest["spec"]["subjects"] = list(subjects)
    made = team.scenario.create(manifest)
    team.wait_binding(name)
    return made


def refusal(person: Person, namespace: str, name: str = "uploader", body: object = None) -> ApiError:
    """Why somebody gets nothing. The answer is a Status, whatever it is."""
    with pytest.raises(ApiError) as refused:
        person.ask(namespace, name, body)
    assert (refused.value.status["kind"], refused.value.status["apiVersion"]) == ("Status", "v1"), refused.value
    assert refused.value.status["code"] == refused.value.code, refused.value
    return refused.value


def cause(error: ApiError) -> str:
    """Which of the contract's reasons a refusal has."""
    return "".join(c["reason"] for c in error.status.get("details", {}).get("causes", []))


def wait_refused(person: Person, namespace: str, reason: str, name: str = "uploader") -> ApiError:
    """Asks until the refusal has that reason."""

    def refused() -> ApiError | None:
        try:
            person.ask(namespace, name)
        except ApiError as error:
            return error if cause(error) == reason else None
        return None

    return wait_until(refused, f"refused with {reason}", 20)


def wait_session(person: Person, namespace: str, name: str = "uploader", **spec: object) -> dict:
    """Asks until there is a session; the answer."""
    return wait_until(lambda: person.ask(namespace, name, people.request(**spec)), f"a session for {person.name}", 20)


@pytest.fixture(scope="module")
def alice(scenario) -> Person:
    return Person.of(scenario.deputy, ALICE, "sre", "mfa")


@pytest.fixture(scope="module")
def bob(scenario) -> Person:
    return Person.of(scenario.deputy, BOB, "developers")


@pytest.fixture
def make(new_team, alice, bob):
    """Makes a namespace whose limit allows people, with a role, where Alice and Bob may ask."""

    def made(**more: object) -> Team:
        team = new_team(people={**PEOPLE, **more})
        team.role("uploader", LIST, READ)
        for person in (alice, bob):
            person.may_ask(team.name)
        return team

    return made


@pytest.fixture
def granted(make, alice) -> Team:
    """A namespace where a binding names Alice."""
    team = make()
    bound(team, user(ALICE))
    wait_session(alice, team.name)
    return team


def s3_of(team: Team, answer: dict):
    return team.aws.client("s3", people.session(answer))


# --- sessions


def test_a_person_gets_a_session_of_what_the_role_allows(make, alice):
    team = make()
    bound(team, user(ALICE))
    answer = wait_session(alice, team.name)
    assert (answer["kind"], answer["apiVersion"]) == ("CredentialRequest", "credentials.deputy.dev/v1alpha1")
    assert (answer["metadata"]["name"], answer["metadata"]["namespace"]) == ("uploader", team.name)
    status = answer["status"]
    assert status["accessKeyID"].startswith("ASIA") and status["secretAccessKey"] and status["sessionToken"]
    arn = team.admin.get(team.role_path())["status"]["roleARN"]
    told = (status["accountID"], status["region"], status["roleARN"], status["sessionName"])
    assert told == ("123456789012", "ap-northeast-1", arn, ALICE)
    ends = datetime.fromisoformat(status["expirationTimestamp"])
    assert timedelta(minutes=50) < ends - datetime.now(timezone.utc) <= timedelta(hours=1)
    s3 = s3_of(team, answer)
    assert may_read(s3)
    for call in (s3.put_object, s3.delete_object):
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            call(Bucket="productionapp", Key="upload.txt")
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.get_object(Bucket="customer-records", Key="report.txt")
    who = team.aws.client("sts", people.session(answer)).get_caller_identity()["Arn"]
    assert who.endswith(f"{team.aws_name()}/{ALICE}"), who


def test_the_session_says_in_aws_who_it_is(scenario, granted):
    call = assumed(scenario, granted)[-1].parameters
    assert call["RoleSessionName"] == call["SourceIdentity"] == ALICE
    told = tags(call)
    assert {k: told[k] for k in ("deputy-cluster", "deputy-namespace")} == {
        "deputy-cluster": "demo",
        "deputy-namespace": granted.name,
    }
    assert told["deputy-person"] and "deputy-service-account" not in told, told
    statements = granted.in_aws()["AssumeRolePolicyDocument"]["Statement"]
    assert {s["Sid"] for s in statements} == {"AssumeRole", "TagSession", "SetSourceIdentity"}


def test_the_session_policy_and_the_tags_of_the_binding_count(scenario, make, alice):
    team = make()
    bound(team, user(ALICE), policy=document(LIST), tags={"team": "blue"})
    answer = wait_session(alice, team.name)
    s3 = s3_of(team, answer)
    assert not may_read(s3) and s3.list_objects_v2(Bucket="productionapp")["Contents"]
    assert tags(assumed(scenario, team)[-1].parameters)["team"] == "blue"


def test_the_audit_log_says_who_got_what_and_who_did_not(scenario, granted, alice, bob):
    refusal(bob, granted.name)

    def mine() -> list[dict]:
        return [line for line in scenario.deputy.audit_lines() if line.get("namespace") == granted.name]

    # They are written a moment after the answer.
    wait_until(lambda: any(line.get("user") == BOB for line in mine()), "the audit line of the refusal", 5)
    lines = mine()
    by_event = {line["event"]: line for line in lines if line.get("user") in (ALICE, BOB)}
    assert by_event["SessionIssued"]["user"] == by_event["SessionDelivered"]["user"] == ALICE
    assert by_event["Refused"]["user"] == BOB
    for line in lines:
        assert "service_account" not in line and "pod" not in line, line
        assert line["binding"] == f"{granted.name}/uploader", line


def test_a_group_is_named_in_place_of_everybody_in_it(scenario, make, alice, bob):
    team = make()
    bound(team, group("sre"))
    assert may_read(s3_of(team, wait_session(alice, team.name)))
    assert cause(refusal(bob, team.name)) == "NotASubject"
    carol = Person.of(scenario.deputy, "carol@elsewhere.example", "sre")
    carol.may_ask(team.name)
    # Of the limit: who is named, the group, has to be allowed, and not everybody in it.
    answer = wait_session(carol, team.name)
    assert answer["status"]["sessionName"] == "carol@elsewhere.example"
    assert answer["status"]["accessKeyID"] != wait_session(alice, team.name)["status"]["accessKeyID"]


def test_the_same_person_gets_the_same_session_again(scenario, granted, alice):
    first, second = (alice.ask(granted.name, "uploader")["status"] for _ in range(2))
    assert first == second
    # Before IAM shows the role's new trust policy, STS refuses.
    assert len([c for c in assumed(scenario, granted) if not c.error_code]) == 1


def test_the_duration_is_asked_for_and_has_bounds(scenario, make, alice):
    team = make()
    bound(team, user(ALICE))
    answer = wait_session(alice, team.name, durationSeconds=1800)
    assert answer["spec"]["durationSeconds"] == 1800
    assert assumed(scenario, team)[-1].parameters["DurationSeconds"] == "1800"
    longer = wait_session(alice, team.name, durationSeconds=3600)
    assert longer["status"]["expirationTimestamp"] > answer["status"]["expirationTimestamp"]
    # Whole quarters of an hour: what is over is left out.
    assert alice.ask(team.name, "uploader", people.request(durationSeconds=3601)) == longer
    for seconds in (0, 899, 1799, 4500, 43200):
        error = refusal(alice, team.name, body=people.request(durationSeconds=seconds))
        assert (error.code, error.reason, cause(error)) == (422, "Invalid", "Duration"), (seconds, error)
    assert {c.parameters["DurationSeconds"] for c in assumed(scenario, team)} == {"1800", "3600"}


# --- refusals


def test_without_a_right_in_rbac_nobody_asks(scenario, granted):
    dave = Person.of(scenario.deputy, "dave@example.com", "sre")
    error = refusal(dave, granted.name)
    assert (error.code, error.reason, cause(error)) == (403, "Forbidden", "")
    assert 'User "dave@example.com" cannot create resource "awsrolebindings/credentials"' in error.message
    # A right on the bindings themselves is another one.
    for role in ("deputy-aggregate-to-admin", "deputy-aggregate-to-view"):
        people.bind(scenario.deputy, granted.name, role, "User", dave.name)
    bindings = f"{API}/namespaces/{granted.name}/awsrolebindings"
    wait_until(lambda: dave.client.get(bindings), "Dave reads bindings", 10)
    wait_until(lambda: dave.client.patch(f"{bindings}/uploader", {}), "Dave writes bindings", 10)
    assert cause(refusal(dave, granted.name)) == ""
    lines = [line for line in scenario.deputy.audit_lines() if line.get("user") == dave.name]
    assert lines == [], "the API server refused, before anything reached the broker"


def test_who_is_not_a_subject_gets_nothing(scenario, granted, bob):
    error = refusal(bob, granted.name)
    assert (error.code, error.reason, cause(error)) == (403, "Forbidden", "NotASubject")
    details = error.status["details"]
    assert (details["group"], details["kind"], details["name"]) == ("credentials.deputy.dev", "awsrolebindings", "uploader")
    assert BOB in error.message
    # Not even somebody whom RBAC lets do everything.
    with pytest.raises(ApiError) as refused:
        scenario.admin.create(people.path(granted.name, "uploader"), people.request())
    assert cause(refused.value) == "NotASubject"
    # A ServiceAccount is no person, and its binding is no person's.
    granted.granted("reports", READ)
    assert cause(refusal(bob, granted.name, "reports")) == "NotASubject"
    assert [c for c in assumed(scenario, granted) if c.parameters["RoleSessionName"] != ALICE] == []


def test_a_binding_that_is_not_there_is_not_found(granted, alice):
    error = refusal(alice, granted.name, "nothing")
    assert (error.code, error.reason, cause(error)) == (404, "NotFound", "NoBinding")


def test_what_a_limit_does_not_allow_is_refused_with_its_name(scenario, granted, alice):
    scenario.admin.patch(granted.limit_path, {"spec": {"people": {"users": ["*@partner.example"]}}})
    error = wait_refused(alice, granted.name, "NotAccepted")
    assert (error.code, error.reason) == (403, "Forbidden")
    assert f'limit "{granted.name}"' in error.message and "*@partner.example" in error.message, error.message
    scenario.admin.patch(granted.limit_path, {"spec": {"people": PEOPLE}})
    wait_session(alice, granted.name)


def test_a_limit_asks_for_a_group_of_who_signed_in_with_a_second_factor(scenario, make, alice):
    team = make(mfaGroups=["mfa"])
    bound(team, user(ALICE))
    without = Person.of(scenario.deputy, ALICE, "sre")
    wait_session(alice, team.name)
    error = refusal(without, team.name)
    assert (error.code, error.reason, cause(error)) == (403, "Forbidden", "MFAGroup")
    assert "mfa" in error.message
    scenario.admin.patch(team.limit_path, {"spec": {"people": {"mfaGroups": None}}})
    wait_session(without, team.name)


def test_a_limit_says_how_long_the_sessions_of_people_are(scenario, make, alice):
    team = make(maxDuration="30m")
    manifest = binding(team.name, "uploader", "uploader", duration="1h")
    manifest["spec"]["subjects"] = [user(ALICE)]
    assert "30m" in scenario.refusal(manifest).message
    bound(team, user(ALICE), duration="30m")
    wait_session(alice, team.name)
    assert assumed(scenario, team)[-1].parameters["DurationSeconds"] == "1800"
    assert cause(refusal(alice, team.name, body=people.request(durationSeconds=3600))) == "Duration"


def test_a_body_that_is_too_large_or_not_what_is_asked_is_refused(scenario, granted, alice):
    before = len(assumed(scenario, granted))
    large = json.dumps(people.request()).encode() + b" " * (16 * 1024)
    bad = {
        "large": (large, {413}),
        "not JSON": (b"durationSeconds: 900", {400}),
        "a list": (b"[]", {400, 422}),
        "another kind": (json.dumps({**people.request(), "kind": "TokenReview"}).encode(), {400, 422}),
        "another group": (json.dumps({**people.request(), "apiVersion": "deputy.dev/v1alpha1"}).encode(), {400, 422}),
        "no number": (json.dumps(people.request(durationSeconds="900")).encode(), {400, 422}),
        "a fraction": (json.dumps(people.request(durationSeconds=900.5)).encode(), {400, 422}),
        "negative": (json.dumps(people.request(durationSeconds=-900)).encode(), {400, 422}),
    }
    for what, (body, codes) in bad.items():
        error = refusal(alice, granted.name, body=body)
        assert error.code in codes, (what, error)
    assert len(assumed(scenario, granted)) == before


def test_nothing_but_create_is_served(scenario, granted):
    path = people.path(granted.name, "uploader")
    for method in ("GET", "PUT", "DELETE"):
        with pytest.raises(ApiError) as refused:
            scenario.admin.call(method, path, None if method == "GET" else {})
        assert refused.value.code in (404, 405), (method, refused.value)
    for other in (path.removesuffix("/credentials"), path.rpartition("/uploader")[0], f"{path}/more", f"{people.API}/nothing"):
        with pytest.raises(ApiError) as refused:
            scenario.admin.create(other, people.request())
        assert refused.value.code in (404, 405), (other, refused.value)


def test_there_is_no_trying(scenario, granted, alice):
    before = len(assumed(scenario, granted))
    with pytest.raises(ApiError) as refused:
        alice.client.create(f"{people.path(granted.name, 'uploader')}?dryRun=All", people.request())
    assert refused.value.code == 400 and len(assumed(scenario, granted)) == before


def test_aws_may_refuse_or_be_away(scenario, make, alice):
    team = make()
    bound(team, user(ALICE))
    team.wait_trusted()
    ours = {"when": lambda call: f".{team.name}." in call.get("RoleArn", "")}
    scenario.aws.recorder.inject("AssumeRole", code="Throttling", status=400, **ours)
    error = wait_refused(alice, team.name, "Throttled")
    assert (error.code, error.reason) == (503, "ServiceUnavailable")
    assert error.status["details"]["retryAfterSeconds"] > 0
    scenario.aws.recorder.clear_faults()
    wait_session(alice, team.name)


# --- changes


def test_removing_a_subject_cuts_the_running_session_in_aws(scenario, make, alice, bob):
    team = make()
    bound(team, user(ALICE), user(BOB))
    running = {p.name: s3_of(team, wait_session(p, team.name)) for p in (alice, bob)}
    assert all(may_read(s3) for s3 in running.values())
    scenario.admin.patch(team.binding_path(), {"spec": {"subjects": [user(BOB)]}})
    took = wait_cut(running[ALICE], "the session of who was removed")
    print(f"a running session was refused {took:.1f} s after its person was removed")
    assert may_read(running[BOB]), "who shares the role keeps working"
    assert cause(wait_refused(alice, team.name, "NotASubject")) == "NotASubject"


def test_the_sessions_of_a_group_that_is_removed_end(scenario, make, alice, bob):
    team = make()
    bound(team, group("sre"), user(BOB))
    running = {p.name: s3_of(team, wait_session(p, team.name)) for p in (alice, bob)}
    scenario.admin.patch(team.binding_path(), {"spec": {"subjects": [user(BOB)]}})
    wait_cut(running[ALICE], "the session of whose group was removed")
    assert may_read(running[BOB])


def test_a_narrower_session_policy_ends_the_sessions_before_it(scenario, make, alice):
    team = make()
    bound(team, user(ALICE), policy=document(LIST, READ))
    running = s3_of(team, wait_session(alice, team.name))
    assert may_read(running)
    scenario.admin.patch(team.binding_path(), {"spec": {"session": {"policy": document(LIST)}}})
    wait_cut(running, "the session with the former policy")

    def listing() -> bool:
        s3 = s3_of(team, alice.ask(team.name, "uploader"))
        return bool(s3.list_objects_v2(Bucket="productionapp")["Contents"]) and not may_read(s3)

    wait_until(listing, "a session with the new policy", 20)


def test_a_broker_that_starts_again_goes_on(scenario, granted, alice):
    scenario.deputy.restart("broker")
    extension.wait_available(scenario.cluster, PEOPLE_SERVICE)
    assert may_read(s3_of(granted, wait_session(alice, granted.name)))


def test_a_bundle_that_somebody_changes_is_written_back(scenario, granted, alice):
    path = f"{extension.APISERVICES}/{PEOPLE_SERVICE}"
    good = scenario.admin.get(path)["spec"]["caBundle"]
    other = (scenario.cluster.folder / "pki" / "ca.crt").read_bytes()
    for bundle in (None, "", base64.b64encode(other).decode()):
        scenario.admin.patch(path, {"spec": {"caBundle": bundle}})
        wait_until(lambda: scenario.admin.get(path)["spec"].get("caBundle") == good, "caBundle is written back", 20)
    extension.wait_available(scenario.cluster, PEOPLE_SERVICE)
    wait_session(alice, granted.name)


def test_a_namespace_can_still_be_deleted(scenario, granted):
    scenario.admin.delete(f"{API}/namespaces/{granted.name}/awsrolebindings")
    scenario.admin.delete(f"{API}/namespaces/{granted.name}/awsroles")
    granted.scenario.wait_gone(granted.role_path(), 60)
    granted.cluster.delete_namespace(granted.name, 60)


# --- discovery


def test_kubectl_finds_the_api_and_nothing_of_deputys_own_kinds_changes(scenario, granted, alice):
    def kubectl(*words: str, person: Person | None = alice, **more: object) -> str:
        config = person.kubeconfig if person else None
        return scenario.cluster.kubectl(*words, kubeconfig=config, **more).stdout

    [group_found] = [g for g in json.loads(kubectl("get", "--raw", "/apis"))["groups"] if g["name"] == people.GROUP]
    assert [v["version"] for v in group_found["versions"]] == ["v1alpha1"]
    found = json.loads(kubectl("get", "--raw", people.API))
    assert found["groupVersion"] == "credentials.deputy.dev/v1alpha1"
    named = {r["name"]: (r["kind"], r["namespaced"], r["verbs"]) for r in found["resources"]}
    assert named == {
        "awsrolebindings": ("CredentialRequest", True, []),
        "awsrolebindings/credentials": ("CredentialRequest", True, ["create"]),
    }
    question = ("auth", "can-i", "create", f"awsrolebindings.{people.GROUP}", "--subresource=credentials", "-n")
    assert kubectl(*question, granted.name).strip() == "yes"
    allowed = re.compile(r"^awsrolebindings\.credentials\.deputy\.dev/credentials .*\[create\]$", re.M)
    assert allowed.search(kubectl("auth", "can-i", "--list", "-n", granted.name))
    assert not allowed.search(kubectl("auth", "can-i", "--list", "-n", "default"))
    rows = [line for line in kubectl("api-resources").splitlines() if line.startswith("awsrolebindings")]
    assert len(rows) == 1 and " deputy.dev/v1alpha1 " in rows[0], rows
    listed = kubectl("get", "awsrolebindings", "-n", granted.name, "-o", "name", person=None)
    assert listed.strip() == "awsrolebinding.deputy.dev/uploader"
    created = kubectl("create", "--raw", people.path(granted.name, "uploader"), "-f", "-", input=json.dumps(people.request()))
    assert re.fullmatch(r"ASIA[A-Z0-9]+", json.loads(created)["status"]["accessKeyID"])


def test_openapi_describes_the_request(scenario, granted):
    third = scenario.admin.get("/openapi/v3/apis/credentials.deputy.dev/v1alpha1")
    path = f"{people.API}/namespaces/{{namespace}}/awsrolebindings/{{name}}/credentials"
    assert third["openapi"].startswith("3.") and "post" in third["paths"][path]
    text = json.dumps(third)
    assert "durationSeconds" in text and "CredentialRequest" in text
    # The API server merges version 2 of all servers into one document, and looks for it again only now and then.
    assert "openapi/v3/apis/credentials.deputy.dev/v1alpha1" in json.dumps(scenario.admin.get("/openapi/v3"))

    def second() -> list[dict]:
        definitions = scenario.admin.get("/openapi/v2")["definitions"]
        return [schema for name, schema in definitions.items() if name.endswith("CredentialRequest")]

    assert "durationSeconds" in json.dumps(wait_until(second, "version 2 has the request", 70))
