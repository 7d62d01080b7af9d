"""Whose token it is: by the keys of the API server, which is asked only where they do not tell."""

import threading

from rig.cluster import FORMER_ISSUER
from rig.proc import wait_until

from .scenario import READ
from .test_broker import forge


def questions(scenario) -> list[str]:
    """What the broker asked the API server about tokens and single pods."""
    mine = scenario.asked_by("broker")
    about_pods = [r for r in mine if r.what == "pods" and r.verb == "list" and r.namespace]
    assert mine, "it asks for something"
    return [str(r) for r in mine if r.what == "authentication.k8s.io/tokenreviews" or r in about_pods]


def test_first_credentials_cost_the_api_server_nothing(scenario, team):
    team.granted("uploader", READ)
    team.pod("first")
    team.wait_answer(200, "first")
    for number in range(10):
        team.pod(f"app-{number}")
    before = questions(scenario)
    for number in range(10):
        assert team.ask(f"app-{number}")[0] == 200
    after = questions(scenario)
    # The watch may be a moment behind a pod that was made just now; nobody asks about a token.
    new = after[len(before) :]
    assert not [q for q in new if "tokenreviews" in q] and len(new) < 10


def test_a_token_by_a_name_that_the_api_server_had_before_is_accepted(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    token = scenario.cluster.pod_token(team.name, "app")
    before = len(questions(scenario))
    assert scenario.deputy.ask_broker(forge(scenario, token, {"iss": FORMER_ISSUER}))[0] == 200
    assert len(questions(scenario)) > before, "the API server alone knows its former names"
    status, _, body = scenario.deputy.ask_broker(forge(scenario, token, {"iss": "https://nobody.example"}))
    assert (status, body["Code"]) == (401, "InvalidToken")


def test_made_up_tokens_cost_the_api_server_nothing_and_hold_up_nobody(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    good = scenario.cluster.pod_token(team.name, "app")
    header, payload, signature = good.split(".")
    before, stop = len(questions(scenario)), threading.Event()
    refused: list[int] = []

    def flood() -> None:
        while not stop.is_set():
            refused.append(scenario.deputy.ask_broker(f"{header}.{payload}.{signature[::-1]}")[0])

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    answers = [scenario.deputy.ask_broker(good)[0] for _ in range(20)]
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {200} and set(refused) == {401}
    assert len(questions(scenario)) == before


def test_a_pod_that_waits_is_told_why_by_an_event(scenario, team):
    team.pod()
    assert team.ask()[0] == 403

    def told() -> dict | None:
        events = scenario.admin.get(f"/apis/events.k8s.io/v1/namespaces/{team.name}/events")["items"]
        mine = [e for e in events if e["regarding"].get("kind") == "Pod" and e["reason"] == "CredentialsRefused"]
        return mine[0] if mine else None

    event = wait_until(told, "the pod has an event", 15)
    assert event["reportingController"] == "deputy-broker" and event["regarding"]["name"] == "app"
    assert event["note"].startswith("NoBinding: ") and team.name in event["note"]
