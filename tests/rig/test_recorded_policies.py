"""Calls about the policies of buckets, queues and topics, as the proxy records them: each service has a protocol of its own."""

import json

import pytest

from rig.aws import ACCOUNT, REGION, Aws, error_code

NAME = "recorded"
BUCKET = f"arn:aws:s3:::{NAME}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}"
ALL = {"Effect": "Allow", "Action": ["s3:*", "sqs:*", "sns:*"], "Resource": "*"}


def named(arn: str, action: str) -> str:
    """A policy with a federated user, laid out as nobody else would."""
    user = f"arn:aws:sts::{ACCOUNT}:federated-user/Manager-reports"
    grant = {"Sid": "Mine", "Effect": "Allow", "Principal": {"AWS": [user]}, "Action": action, "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [grant]}, indent=3)


@pytest.fixture(scope="module")
def aws():
    with Aws() as running:
        running.client("s3").create_bucket(Bucket=NAME)
        running.client("sqs").create_queue(QueueName=NAME)
        running.client("sns").create_topic(Name=NAME)
        yield running


@pytest.fixture
def clients(aws):
    """Who may do everything, behind the proxy."""
    aws.recorder.reset()
    user = aws.create_user(f"user-{len(aws.client('iam').list_users()['Users'])}", ALL)
    return {service: aws.client(service, user, recorded=True) for service in ("s3", "sqs", "sns")}


def queue_url(aws: Aws) -> str:
    """As whoever is behind the proxy says it."""
    return f"{aws.url}/{ACCOUNT}/{NAME}"


def test_the_policy_of_a_bucket_is_recorded_by_method_and_path(aws, clients):
    s3, text = clients["s3"], named(f"{BUCKET}/*", "s3:GetObject")
    of = {"Bucket": NAME, "ExpectedBucketOwner": ACCOUNT}
    assert error_code(s3.get_bucket_policy, **of) == "NoSuchBucketPolicy"
    s3.put_bucket_policy(**of, Policy=text)
    assert s3.get_bucket_policy(**of)["Policy"] == text, "the double keeps every byte"
    s3.delete_bucket_policy(**of)
    s3.put_object(Bucket=NAME, Key="policy", Body=b"x")
    calls = aws.recorder.calls()
    assert [(c.service, c.action, c.error_code) for c in calls] == [
        ("s3", "GetBucketPolicy", "NoSuchBucketPolicy"),
        ("s3", "PutBucketPolicy", ""),
        ("s3", "GetBucketPolicy", ""),
        ("s3", "DeleteBucketPolicy", ""),
        ("s3", "", ""),
    ]
    assert all(c.parameters["Bucket"] == NAME for c in calls)
    assert all(c.parameters["ExpectedBucketOwner"] == ACCOUNT for c in calls[:4])
    assert calls[1].parameters["Policy"] == text


def test_the_policy_of_a_queue_is_recorded_from_json(aws, clients):
    sqs, text = clients["sqs"], named(QUEUE, "sqs:SendMessage")
    of = {"QueueUrl": queue_url(aws)}
    for put in (text, ""):
        sqs.set_queue_attributes(**of, Attributes={"Policy": put})
        found = sqs.get_queue_attributes(**of, AttributeNames=["Policy"]).get("Attributes", {})
        assert found.get("Policy", "") == put
    missing = {"QueueUrl": f"{queue_url(aws)}-of-nobody", "AttributeNames": ["Policy"]}
    assert error_code(sqs.get_queue_attributes, **missing) == "AWS.SimpleQueueService.NonExistentQueue"
    calls = aws.recorder.calls()
    assert {c.service for c in calls} == {"sqs"}
    assert calls[-1].action == "GetQueueAttributes" and calls[-1].error_code == "QueueDoesNotExist", calls[-1]
    written = aws.recorder.calls("SetQueueAttributes")
    assert [json.loads(c.parameters["Attributes"]) for c in written] == [{"Policy": text}, {"Policy": ""}]
    assert written[0].parameters["QueueUrl"] == queue_url(aws)


def test_the_policy_of_a_topic_is_recorded_from_the_query(aws, clients):
    sns, text = clients["sns"], named(TOPIC, "sns:Publish")
    assert "__default_statement_ID" in sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]["Policy"]
    sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=text)
    assert sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]["Policy"] == text
    [written] = aws.recorder.calls("SetTopicAttributes")
    assert (written.service, written.region) == ("sns", REGION)
    assert (written.parameters["TopicArn"], written.parameters["AttributeValue"]) == (TOPIC, text)


def test_faults_are_said_in_the_protocol_of_the_service(aws, clients):
    aws.recorder.inject("GetBucketPolicy", "GetQueueAttributes", "GetTopicAttributes", code="Injected", status=400)
    assert error_code(clients["s3"].get_bucket_policy, Bucket=NAME) == "Injected"
    assert error_code(clients["sqs"].get_queue_attributes, QueueUrl=queue_url(aws)) == "Injected"
    assert error_code(clients["sns"].get_topic_attributes, TopicArn=TOPIC) == "Injected"
    assert [c.error_code for c in aws.recorder.calls()] == ["Injected"] * 3


def test_who_may_nothing_is_refused_and_a_bucket_has_an_account(aws):
    aws.recorder.reset()
    nobody = aws.create_user("nobody")
    assert error_code(aws.client("s3", nobody, recorded=True).get_bucket_policy, Bucket=NAME) == "AccessDenied"
    sqs, sns = (aws.client(service, nobody, recorded=True) for service in ("sqs", "sns"))
    assert error_code(sqs.get_queue_attributes, QueueUrl=queue_url(aws)) == "AccessDenied"
    assert error_code(sns.get_topic_attributes, TopicArn=TOPIC) == "AuthorizationError"
    # The condition of the provisioner's policy, which the double knows.
    for account, code in ((ACCOUNT, "NoSuchBucketPolicy"), ("210987654321", "AccessDenied")):
        condition = {"StringEquals": {"aws:ResourceAccount": account}}
        user = aws.create_user(
            f"of-{account}", {"Effect": "Allow", "Action": "s3:GetBucketPolicy", "Resource": BUCKET, "Condition": condition}
        )
        assert error_code(aws.client("s3", user, recorded=True).get_bucket_policy, Bucket=NAME) == code
