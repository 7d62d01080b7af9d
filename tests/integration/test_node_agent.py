"""`deputy-agent node`: pods without a sidecar have their sessions through the agent of their node, and no other."""

import re
import time

import pytest

from rig.deputy import NAMESPACE, NodeAgent
from rig.proc import wait_until

from .scenario import READ, Team

SERVICE_ACCOUNT = "deputy-agent"


@pytest.fixture(scope="module")
def agent(scenario):
    """The agent of the node `node-a`; the broker takes agents of nodes, as the chart is told."""
    cluster, deputy = scenario.cluster, scenario.deputy
    for node in ("node-a", "node-b"):
        scenario.admin.create("/api/v1/nodes", {"metadata": {"name": node}})
    cluster.create_service_account(NAMESPACE, SERVICE_ACCOUNT)
    pod = cluster.create_pod(NAMESPACE, "deputy-agent-a", SERVICE_ACCOUNT, nodeName="node-a")
    agent = NodeAgent(deputy, pod)
    agent.wait_ready()
    yield agent
    agent.stop()


def on(scenario, team: Team, node: str) -> str:
    """The token of a pod of the team on this node."""
    scenario.cluster.create_pod(team.name, f"app-{node}", "uploader", nodeName=node)
    return scenario.cluster.pod_token(team.name, f"app-{node}")


def refusals(scenario, code: str) -> list[dict]:
    """The audit lines of refusals with this code."""
    return [line for line in scenario.deputy.audit_lines() if line.get("decision") == code]


def test_a_pod_has_its_session_through_the_agent_of_its_node(scenario, agent, team):
    team.granted("uploader", READ)
    token = on(scenario, team, "node-a")
    body = wait_until(lambda: (answer := agent.get(token))[0] == 200 and answer[1], "the session", 15)
    assert body["AccessKeyId"].startswith("ASIA") and body["AccountId"] == "123456789012"
    delivered = [line for line in scenario.deputy.audit_lines() if line["event"] == "SessionDelivered"]
    mine = [line for line in delivered if line["namespace"] == team.name]
    assert [line["node"] for line in mine] == ["node-a"]
    # What it asked for is the pod's own binding, decided anew for each request: a grant that is taken away is refused.
    agent.get(token)
    scenario.admin.delete(team.binding_path())
    begin = time.monotonic()
    wait_until(lambda: agent.get(token)[0] == 403, "the refusal", 15)
    # What was confirmed within five seconds is given; the rest is the watch of the broker.
    assert time.monotonic() - begin < 6
    assert agent.get(token)[1]["Code"] == "NoBinding"


def test_a_token_of_another_node_is_refused_by_the_agent_and_by_the_broker(scenario, agent, team):
    team.granted("uploader", READ)
    token = on(scenario, team, "node-b")
    # Its own agent would get it.
    team.wait_answer(200, "app-node-b")
    before = len(refusals(scenario, "WrongNode"))
    status, body = agent.get(token)
    assert (status, body["Code"]) == (403, "WrongNode") and "node-b" in body["Message"]
    assert len(refusals(scenario, "WrongNode")) == before, "it never reached the broker"
    # Whoever has stolen the identity of a node has the pods of no other by it.
    status, _, body = scenario.deputy.ask_broker(token, Deputy_Node_Token=agent.token)
    assert (status, body["Code"]) == (403, "WrongNode")
    assert [line["node"] for line in refusals(scenario, "WrongNode")[before:]] == ["node-a"]


def test_only_the_agents_of_nodes_ask_for_pods(scenario, agent, team):
    team.granted("uploader", READ)
    token = on(scenario, team, "node-a")
    team.wait_answer(200, "app-node-a")
    status, _, body = scenario.deputy.ask_broker(token, Deputy_Node_Token=token)
    assert (status, body["Code"]) == (401, "NodeAgentNotTrusted")
    assert f"{NAMESPACE}/{SERVICE_ACCOUNT}" in body["Message"]
    # Made-up ones, by the hundred, are the agent's own business.
    header, payload, signature = token.split(".")
    before = len(refusals(scenario, "InvalidToken"))
    for _ in range(100):
        assert agent.get(f"{header}.{payload}.{signature[::-1]}")[0] == 401
    assert len(refusals(scenario, "InvalidToken")) == before


def test_a_broker_that_is_told_of_no_agents_of_nodes_takes_none(scenario, agent, team):
    team.granted("uploader", READ)
    token = on(scenario, team, "node-a")
    wait_until(lambda: agent.get(token)[0] == 200, "the session", 15)
    scenario.deputy.processes["broker"].stop()
    scenario.deputy.start_process("broker", DEPUTY_NODE_AGENTS=None)
    try:
        status, _, body = scenario.deputy.ask_broker(token, Deputy_Node_Token=agent.token)
        assert (status, body["Code"]) == (401, "NodeAgentNotTrusted") and "--node-agents" in body["Message"]
        # When the agent asks again it hears the same. Nothing was decided about the pod: it keeps what it has.
        refused = r'deputy_broker_answers_total{status="401",code="NodeAgentNotTrusted"} (\d+)'
        times = lambda: int(re.search(refused, scenario.deputy.metrics("broker"))[1])  # noqa: E731
        before = times()
        wait_until(lambda: agent.get(token)[0] == 200 and times() > before, "the agent's next question", 15, 0.5)
        assert agent.get(token)[0] == 200
    finally:
        scenario.deputy.restart("broker")
