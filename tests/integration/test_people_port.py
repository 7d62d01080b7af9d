"""The broker's port for people answers the API server and nobody else, whoever that is at the moment."""

import http.client
import json
import socket
import ssl

import pytest

from rig import extension, people, pki
from rig.deputy import PEOPLE_SERVICE
from rig.front_proxy import CONFIG_MAP, NAME
from rig.people import Person
from rig.proc import wait_until

from .scenario import LIST, READ, Team
from .test_people import ALICE, PEOPLE, bound, user, wait_session
from .test_revocation import may_read

Certificate = tuple


@pytest.fixture(scope="module")
def alice(scenario) -> Person:
    return Person.of(scenario.deputy, ALICE, "sre", "mfa")


@pytest.fixture(scope="module")
def granted(scenario, alice) -> Team:
    """A namespace where a binding names Alice."""
    team = Team(scenario, "people-port", people=PEOPLE)
    team.role("uploader", LIST, READ)
    alice.may_ask(team.name)
    bound(team, user(ALICE))
    wait_session(alice, team.name)
    yield team
    team.leave()


def context_of(scenario, certificate: Certificate | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=scenario.deputy.broker_bundle())
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def direct(scenario, team: Team, certificate: Certificate | None, remote_user: str = ALICE, path: str = "") -> int | None:
    """A request to the port, without the API server: the status, or None where there is no connection to ask by."""
    port = scenario.deputy.port("people")
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context_of(scenario, certificate))
    headers = {"Content-Type": "application/json", "X-Remote-User": remote_user, "X-Remote-Group": "system:masters"}
    try:
        connection.request("POST", path or people.path(team.name, "uploader"), json.dumps(people.request()), headers)
        answer = connection.getresponse()
        body = answer.read().decode()
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return None
    finally:
        connection.close()
    if answer.status == 201:
        status = json.loads(body)["status"]
        scenario.deputy.secrets |= {status["secretAccessKey"], status["sessionToken"]}
    return answer.status


def test_who_is_not_the_api_server_gets_no_connection(scenario, granted, tmp_path):
    proxy, keys = scenario.cluster.front_proxy, scenario.cluster.folder / "pki"
    pki.make_ca(tmp_path, NAME)
    pki.issue(tmp_path, "forged", NAME, f"/CN={NAME}", {"extendedKeyUsage": "clientAuth"})
    pki.issue(tmp_path, "itself", NAME, f"/CN={NAME}", {"basicConstraints": "CA:FALSE"})
    proxy_ca = keys / f"{proxy.authorities[-1]}"
    pki.issue(keys, "as-server", proxy.authorities[-1], f"/CN={NAME}", {"extendedKeyUsage": "serverAuth"})
    person = next(keys.glob(f"person-{ALICE}*.crt"))
    refused = {
        "without a certificate": None,
        "of another authority": (tmp_path / "forged.crt", tmp_path / "forged.key"),
        "the other authority itself": (tmp_path / f"{NAME}.crt", tmp_path / f"{NAME}.key"),
        "of the right authority with another name": proxy.certificate("somebody-else"),
        "with a name that begins as the right one": proxy.certificate(f"{NAME}-2"),
        "the right authority itself": (proxy_ca.with_suffix(".crt"), proxy_ca.with_suffix(".key")),
        "of the right authority and name, of a server": (keys / "as-server.crt", keys / "as-server.key"),
        "a person's, of the cluster's authority for clients": (person, person.with_suffix(".key")),
        "the API server's, as a server": (keys / "apiserver.crt", keys / "apiserver.key"),
    }
    lines = len(scenario.deputy.audit_lines())
    answers = {what: direct(scenario, granted, certificate) for what, certificate in refused.items()}
    assert answers == dict.fromkeys(refused), answers
    for path in ("/healthz", "/readyz", "/apis", people.API):
        assert direct(scenario, granted, None, path=path) is None, path
    assert len(scenario.deputy.audit_lines()) == lines, "nobody asked"
    # What the API server does itself is what is missing in all of these.
    assert direct(scenario, granted, proxy.certificate()) == 201
    assert direct(scenario, granted, proxy.certificate(), remote_user="mallory@example.com") == 403


def test_a_request_without_a_user_is_nobodys(scenario, granted):
    assert direct(scenario, granted, scenario.cluster.front_proxy.certificate(), remote_user="") in (401, 403)


