"""One limit for all teams, in which the namespace stands as a variable."""

from ..story import Request, Story, deny
from ..telling import chapter, show

BUCKET = "shared-data"


class EveryTeam(Story):
    """Each team has what begins with its namespace's name."""

    example = "every-team"
    title = "one limit for every namespace team-*"
    refused = {
        "not-for-this-namespace.yaml": ("team-a",),
        "another-teams-folder.yaml": ("shared-data/team-b/", "arn:aws:s3:::shared-data/team-a/*", "ExceedsLimit"),
    }

    def prepare(self) -> None:
        self.stage.client("s3").create_bucket(Bucket=BUCKET)
        for key in ("team-a/results/1", "team-b/results/1"):
            self.stage.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")

    def use(self) -> None:
        chapter("A pod of team-a")
        agent = self.pod("team-a", "worker")
        self.calls("worker", agent.environment("app"), [
            deny("GetObject  team-b/results/1", "s3", "get_object", Bucket=BUCKET, Key="team-b/results/1"),
            deny("ListBucket team-b/results/", "s3", "list_objects_v2", Bucket=BUCKET, Prefix="team-b/results/"),
        ])
        bucket = f"arn:aws:s3:::{BUCKET}"
        tag = {"aws:PrincipalTag/deputy-namespace": "team-a"}
        self.judge("team-a", "results", "The double knows no variables in policies, and the boundary has one", [
            Request("PutObject  team-a/results/2", "allowed", "s3:PutObject", f"{bucket}/team-a/results/2", tag),
            Request("GetObject  team-a/secrets/1", "denied", "s3:GetObject", f"{bucket}/team-a/secrets/1", tag),
            Request("GetObject  team-b/results/1", "denied", "s3:GetObject", f"{bucket}/team-b/results/1", tag),
            Request("ListBucket team-a/results/", "allowed", "s3:ListBucket", bucket, {**tag, "s3:prefix": "team-a/results/"}),
            Request("ListBucket team-b/results/", "denied", "s3:ListBucket", bucket, {**tag, "s3:prefix": "team-b/results/"}),
        ])
        self.of_the_platform_team(bucket)

    def of_the_platform_team(self, bucket: str) -> None:
        """A ClusterAWSRole, which is another IAM role in each namespace that binds it."""
        chapter("A pod of team-b, by a ClusterAWSRole")
        show(self.cluster.kubectl("get", "clusterawsroles").stdout)
        agent = self.pod("team-b", "reader")
        self.calls("reader", agent.environment("app"), [
            deny("GetObject team-a/results/1", "s3", "get_object", Bucket=BUCKET, Key="team-a/results/1"),
            deny("PutObject team-b/results/2", "s3", "put_object", Bucket=BUCKET, Key="team-b/results/2", Body="x"),
        ])
        tag = {"aws:PrincipalTag/deputy-namespace": "team-b"}
        self.judge("team-b", "results-reader", "Its boundary has the variable too", [
            Request("GetObject team-b/results/1", "allowed", "s3:GetObject", f"{bucket}/team-b/results/1", tag),
            Request("GetObject team-a/results/1", "denied", "s3:GetObject", f"{bucket}/team-a/results/1", tag),
            Request("PutObject team-b/results/2", "denied", "s3:PutObject", f"{bucket}/team-b/results/2", tag),
        ])
