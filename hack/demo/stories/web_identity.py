"""Pods that call STS themselves, with tokens of the cluster that AWS knows."""

import base64
import json

from rig.cluster import ISSUER

from ..story import Story, allow, deny
from ..telling import chapter, expect, show, tell

BUCKET = "batch-results"
AUDIENCE = "sts.amazonaws.com"


class WebIdentity(Story):
    """What the EKS webhook gives a pod, by the same objects and under the same limit."""

    example = "web-identity"
    title = "an account that knows the cluster's tokens"
    refused = {
        "through-the-broker.yaml": ("AssumeRole", "AssumeRoleWithWebIdentity", "limit batch"),
    }

    def prepare(self) -> None:
        self.on_double["oidc.example.com/production-1"] = ISSUER.removeprefix("https://")
        iam = self.aws.client("iam")
        iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=["0" * 40])
        for bucket in (BUCKET, "batch-secrets"):
            self.aws.client("s3").create_bucket(Bucket=bucket)

    def use(self) -> None:
        chapter("A pod, as the API server stored it")
        stored = self.stored_pod("batch", "runner")
        container = stored["spec"]["containers"][0]
        expect("initContainers" not in stored["spec"], "there should be no sidecar")
        tell("No sidecar; variables, and a token for STS alone:")
        env = {e["name"]: e["value"] for e in container["env"]}
        show("\n".join(f"{k}={v}" for k, v in env.items()))
        chapter("An unmodified boto3 with these variables")
        put = ("s3", "put_object")
        self.calls("runner", self.with_token(env, "runner-1", AUDIENCE), [
            allow("PutObject batch-results/1", *put, Bucket=BUCKET, Key="1", Body="x"),
            deny("GetObject batch-results/1", "s3", "get_object", Bucket=BUCKET, Key="1"),
            deny("PutObject batch-secrets/1", *put, Bucket="batch-secrets", Key="1", Body="x"),
        ])
        self.cluster.create_service_account("batch", "stranger")
        self.stored_pod("batch", "stranger")
        for who, pod, audience in (("another ServiceAccount", "stranger-1", AUDIENCE), ("a token for others", "runner-1", "vault")):
            self.calls(who, self.with_token(env, pod, audience), [
                deny("AssumeRoleWithWebIdentity", *put, Bucket=BUCKET, Key="1", Body="x"),
            ])
        tell("The double does not verify a token's signature; AWS does, with the keys that the issuer publishes.")

    def with_token(self, env: dict[str, str], pod: str, audience: str) -> dict[str, str]:
        """A container's environment, with the token that the kubelet would project for this audience."""
        head, body, signature = self.cluster.pod_token("batch", pod, audience).split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        # The API server writes a list of one; AWS takes the one, and the double compares text alone.
        [claims["aud"]] = claims["aud"]
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        file = self.stage.folder / "web-identity-token"
        file.write_text(f"{head}.{body}.{signature}")
        return {**env, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}
