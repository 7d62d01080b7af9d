"""The kinds on a real API server: what its schema and CEL refuse by themselves."""

import copy
import subprocess

import pytest
import yaml

from rig.apiclient import ApiError
from rig.cluster import load_manifests
from rig.tools import ROOT, cargo_binary

from .scenario import READ, account, binding, collection, document, limit, role

pytestmark = pytest.mark.usefixtures("scenario")


def test_the_definitions_are_accepted_without_a_warning(scenario):
    definitions = scenario.deputy.rendered.definitions
    assert len(scenario.deputy.rendered.crd_names()) == 8
    for definition in definitions:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"
        path += "?fieldManager=probe&force=true&dryRun=All&fieldValidation=Strict"
        assert scenario.admin.warnings("PATCH", path, definition, "application/apply-patch+yaml") == []


def test_the_files_in_crds_are_what_deputy_prints():
    printed = subprocess.run([cargo_binary("deputy"), "crds"], capture_output=True, text=True, check=True).stdout
    files = sorted((ROOT / "crds").glob("*.yaml"))
    in_files = [load_manifests(f.read_text())[0] for f in files]

    def by_name(crd: dict) -> str:
        return crd["metadata"]["name"]

    assert sorted(load_manifests(printed), key=by_name) == sorted(in_files, key=by_name)


