"""Jobs of GitHub Actions and GitLab CI, which have no key and no pod: AWS takes the tokens that the two sign about their jobs."""

import base64
import json

from ..story import Story, allow, deny
from ..telling import chapter, tell

REGION = "ap-northeast-1"
GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
BUCKET = "example-releases"


class Ci(Story):
    """The trust policy names provider, audience and subject, and nothing else opens the role."""

    example = "ci"
    title = "which repositories of two CI systems may ask"
    refused = {
        "another-organisation.yaml": ("repo:somebody-else/shop", "repo:example-org/*"),
        "no-subject.yaml": ("sub",),
    }

    def prepare(self) -> None:
        iam = self.aws.client("iam")
        for host, audience in ((GITHUB, "sts.amazonaws.com"), (GITLAB, "https://gitlab.com")):
            iam.create_open_id_connect_provider(Url=f"https://{host}", ClientIDList=[audience], ThumbprintList=["0" * 40])
        self.stage.client("s3").create_bucket(Bucket=BUCKET)
        registry = self.stage.client("ecr", region=REGION)
        for name in ("shop", "payroll"):
            registry.create_repository(repositoryName=name)

    def use(self) -> None:
        main = "repo:example-org/shop:ref:refs/heads/main"
        chapter("GitHub Actions: a job of the main branch")
        push = ("ecr", "initiate_layer_upload")
        self.calls("the job", self.job("shop-image", GITHUB, "sts.amazonaws.com", main), [
            allow("GetAuthorizationToken", "ecr", "get_authorization_token"),
            allow("InitiateLayerUpload shop", *push, repositoryName="shop"),
            deny("InitiateLayerUpload payroll", *push, repositoryName="payroll"),
        ])
        chapter("Other jobs")
        for who, host, audience, sub in (
            ("another branch", GITHUB, "sts.amazonaws.com", "repo:example-org/shop:ref:refs/heads/try"),
            ("a pull request", GITHUB, "sts.amazonaws.com", "repo:example-org/shop:pull_request"),
            ("another repository", GITHUB, "sts.amazonaws.com", "repo:example-org/payroll:ref:refs/heads/main"),
            ("a token for somebody else", GITHUB, "https://github.com/example-org", main),
            ("another provider that says the same", GITLAB, "sts.amazonaws.com", main),
        ):
            self.calls(who, self.job("shop-image", host, audience, sub), [
                deny("AssumeRoleWithWebIdentity", "ecr", "get_authorization_token"),
            ])
        chapter("GitLab CI: a job of the main branch")
        sub = "project_path:example-group/website:ref_type:branch:ref:main"
        self.calls("the job", self.job("website", GITLAB, "https://gitlab.com", sub), [
            allow("PutObject website/index.html", "s3", "put_object", Bucket=BUCKET, Key="website/index.html", Body="x"),
            deny("PutObject shop/app.tar", "s3", "put_object", Bucket=BUCKET, Key="shop/app.tar", Body="x"),
        ])
        tell("The double does not verify a token's signature; AWS does, with the keys that the provider publishes.")

    def job(self, role: str, host: str, audience: str, sub: str) -> dict[str, str]:
        """What a job has: the role's ARN, and a file with a token as the CI system writes it."""
        claims = {"iss": f"https://{host}", "aud": audience, "sub": sub, "exp": 4102444800}
        parts = [{"alg": "RS256", "typ": "JWT"}, claims]
        token = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + ".c2lnbmVk"
        file = self.stage.folder / "ci-token"
        file.write_text(token)
        return {
            "AWS_ROLE_ARN": self.role_arn("releases", role),
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "AWS_DEFAULT_REGION": REGION,
        }
