"""The alerts of the chart: each can be read by Prometheus, is about metrics that there are, and has a section in the runbooks."""

import re

import promql_parser
import pytest
import yaml

from rig.tools import ROOT

ALERTS = yaml.safe_load((ROOT / "charts" / "deputy" / "files" / "alerts.yaml").read_text())


def metrics(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    return set(re.findall(r"\bdeputy_\w+", expression))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_prometheus_reads_the_expression_and_people_the_summary(alert):
    promql_parser.parse(alert["expr"])
    assert alert["severity"] in ("critical", "warning")
    assert len(alert["summary"]) < 120
    # What a summary names is left by the expression.
    for label in re.findall(r"\$labels\.(\w+)", alert["summary"]):
        assert re.search(rf"by \([^)]*\b{label}\b", alert["expr"]), label


def test_every_metric_of_an_alert_is_a_contract():
    contracts = (ROOT / "docs" / "contracts.md").read_text()
    listed = set(re.findall(r"^\| `(deputy_\w+)` \|", contracts, re.MULTILINE))
    used = set().union(*(metrics(alert["expr"]) for alert in ALERTS))
    assert {name.removesuffix("_total") for name in used} <= listed


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    runbooks = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert runbooks == [alert["alert"] for alert in ALERTS]


def test_kube_state_metrics_is_told_of_every_kind_with_conditions():
    config = yaml.safe_load((ROOT / "monitoring" / "kube-state-metrics.yaml").read_text())
    told = {resource["groupVersionKind"]["kind"] for resource in config["spec"]["resources"]}
    crds = [yaml.safe_load(path.read_text())["spec"] for path in (ROOT / "crds").glob("*.yaml")]
    with_conditions = set()
    for crd in crds:
        [version] = crd["versions"]
        status = version["schema"]["openAPIV3Schema"]["properties"].get("status", {})
        if "conditions" in status.get("properties", {}):
            with_conditions.add(crd["names"]["kind"])
    assert told == with_conditions