def test_the_port_of_pods_takes_no_user_from_a_header(scenario, granted):
    """It asks for a token, whatever certificate is shown."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1",
        scenario.deputy.port("broker"),
        timeout=5,
        context=context_of(scenario, scenario.cluster.front_proxy.certificate()),
    )
    try:
        connection.request("GET", "/v1/credentials", headers={"X-Remote-User": ALICE})
        assert connection.getresponse().status == 401
        connection.close()
        connection.request("POST", people.path(granted.name, "uploader"), "{}", {"X-Remote-User": ALICE})
        assert connection.getresponse().status in (401, 404, 405)
    finally:
        connection.close()


class Open:
    """A connection that stays open, and its TLS session."""

    def __init__(self, scenario, certificate: Certificate, resumed: "Open | None" = None) -> None:
        self.context = resumed.context if resumed else context_of(scenario, certificate)
        plain = socket.create_connection(("127.0.0.1", scenario.deputy.port("people")), timeout=5)
        session = resumed.socket.session if resumed else None
        self.socket = self.context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)

    def asks(self, team: Team) -> int | None:
        """The status of a request, None where the connection is not there any more."""
        body = json.dumps(people.request())
        head = f"POST {people.path(team.name, 'uploader')} HTTP/1.1\r\nHost: x\r\nX-Remote-User: {ALICE}\r\n"
        try:
            self.socket.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            answer = http.client.HTTPResponse(self.socket)
            answer.begin()
            answer.read()
        except (OSError, http.client.HTTPException):
            return None
        return answer.status


def resumed(scenario, certificate: Certificate, before: Open, team: Team) -> int | None:
    """The status of a request on a connection that goes on with a TLS session."""
    try:
        return Open(scenario, certificate, resumed=before).asks(team)
    except OSError:
        return None


def test_the_certificates_of_the_api_server_are_replaced_under_it(scenario, granted, alice):
    cluster, proxy = scenario.cluster, scenario.cluster.front_proxy
    old = proxy.certificate()
    proxy.trust_another_authority(cluster)
    alice.ask(granted.name, "uploader")
    wait_until(lambda: direct(scenario, granted, proxy.certificate()) == 201, "the new authority counts", 20)
    assert direct(scenario, granted, old) == 201, "the old one, too"
    proxy.replace_certificate()
    alice.ask(granted.name, "uploader")
    proxy.forget_the_old_authority(cluster)
    wait_until(lambda: direct(scenario, granted, old) is None, "the old authority is refused", 20)
    assert direct(scenario, granted, proxy.certificate()) == 201
    extension.wait_available(cluster, PEOPLE_SERVICE)
    wait_until(lambda: alice.ask(granted.name, "uploader"), "Alice goes on", 20)


@pytest.fixture
def outlived(scenario, granted, alice) -> tuple[Certificate, Open]:
    """A connection, and the certificate that it began with, whose authority counts no more."""
    cluster, proxy = scenario.cluster, scenario.cluster.front_proxy
    old = proxy.certificate()
    before = Open(scenario, old)
    assert before.asks(granted) == 201
    proxy.trust_another_authority(cluster)
    proxy.replace_certificate()
    proxy.forget_the_old_authority(cluster)
    wait_until(lambda: direct(scenario, granted, old) is None, "the old authority is refused", 20)
    wait_until(lambda: alice.ask(granted.name, "uploader"), "Alice goes on", 20)
    return old, before


def test_a_connection_does_not_outlive_its_authority_for_long(granted, outlived):
    _, before = outlived
    wait_until(lambda: before.asks(granted) is None, "a connection from before ends", 70, every=1)


def test_a_tls_session_does_not_outlive_its_authority(scenario, granted, outlived):
    old, before = outlived
    assert resumed(scenario, old, before, granted) is None


def test_a_config_map_that_is_deleted_is_made_again_and_read_again(scenario, granted, alice):
    scenario.admin.delete(CONFIG_MAP)
    wait_until(lambda: scenario.admin.exists(CONFIG_MAP), "the API server makes it again")
    answer = wait_until(lambda: alice.ask(granted.name, "uploader"), "Alice goes on", 20)
    assert may_read(granted.aws.client("s3", people.session(answer)))
