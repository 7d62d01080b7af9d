"""Two AWS accounts, and a role of each in one pod."""

from ..story import Story, allow, deny
from ..telling import chapter, expect, tell

ORDERS, WAREHOUSE = "123456789012", "210987654321"
_ORDER = {"id": {"S": "1"}}


class TwoAccounts(Story):
    """A job reads in one account and writes in another."""

    example = "two-accounts"
    title = "two accounts, and one limit that names both"
    refused = {
        "whole-landing.yaml": ("warehouse-landing/a", "arn:aws:s3:::warehouse-landing/orders/*", "ExceedsLimit"),
    }

    def prepare(self) -> None:
        table = self.stage.client("dynamodb", region="eu-central-1")
        table.create_table(
            TableName="orders", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        table.put_item(TableName="orders", Item={**_ORDER, "total": {"N": "42"}})
        self.stage.client("s3", WAREHOUSE).create_bucket(Bucket="warehouse-landing")
        chapter("The second AWS account")
        self.stage.join(next(m for m in self.files("1") if m["metadata"]["name"] == "warehouse"))
        tell(f"`deputy bootstrap aws` prints what both accounts need. In {WAREHOUSE} there are roles for the controller and for "
             "`deputy limits`, which the processes' own identities may become. The broker needs no role there.")

    def use(self) -> None:
        chapter("One pod, two containers, two accounts")
        job = next(m for m in self.files("2") if m["kind"] == "CronJob")
        agent = self.pod("reports", "nightly", job["spec"]["jobTemplate"]["spec"]["template"])
        self.calls("container reader", agent.environment("reader"), [
            allow("GetItem   orders", "dynamodb", "get_item", TableName="orders", Key=_ORDER),
            deny("PutItem   orders", "dynamodb", "put_item", TableName="orders", Item=_ORDER),
            deny("PutObject warehouse-landing/orders/1", "s3", "put_object",
                 Bucket="warehouse-landing", Key="orders/1", Body="x"),
        ])
        self.calls("container exporter", agent.environment("exporter"), [
            allow("PutObject warehouse-landing/orders/1", "s3", "put_object",
                  Bucket="warehouse-landing", Key="orders/1", Body="x"),
            deny("PutObject warehouse-landing/stock/1", "s3", "put_object",
                 Bucket="warehouse-landing", Key="stock/1", Body="x"),
            deny("GetItem   orders", "dynamodb", "get_item", TableName="orders", Key=_ORDER),
        ])
        arns = {x["role_arn"].split(":")[4] for x in self.deputy.audit_lines()
                if x.get("event") == "SessionIssued" and x.get("namespace") == "reports" and "role_arn" in x}
        expect(arns == {ORDERS, WAREHOUSE}, f"there should be a session in each account: {arns}")