EXAMPLES = sorted((ROOT / "crates/api/src/examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_kubectl_explains_a_kind_with_its_example(scenario, path):
    """kubectl wraps texts; the lines of the example stay as they are."""
    explained = scenario.cluster.kubectl("explain", path.stem).stdout
    example = path.read_text().rstrip().splitlines()
    shown = explained.splitlines()
    first = next(number for number, line in enumerate(shown) if line.strip() == example[0])
    margin = shown[first].removesuffix(example[0])
    assert [line.removeprefix(margin) for line in shown[first : first + len(example)]] == example


def test_the_examples_of_kubectl_explain_are_one_installation_that_is_accepted():
    done = subprocess.run(
        [cargo_binary("deputy"), "check", *(path for path in EXAMPLES if path.stem != "namespacelimits")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


GOOD = {
    "AWSAccount": account("cel"),
    "DelegationLimit": limit("cel", ["cel"]),
    "AWSRole": role("default", "cel", READ),
    "AWSRoleBinding": binding("default", "cel", "cel", "app"),
    "AWSResourcePolicyStatement": {
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "AWSResourcePolicyStatement",
        "metadata": {"name": "cel", "namespace": "default"},
        "spec": {
            "accountRef": {"name": "cel"},
            "resourceARN": "arn:aws:s3:::productionapp",
            "principals": [{"kind": "AWSRole", "name": "cel"}],
            "statement": {"Action": "s3:ListBucket"},
        },
    },
}

BAD = [
    ("AWSAccount", "accountID", "12345", "should match"),
    ("AWSAccount", "accountID", "12345678901a", "should match"),
    ("AWSAccount", "accountID", "1234567890123", "Too long"),
    ("AWSAccount", "accountID", 123456789012, "must be of type string"),
    ("AWSAccount", "region", "Tokyo", "should match"),
    ("AWSAccount", "region", "cn-north-1", "region of another partition"),
    ("AWSAccount", "region", "us-gov-west-1", "region of another partition"),
    ("AWSAccount", "issuer.principalARN", "arn:aws:iam::123456789012:group/x", "should match"),
    ("AWSAccount", "issuer.principalARN", "arn:aws-cn:iam::123456789012:role/x", "must be in spec.partition"),
    ("AWSAccount", "federation", {"userARN": "arn:aws:iam::123456789012:role/x"}, "should match"),
    ("AWSAccount", "federation", {"userARN": "arn:aws:iam::210987654321:user/x"}, "user of this account"),
    (
        "AWSAccount",
        "federation",
        {"userARN": "arn:aws:iam::123456789012:user/deputy-broker"},
        "another one than the issuer",
    ),
    ("DelegationLimit", "federatedUsers", ["a?"], "should match"),
    ("DelegationLimit", "session", {"maxFederatedDuration": "37h"}, "must be 15m to 36h"),
    ("DelegationLimit", "resourcePolicies", ["arn:aws:s3:::productionapp/*"], "should match"),
    ("DelegationLimit", "resourcePolicies", ["*"], "should match"),
    ("AWSResourcePolicyStatement", "resourceARN", "arn:aws:s3:::productionapp/reports/*", "should match"),
    ("AWSResourcePolicyStatement", "resourceARN", "arn:aws:kms:eu-west-1:123456789012:key/x", "should match"),
    ("AWSResourcePolicyStatement", "principals", [], "should have at least 1 items"),
    ("AWSResourcePolicyStatement", "principals", [{"kind": "User", "name": "alice"}], "Unsupported value"),
    ("AWSResourcePolicyStatement", "statement", "s3:*", "must be of type object"),
    ("AWSAccount", "endpoints", {"s3": "http://s3.example.com"}, "should match"),
    (
        "AWSAccount",
        "previousIssuers",
        [{"principalARN": "arn:aws:iam::123456789012:user/deputy-broker"}],
        "others than issuer",
    ),
    ("AWSAccount", "previousIssuers", [{"principalARN": "arn:aws-cn:iam::123456789012:user/x"}], "must be in spec.partition"),
    ("AWSAccount", "previousIssuers", [{"principalARN": f"arn:aws:iam::123456789012:user/{n}"} for n in "abc"], "Too many"),
    ("AWSAccount", "previousIssuers", [], "at least 1 item"),
    ("AWSAccount", "defaults", {"sessionDuration": "29m"}, "30m to 12h"),
    ("AWSAccount", "defaults", {"sessionDuration": "13h"}, "30m to 12h"),
    ("AWSAccount", "tags", {"deputy-cluster": "other"}, "reserved"),
    ("AWSAccount", "endpoints", {"iam": "http://iam.example.com"}, "should match"),
    (
        "AWSAccount",
        "provisioner",
        {"assumeRole": {"roleARN": "arn:aws:iam::999999999999:role/x"}},
        "must be a role of this account",
    ),
    ("DelegationLimit", "boundary.type", "Some", "Unsupported value"),
    ("DelegationLimit", "namespaces", [], "should have at least 1 items"),
    ("DelegationLimit", "accounts", [], "should have at least 1 items"),
    ("DelegationLimit", "session.maxDuration", "1 hour", "should match"),
    ("DelegationLimit", "ceiling", "s3:*", "must be of type object"),
    ("AWSRole", "policies", [], "should have at least 1 items"),
    ("AWSRole", "policies", [{"name": "a", "document": document(READ)}] * 2, "Duplicate value"),
    ("AWSRole", "maxSessionDuration", "30m", "1h to 12h"),
    ("AWSRole", "maxSessionDuration", "13h", "1h to 12h"),
    ("AWSRole", "maxSessionDuration", "one hour", "should match"),
    ("AWSRole", "accountRef", {}, "Required value"),
    ("AWSRoleBinding", "subjects", [], "should have at least 1 items"),
    ("AWSRoleBinding", "subjects", [{"kind": "Pod", "name": "app"}], "Unsupported value"),
    ("AWSRoleBinding", "roleRef.kind", "ClusterAWSRole", "accountRef is required"),
    ("AWSRoleBinding", "accountRef", {"name": "production"}, "an AWSRole names its account itself"),
    ("AWSRoleBinding", "roleRef.kind", "Role", "Unsupported value"),
    ("AWSRoleBinding", "session", {"scope": "Node"}, "Unsupported value"),
    ("AWSRoleBinding", "session", {"duration": "29m"}, "30m to 12h"),
    ("AWSRoleBinding", "session", {"tags": {"deputy-namespace": "other"}}, "reserved"),
]


@pytest.mark.parametrize(("kind", "field", "value", "says"), BAD, ids=[f"{k}.{f}={v}"[:60] for k, f, v, _ in BAD])
def test_a_bad_value_is_refused_by_the_schema(scenario, kind, field, value, says):
    bad = copy.deepcopy(GOOD[kind])
    at = bad["spec"]
    *parents, last = field.split(".")
    for parent in parents:
        at = at[parent]
    at[last] = value
    error = scenario.refusal(bad)
    assert error.code == 422 and says in error.message, error


def test_what_names_something_else_in_aws_can_not_be_changed(scenario, team):
    scenario.create(scenario.account("immutable", accountID="210987654321"))
    team.role(wait=False)
    team.binding(wait=False)
    changes = [
        (f"{collection(account())}/immutable", {"accountID": "999999999999"}, "accountID is immutable"),
        (team.role_path(), {"accountRef": {"name": "immutable"}}, "accountRef is immutable"),
        (team.binding_path(), {"roleRef": {"name": "admin"}}, "roleRef is immutable"),
    ]
    for path, spec, says in changes:
        with pytest.raises(ApiError, match=says) as error:
            scenario.admin.patch(path, {"spec": spec})
        assert error.value.code == 422
    scenario.admin.delete(f"{collection(account())}/immutable")


@pytest.mark.parametrize("kind", GOOD)
def test_an_unknown_field_is_refused(scenario, kind):
    mistyped = copy.deepcopy(GOOD[kind])
    mistyped["spec"]["sesion"] = {"scope": "Pod"}
    done = scenario.cluster.kubectl(
        "create", "--dry-run=server", "-f", "-", input=yaml.safe_dump(mistyped), check=False
    )
    assert done.returncode != 0
    assert "strict decoding error" in done.stderr and 'unknown field "spec.sesion"' in done.stderr
