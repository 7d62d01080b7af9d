"""What `deputy bootstrap aws --format` writes is taken by those who it is for: the AWS CLI against a double, cfn-lint, eksctl's schema."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import boto3
import pytest

from rig.aws import ROOT as ROOT_USER
from rig.aws import Aws
from rig.aws_cli import AwsCli
from rig.doubles import start_moto
from rig.tools import ROOT, cargo_binary, venv

EXAMPLES = ROOT / "examples"
ACCOUNT = "123456789012"
EKS = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/production"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
EMERGENCY = f"arn:aws:iam::{ACCOUNT}:role/emergency"
# Its schema is asked of Go's module proxy, by this version and this sum.
EKSCTL = "github.com/weaveworks/eksctl@v0.215.0"
EKSCTL_SUM = "h1:oCPoubT3UsW4Y2J43Y4dNRvXHEIsgg03Y3e6wv6bKG4="


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with Aws(tmp_path_factory.mktemp("bootstrap")) as double:
        yield double


def deputy(example: str, *arguments: str) -> str:
    """What `deputy bootstrap aws` prints about the platform of an example."""
    done = subprocess.run(
        [
            *(cargo_binary("deputy"), "bootstrap", "aws", "--cluster-name", "production-1"),
            *("-f", EXAMPLES / example / "10-platform.yaml", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Of the AWS CLI and of scripts that call it.
ENVIRONMENT = ROOT_USER.environment() | {"HOME": "/nonexistent", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def cli(aws, tmp_path_factory):
    with AwsCli(tmp_path_factory.mktemp("cli"), aws.direct_url, ENVIRONMENT) as made:
        yield made


def run(cli: AwsCli, *command: str | Path) -> list[str]:
    """Runs what calls the AWS CLI; what it said, a line each."""
    env = ENVIRONMENT | {"PATH": f"{cli.folder}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def document_of(iam, arn: str) -> dict:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


@pytest.fixture(scope="module")
def script(aws, cli, tmp_path_factory):
    """The script of an account with roles and a user, which has made them."""
    # Not by boto3: the double takes longer for its first cluster than the rig's clients wait.
    role = aws.create_role("of-the-cluster")
    cluster = ("--name", "production", "--role-arn", role, "--resources-vpc-config", "subnetIds=subnet-1")
    run(cli, "aws", "eks", "create-cluster", *cluster)
    folder = tmp_path_factory.mktemp("script")
    deputy("federation", "--eks-cluster", EKS, "--format", "awscli", "--output", str(folder))
    made = run(cli, "bash", folder / ACCOUNT / "deputy.sh")
    assert not any("should be" in line for line in made), made
    return folder / ACCOUNT / "deputy.sh"


def details(aws: Aws) -> str:
    """All of the account's IAM."""
    answer = aws.client("iam").get_account_authorization_details()
    del answer["ResponseMetadata"]
    return json.dumps(answer, default=str, sort_keys=True)


def test_the_script_makes_the_identities_as_the_policies_say(aws, script):
    iam = aws.client("iam")
    [home] = json.loads(deputy("federation", "--eks-cluster", EKS))["accounts"]
    assert len(home["identities"]) == 4
    for identity in home["identities"]:
        name, is_user = identity["name"], ":user/" in identity["arn"]
        if is_user:
            assert iam.get_user(UserName=name)["User"]["Arn"] == identity["arn"]
            assert not iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
            attached = iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
        else:
            role = iam.get_role(RoleName=name)["Role"]
            assert (role["Arn"], role["AssumeRolePolicyDocument"]) == (identity["arn"], identity["trust"])
            attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        [policy] = attached
        assert document_of(iam, policy["PolicyArn"]) == identity["policy"]
    listed = aws.client("eks").list_pod_identity_associations(clusterName="production")["associations"]
    assert {(a["namespace"], a["serviceAccount"]) for a in listed} == {
        ("deputy", f"deputy-{process}") for process in ("broker", "controller", "limits")
    }


