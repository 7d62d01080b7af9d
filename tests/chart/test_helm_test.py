"""The pod of `helm test`: what Helm makes of its hooks, and that it gets where the other pods of the release get."""

import subprocess

import pytest
import yaml

from rig.kube_render import CHART
from rig.tools import ROOT, binary

FULL = ROOT / "tests" / "chart" / "full.values.yaml"
NAMESPACE = "deputy"


def rendered(*arguments: str) -> list[dict]:
    """What the chart renders of every value, with the test, which `full.values.yaml` leaves out."""
    done = subprocess.run(
        [
            *(binary("helm"), "template", "deputy", CHART, "--namespace", NAMESPACE, "--kube-version", "1.34"),
            *("--values", FULL, "--set", "test.enabled=true", *arguments),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.fixture(scope="module")
def objects() -> list[dict]:
    return rendered()


def of(objects: list[dict], kind: str, name: str, namespace: str = NAMESPACE) -> dict:
    """The one object of a kind, a name and a namespace."""
    (found,) = (
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == (kind, name)
        and one["metadata"].get("namespace", namespace) == namespace
    )
    return found


def test_helm_finds_the_log_of_every_hook_of_the_test(objects):
    """`helm test --logs` asks for the log of a pod by the name of each, once all are done and what is to be deleted is."""
    hooks = [one for one in objects if one["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]
    assert [(one["kind"], one["metadata"]["name"]) for one in hooks] == [("Pod", "deputy-doctor")]
    assert hooks[0]["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"


def test_the_pod_gets_where_the_other_pods_get(objects):
    pod = of(objects, "Pod", "deputy-doctor")
    other = of(objects, "Deployment", "deputy-controller")["spec"]["template"]
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}, {"name": "mirror"}]
    for field in ("imagePullSecrets", "nodeSelector", "tolerations", "securityContext"):
        assert pod["spec"][field] == other["spec"][field], field
    (token,) = pod["spec"]["volumes"]
    assert token in other["spec"]["volumes"]
    assert pod["metadata"]["labels"]["team"] == "platform"
    assert pod["metadata"]["annotations"]["prometheus.io/scrape"] == "true"


def test_the_pod_has_a_way_out_where_networks_are_shut(objects):
    policy = of(objects, "NetworkPolicy", "deputy-doctor")["spec"]
    labels = of(objects, "Pod", "deputy-doctor")["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    # Everywhere, and nobody to it: with less it would say of the metadata service what is true of itself alone.
    assert policy == {**policy, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}
    assert "ingress" not in policy
    without = rendered("--set", "test.enabled=false")
    assert not [one for one in without if one["metadata"]["name"] == "deputy-doctor"]


def test_the_pod_sees_what_the_broker_may_for_people(objects):
    role = of(objects, "Role", "deputy-doctor", "kube-system")
    assert role["rules"] == [
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles", "rolebindings"],
            "resourceNames": ["deputy-broker"],
            "verbs": ["get"],
        }
    ]
    binding = of(objects, "RoleBinding", "deputy-doctor", "kube-system")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "deputy-doctor", "namespace": NAMESPACE}]
    without = rendered("--set", "people.enabled=false")
    in_system = [one for one in without if one["metadata"].get("namespace") == "kube-system"]
    assert not [one for one in in_system if one["metadata"]["name"] == "deputy-doctor"]
