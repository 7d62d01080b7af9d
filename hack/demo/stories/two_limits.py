"""A limit of the organisation beside the one of a team: both hold."""

from ..story import Story, allow, deny
from ..telling import chapter, expect, tell

REGION = "ap-northeast-1"


class TwoLimits(Story):
    """A queue's worker, with a session of its own for each pod."""

    example = "two-limits"
    title = "a limit for everybody, and one for a team"
    refused = {
        "beyond-the-organisation.yaml": ("limit organisation", "limit checkout", "sqs:SetQueueAttributes"),
        "another-cost-center.yaml": ("cost-center", "4712", "limit checkout"),
    }

    def prepare(self) -> None:
        queue = self.stage.client("sqs", region=REGION)
        self.url = queue.create_queue(QueueName="checkout-orders")["QueueUrl"]
        queue.send_message(QueueUrl=self.url, MessageBody="order 1")

    def use(self) -> None:
        chapter("A pod of the team")
        agent = self.pod("checkout", "worker")
        self.calls("worker", agent.environment("app"), [
            allow("ReceiveMessage     checkout-orders", "sqs", "receive_message", QueueUrl=self.url),
            deny("SendMessage        checkout-orders", "sqs", "send_message", QueueUrl=self.url, MessageBody="x"),
            deny("SetQueueAttributes checkout-orders", "sqs", "set_queue_attributes", QueueUrl=self.url,
                 Attributes={"VisibilityTimeout": "1"}),
        ])
        tell("The role may send; the binding's session policy takes that away from its pods.")
        call = self.aws.recorder.calls("AssumeRole")[-1].parameters
        tags = {call[k]: call[k.removesuffix("Key") + "Value"] for k in call if k.startswith("Tags.") and k.endswith(".Key")}
        uid = agent.pod["metadata"]["uid"]
        expect(tags.get("cost-center") == "4711" and tags.get("deputy-pod-uid") == uid, f"the session's tags: {tags}")
        tell(f"The session is this pod's alone, and has the tags {', '.join(f'{k}={v}' for k, v in sorted(tags.items()))}.")
