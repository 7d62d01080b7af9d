"""A data team: prefixes of a bucket, a key, a table."""

from rig.deputy import wait_condition

from ..story import Request, Story, allow, deny, path
from ..telling import chapter, show, tell

REGION = "ap-northeast-1"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
BUCKET, TABLE = "analytics-lake", "clicks-runs"
_RUN = {"run": {"S": "2026-01-01"}}


class DataTeam(Story):
    """One ServiceAccount writes what is raw, another reads what is curated, a third has a policy of AWS."""

    example = "data-team"
    title = "a limit of prefixes, one key and one table"
    refused = {
        "whole-bucket.yaml": ("s3:ListBucket", "s3:prefix", "analytics-lake/a", "ExceedsLimit"),
        "administrator.yaml": ("policy/AdministratorAccess", "policy/AmazonS3ReadOnlyAccess"),
        "every-key.yaml": ("kms:Decrypt", f"key/{KEY}", "ExceedsLimit"),
    }

    def prepare(self) -> None:
        keys = self.stage.client("kms", region=REGION)
        self.key, self.another = (keys.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
        self.on_double[KEY] = self.key
        self.stage.client("s3").create_bucket(Bucket=BUCKET)
        for key in ("raw/clicks/1", "curated/clicks/1", "raw/payroll/1"):
            self.stage.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
        table = self.stage.client("dynamodb", region=REGION)
        for name in (TABLE, "payroll-runs"):
            table.create_table(
                TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "run", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "run", "AttributeType": "S"}],
            )

    def use(self) -> None:
        chapter("The pod that takes clicks in")
        get, put = ("s3", "get_object"), ("s3", "put_object")
        agent = self.pod("clicks", "ingest")
        self.calls("ingest", agent.environment("app"), [
            allow("PutObject       raw/clicks/2", *put, Bucket=BUCKET, Key="raw/clicks/2", Body="x"),
            deny("PutObject       curated/clicks/2", *put, Bucket=BUCKET, Key="curated/clicks/2", Body="x"),
            deny("GetObject       raw/clicks/1", *get, Bucket=BUCKET, Key="raw/clicks/1"),
            allow("GenerateDataKey the lake's key", "kms", "generate_data_key", KeyId=self.key, KeySpec="AES_256"),
            deny("GenerateDataKey another key", "kms", "generate_data_key", KeyId=self.another, KeySpec="AES_256"),
            allow("PutItem         clicks-runs", "dynamodb", "put_item", TableName=TABLE, Item=_RUN),
            deny("PutItem         payroll-runs", "dynamodb", "put_item", TableName="payroll-runs", Item=_RUN),
        ])
        chapter("The pod that reports")
        agent = self.pod("clicks", "report")
        listing = ("s3", "list_objects_v2")
        self.calls("report", agent.environment("app"), [
            allow("ListBucket curated/clicks/", *listing, Bucket=BUCKET, Prefix="curated/clicks/"),
            deny("ListBucket raw/payroll/", *listing, Bucket=BUCKET, Prefix="raw/payroll/"),
            deny("ListBucket all of it", *listing, Bucket=BUCKET),
            allow("GetObject  curated/clicks/1", *get, Bucket=BUCKET, Key="curated/clicks/1"),
            deny("GetObject  raw/payroll/1", *get, Bucket=BUCKET, Key="raw/payroll/1"),
            allow("GetItem    clicks-runs", "dynamodb", "get_item", TableName=TABLE, Key=_RUN),
            deny("PutItem    clicks-runs", "dynamodb", "put_item", TableName=TABLE, Item=_RUN),
        ])
        lake = f"arn:aws:kms:{REGION}:123456789012:key/{self.key}"
        through = f"s3.{REGION}.amazonaws.com"
        self.judge("clicks", "report", "The double does not know through which service a key is used", [
            Request("Decrypt with the lake's key, through S3", "allowed", "kms:Decrypt", lake, {"kms:ViaService": through}),
            Request("Decrypt with the lake's key, directly", "denied", "kms:Decrypt", lake),
            Request("Decrypt with another key, through S3", "denied", "kms:Decrypt",
                    f"arn:aws:kms:{REGION}:123456789012:key/{self.another}", {"kms:ViaService": through}),
        ])
        self.notebook()

    def notebook(self) -> None:
        """A policy of AWS within the boundary."""
        chapter("A notebook, with a policy of AWS")
        agent = self.pod("clicks", "notebook")
        self.calls("notebook", agent.environment("app"), [
            allow("GetObject raw/clicks/1", "s3", "get_object", Bucket=BUCKET, Key="raw/clicks/1"),
            deny("GetObject raw/payroll/1", "s3", "get_object", Bucket=BUCKET, Key="raw/payroll/1"),
            deny("PutObject raw/clicks/3", "s3", "put_object", Bucket=BUCKET, Key="raw/clicks/3", Body="x"),
        ])
        tell("AmazonS3ReadOnlyAccess is about all buckets. What the boundary cuts off is in a condition of the AWSRole:")
        role = path({"kind": "AWSRole", "metadata": {"namespace": "clicks", "name": "notebook"}})
        show(wait_condition(self.cluster, role, "CappedByBoundary", "True")["message"])
