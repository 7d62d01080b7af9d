"""The alerts of the chart against what the processes say."""

import re

from chart.test_alerts import ALERTS, metrics

from .scenario import READ

NOT_BEFORE_A_FAULT = {"deputy_connections_cut", "deputy_aws_quota_used_ratio"}
"""Metrics with labels that have no line until something happened for the first time."""


def test_the_metrics_of_alerts_are_there_under_their_names(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    types: dict[str, str] = {}
    for process in ("controller", "limits", "webhook", "broker"):
        types |= dict(re.findall(r"^# TYPE (\w+) (\w+)$", scenario.deputy.metrics(process), re.MULTILINE))
    for alert in ALERTS:
        for name in metrics(alert["expr"]):
            family = name.removesuffix("_total")
            if family not in types:
                assert family in NOT_BEFORE_A_FAULT, f"{alert['alert']}: no process has {family}"
                continue
            assert types[family] == ("counter" if name.endswith("_total") else "gauge"), f"{alert['alert']}: {name}"
