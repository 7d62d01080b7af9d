"""What the stand-ins notice: a case that can't fail says nothing."""

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from .agent import Agent
from .broker import MESSAGE, Broker, Certificates
from .sts import Proxy, Sts


@pytest.fixture
def agent(tmp_path):
    """An agent with a broker."""
    certificates = Certificates(tmp_path)
    broker = Broker(certificates)
    with Agent(tmp_path / "agent", broker, certificates) as agent:
        yield agent, broker
    broker.close()


def ask(url: str, proxy: str | None = None, **headers: str) -> tuple[int, str]:
    """Status and body."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy} if proxy else {}))
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def credentials(agent: Agent, token: str) -> tuple[int, str]:
    """What an SDK gets with a token."""
    return ask(agent.environment()["AWS_CONTAINER_CREDENTIALS_FULL_URI"], Authorization=token)


def test_a_proxy_that_is_asked_for_credentials_notices():
    with Sts() as sts, Proxy(sts.address) as proxy:
        assert ask("http://127.0.0.1:7419/v1/credentials", proxy.url)[0] == 502
        assert ask(f"{sts.url}/bucket/identity", proxy.url)[0] == 403
        assert proxy.asked == {"127.0.0.1:7419", sts.address}


def test_a_key_without_the_token_of_its_session_is_refused():
    signed = "AWS4-HMAC-SHA256 Credential=ASIA000000000001/20261130/eu-central-1/s3/aws4_request, Signature=x"
    with Sts() as sts:
        for token, status in (("token-of-ASIA000000000001", 200), ("token-of-ASIA000000000002", 403)):
            assert ask(f"{sts.url}/bucket/identity", Authorization=signed, X_Amz_Security_Token=token)[0] == status


def test_an_sdk_that_never_reads_the_token_again_fails_after_two(agent):
    agent, broker = agent
    first = broker.token
    agent.rotate_token()
    assert credentials(agent, broker.token)[0] == 200
    agent.rotate_token()
    assert credentials(agent, broker.token)[0] == 200
    assert credentials(agent, first)[0] == 401


def test_a_token_that_is_replaced_while_the_broker_is_asked_is_accepted(agent):
    agent, broker = agent
    broker.delay = 0.3
    agent.start()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(credentials, agent, broker.token)
        agent.rotate_token()
        assert answer.result()[0] == 200


def test_the_agent_gives_what_the_broker_says(agent):
    agent, broker = agent
    broker.change("refuse")
    agent.start()
    status, body = credentials(agent, broker.token)
    assert status == 403 and MESSAGE in body
    broker.change("gone")
    agent.start()
    assert credentials(agent, broker.token)[0] == 503
    broker.change("normal")
    agent.start()
    assert credentials(agent, broker.token)[0] == 200
