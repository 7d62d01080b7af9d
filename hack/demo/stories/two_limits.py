"""A limit of the organisation beside the one of a team: both hold. A third one is only tried."""

from rig.proc import wait_until

from ..story import API, Story, allow, deny, dump
from ..telling import chapter, expect, show, tell

REGION = "ap-northeast-1"
TOMORROW = f"{API}/delegationlimits/checkout-tomorrow"


class TwoLimits(Story):
    """A queue's worker, with a session of its own for each pod."""

    example = "two-limits"
    title = "a limit for everybody, one for a team, and one that is tried"
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
        self.tomorrow()

    def tomorrow(self) -> None:
        """What the limit that is only tried says about the team's grants."""
        chapter("The limit of tomorrow, as a dry run")

        def said() -> dict | None:
            found = self.cluster.admin.get(TOMORROW).get("status", {}).get("wouldRefuse", {})
            return found if found.get("count") == 2 else None

        tell("It refuses nothing, and says what it would refuse:")
        found = wait_until(said, "what the dry run would refuse", timeout=20)
        show(dump(found))
        expect("sqs:SendMessage" in str(found), "the dry run should say what is too much")
