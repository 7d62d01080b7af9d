"""The alerts and the dashboard of the chart against what the processes say."""

import re

from chart.test_alerts import ALERTS, metrics
from chart.test_dashboard import LISTED, OF_HISTOGRAMS, PANELS, family, selectors

from .scenario import READ

NOT_AT_ONCE = {"deputy_aws_quota_used_ratio"}
"""Metrics with labels that have no line until AWS was asked."""


def test_the_metrics_of_alerts_are_there_under_their_names(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    types: dict[str, str] = {}
    # Prometheus sees no increase where a counter begins with one.
    for reason in ("panic", "refused", "evicted"):
        assert f'deputy_connections_cut_total{{endpoint="broker",reason="{reason}"}} 0' in scenario.deputy.metrics("broker")
    for process in ("controller", "limits", "webhook", "broker"):
        types |= dict(re.findall(r"^# TYPE (\w+) (\w+)$", scenario.deputy.metrics(process), re.MULTILINE))
    for alert in ALERTS:
        for name in metrics(alert["expr"]):
            family = name.removesuffix("_total")
            if family not in types:
                assert family in NOT_AT_ONCE, f"{alert['alert']}: no process has {family}"
                continue
            assert types[family] == ("counter" if name.endswith("_total") else "gauge"), f"{alert['alert']}: {name}"


def test_samples_have_the_labels_of_the_contracts_and_the_types_that_the_dashboard_takes(scenario, team):
    team.granted("uploader", READ)
    team.pod()
    team.wait_answer(200)
    types: dict[str, str] = {}
    for process in ("controller", "limits", "webhook", "broker"):
        page = scenario.deputy.metrics(process)
        types |= dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE))
        for name, labels in re.findall(r"^(deputy_\w+)(?:\{(.*)\})? \S+$", page, re.MULTILINE):
            found = set(re.findall(r'(\w+)="', labels)) - OF_HISTOGRAMS
            assert found == LISTED[family(name)], f"{process}: {name}: docs/contracts.md has {LISTED[family(name)]}"
    seen = set()
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    for panel in PANELS:
        for target in panel["targets"]:
            for name, _ in selectors(target["expr"]):
                # Some have no line before somebody asks; docs/contracts.md, which has them all, is held against the code.
                if family(name) in types:
                    assert name.removeprefix(family(name)) in suffixes[types[family(name)]], f"{panel['title']}: {name}"
                    seen.add(name)
    assert len(seen) > 20
