"""One cluster, one AWS account and one Deputy for the whole suite; each test has namespaces of its own."""

import itertools
import re

import pytest

from .scenario import Team, started

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def scenario(tmp_path_factory):
    """Everything started, the account `production` ready."""
    with started(tmp_path_factory.mktemp("deputy")) as whole:
        yield whole


@pytest.fixture(autouse=True)
def healthy(request):
    """Whatever a test breaks is whole again before the next one: no faults, all processes run."""
    yield
    if "scenario" in request.fixturenames:
        request.getfixturevalue("scenario").heal()


@pytest.fixture
def new_team(request, scenario):
    """Makes namespaces, each with its limit: `new_team()`, `new_team(limit=False)`."""

    made: list[Team] = []

    def make(**options: object) -> Team:
        words = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_").lower())
        made.append(Team(scenario, f"{words[:16].strip('-')}-{next(_numbers)}", **options))
        return made[-1]

    yield make
    scenario.heal()
    for one in made:
        one.leave()


@pytest.fixture
def team(new_team):
    """A namespace with its limit in force."""
    return new_team()


@pytest.fixture
def remove(scenario):
    """Takes roles from AWS in the end, as whoever retained one does."""
    names: list[str] = []
    yield names.append
    iam = scenario.iam()
    for name in names:
        if name in scenario.roles_in_aws():
            for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=inline)
            iam.delete_role(RoleName=name)
