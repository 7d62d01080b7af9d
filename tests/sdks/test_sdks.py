"""The AWS SDKs, unmodified, with `deputy-agent` itself. Broker, STS and S3 are stand-ins, so that what fails can be chosen."""

import os

import pytest

from . import table
from .catalogue import SDKS, Sdk

WHOLE = [sdk for sdk in SDKS if not sdk.first_only]
# The last that can't work, each just before the oldest that can.
TOO_OLD = {("boto3 (Python)", "1.28.85"), ("JavaScript 3", "3.501.0")}


def each(sdks: list[Sdk]):
    """One test for each."""
    return pytest.mark.parametrize("sdk", sdks, ids=[f"{sdk.name} {sdk.version}".replace(" ", "-") for sdk in sdks])


@each([sdk for sdk in SDKS if (sdk.name, sdk.version) not in TOO_OLD])
def test_an_sdk_gets_its_first_credential(results, sdk):
    outcome = results.of(sdk)
    assert outcome.words["first"] == "yes", outcome.seen


@each([sdk for sdk in SDKS if (sdk.name, sdk.version) in TOO_OLD])
def test_an_sdk_that_is_too_old_gets_none(results, sdk):
    assert results.of(sdk).words["first"] == "no"


@each(WHOLE)
def test_an_sdk_waits_for_a_slow_broker(results, sdk):
    words = results.of(sdk).words
    assert (words["slow 0.6"], words["slow 2.5"]) == ("yes", "yes")


@each(WHOLE)
def test_one_client_goes_from_session_to_session_and_token_to_token(results, sdk):
    assert results.of(sdk).words["sessions"] == "yes"


@each(WHOLE)
def test_an_sdk_has_what_the_agent_keeps_when_the_broker_fails(results, sdk):
    words = results.of(sdk).words
    assert (words["hang"], words["gone"]) == ("yes", "yes")


@each(WHOLE)
def test_no_sdk_asks_a_proxy_for_credentials(results, sdk):
    assert results.of(sdk).words["proxy"] == "not asked"


def test_the_page_says_what_happened(results, page):
    if os.environ.get("WRITE"):
        assert not results.missing and not results.broken, "the page is written when everything was tried"
        table.write(page)
    wrong = table.differences(page, results.outcomes)
    assert not wrong, "run: make sdks WRITE=1\n" + "\n".join(wrong)