def test_the_script_puts_right_what_somebody_changed_and_nothing_else(aws, cli, script):
    iam, arn = aws.client("iam"), f"arn:aws:iam::{ACCOUNT}:policy/deputy-broker"
    right, trust = document_of(iam, arn), iam.get_role(RoleName="deputy-broker")["Role"]["AssumeRolePolicyDocument"]
    # As many versions as AWS keeps.
    other = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(other), SetAsDefault=True)
    nobody = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}],
    }
    iam.update_assume_role_policy(RoleName="deputy-broker", PolicyDocument=json.dumps(nobody))
    iam.attach_role_policy(RoleName="deputy-broker", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    said = run(cli, "bash", script)
    assert [line for line in said if "is as it should be" not in line and "is attached" not in line] == [
        f"deputy: changed {arn}",
        f"deputy: changed whom arn:aws:iam::{ACCOUNT}:role/deputy-broker trusts",
        "deputy: role deputy-broker has another policy, which Deputy does not need: arn:aws:iam::aws:policy/ReadOnlyAccess",
    ]
    assert document_of(iam, arn) == right
    assert iam.get_role(RoleName="deputy-broker")["Role"]["AssumeRolePolicyDocument"] == trust
    iam.detach_role_policy(RoleName="deputy-broker", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    before = details(aws)
    again = run(cli, "bash", script)
    assert all("is as it should be" in line or "is attached" in line for line in again), again
    assert details(aws) == before


def test_a_script_of_another_account_changes_nothing(aws, cli, tmp_path):
    before = details(aws)
    deputy("two-accounts", "--eks-cluster", EKS, "--format", "awscli", "--output", str(tmp_path))
    with pytest.raises(AssertionError, match=f"credentials are of account {ACCOUNT}; this is for 210987654321"):
        run(cli, "bash", tmp_path / "210987654321" / "deputy.sh")
    assert details(aws) == before


def test_the_service_control_policy_is_made_and_attached_once(tmp_path):
    """Against moto: ministack makes no organizations."""
    moto, url = start_moto(tmp_path)
    try:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        organizations = boto3.client("organizations", endpoint_url=url, region_name="us-east-1", **keys)
        organizations.create_organization(FeatureSet="ALL")
        scp = ("productionapp", "--scp", "--break-glass", EMERGENCY)
        deputy(*scp, "--format", "awscli", "--output", str(tmp_path))
        script = tmp_path / "organization" / "deputy.sh"
        name = f"deputy-production-1-{ACCOUNT}"
        with AwsCli(tmp_path, url, ENVIRONMENT) as cli:
            made, again = [run(cli, "bash", script) for _ in range(2)]
        assert made == [
            f"deputy: made service control policy {name}",
            f"deputy: attached it to account {ACCOUNT}",
        ]
        assert again == [f"deputy: is as it should be: service control policy {name}"]
        [account] = json.loads(deputy(*scp))["accounts"]
        listed = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
        [made] = [p for p in listed if p["Name"] == name]
        content = organizations.describe_policy(PolicyId=made["Id"])["Policy"]["Content"]
        assert json.loads(content) == account["serviceControlPolicy"]
        targets = organizations.list_targets_for_policy(PolicyId=made["Id"])["Targets"]
        assert [target["TargetId"] for target in targets] == [ACCOUNT]
    finally:
        moto.stop(timeout=2)


def test_cfn_lint_finds_nothing_in_the_templates(tmp_path):
    for example in ("productionapp", "two-accounts", "federation"):
        of_example = ("--eks-cluster", EKS, "--format", "cloudformation", "--output", str(tmp_path / example))
        deputy(example, *of_example)
        deputy(example, *of_example, "--scp", "--break-glass", EMERGENCY)
    templates = list(tmp_path.glob("*/*/cloudformation.json"))
    assert len(templates) == 7
    lint = venv("templates") / "bin" / "cfn-lint"
    done = subprocess.run([lint, *templates], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("source", [("--eks-cluster", EKS), ("--eks-cluster", EKS, "--oidc-provider", PROVIDER)])
def test_the_cluster_config_is_of_eksctls_schema(tmp_path, source):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(_eksctl_schema()))
    config = tmp_path / "eksctl.yaml"
    config.write_text(deputy("productionapp", *source, "--format", "eksctl"))
    program = (
        "import json, sys, yaml, jsonschema\n"
        "schema, config = json.load(open(sys.argv[1])), yaml.safe_load(open(sys.argv[2]))\n"
        "jsonschema.Draft7Validator(schema).validate(config)\n"
        "config['iam']['unknown'] = True\n"
        "assert not jsonschema.Draft7Validator(schema).is_valid(config)\n"
    )
    python = venv("templates") / "bin" / "python"
    done = subprocess.run(
        [python, "-c", program, schema, config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _eksctl_schema() -> dict:
    if not shutil.which("go"):
        pytest.skip("the schema of eksctl is a file of its Go module, and there is no Go")
    done = subprocess.run(
        ["go", "mod", "download", "-json", EKSCTL],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=300,
    )
    if done.returncode:
        pytest.skip(f"the Go module of eksctl can't be had: {done.stdout[-300:]}")
    module = json.loads(done.stdout)
    assert module["Sum"] == EKSCTL_SUM
    return json.loads((Path(module["Dir"]) / "pkg/apis/eksctl.io/v1alpha5/assets/schema.json").read_text())


def test_the_commands_of_the_page_do_what_it_says(tmp_path):
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "bootstrap.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    (tmp_path / "examples").symlink_to(EXAMPLES)
    env = {"PATH": f"{cargo_binary('deputy').parent}:{os.environ['PATH']}"}
    printed = []
    for block in blocks:
        done = subprocess.run(
            ["bash", "-c", block], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), block
        printed.append(done.stdout)
    files = [f"deputy-aws/{account}/deputy.tf.json" for account in (ACCOUNT, "210987654321")]
    assert printed[0].splitlines() == files
    assert all(json.loads((tmp_path / file).read_text())["resource"] for file in files)
    assert f"guard 'deputy-production-1-{ACCOUNT}' '{ACCOUNT}'" in printed[1]
