"""The dashboard of the chart: Prometheus can read each query, which is about metrics and labels that there are, and Grafana can lay it out."""

import json
import re
from collections.abc import Iterator
from itertools import combinations

import promql_parser
import pytest

from rig.tools import ROOT

DASHBOARD = json.loads((ROOT / "charts" / "deputy" / "files" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}") for panel in PANELS for target in panel["targets"]
]
OF_TARGETS = {"cluster", "namespace", "pod"}
"""Labels that whoever scrapes gives a target; no metric of Deputy's has one of these."""
OF_HISTOGRAMS = {"le"}
VARIABLES = {variable["name"] for variable in DASHBOARD["templating"]["list"]}


def contracts() -> dict[str, set[str]]:
    """The labels of each metric, by docs/contracts.md, which tests hold against the code and against the processes."""
    page = (ROOT / "docs" / "contracts.md").read_text()
    rows = re.findall(r"^\| `(deputy_\w+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", labels))) for name, labels in rows}


LISTED = contracts()


def family(name: str) -> str:
    """The metric of a sample, as the contracts name it."""
    return re.sub(r"_(total|bucket|sum|count)$", "", name)


def as_grafana_sends(query: str) -> str:
    """With what Grafana puts in."""
    return re.sub(r"\$(\w+)", lambda found: "5m" if found[1] == "__rate_interval" else "x", query)


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of a query with the labels by which it is selected."""
    for name, inner in re.findall(r"\b(deputy_\w+)\{([^}]*)\}", query):
        yield name, set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', inner))


@pytest.mark.parametrize("query", QUERIES)
def test_prometheus_reads_each_query(query):
    promql_parser.parse(as_grafana_sends(query))
    assert {v for v in re.findall(r"\$(\w+)", query) if not v.startswith("__")} <= VARIABLES


@pytest.mark.parametrize("query", QUERIES)
def test_each_metric_and_label_of_a_query_is_a_contract(query):
    found = list(selectors(query))
    assert len(found) == len(re.findall(r"\bdeputy_\w+", query)), "each metric is selected by the dashboard's variables"
    known = OF_TARGETS | OF_HISTOGRAMS
    for name, labels in found:
        assert family(name) in LISTED, name
        assert {"cluster", "namespace"} <= labels <= OF_TARGETS | LISTED[family(name)], (name, labels)
        known |= LISTED[family(name)]
    for words in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", query):
        assert set(re.findall(r"\w+", words)) <= known, words
    for counter in re.findall(r"(?:rate|increase)\((\w+)\{", query):
        assert counter.endswith(("_total", "_bucket")), counter


def test_a_legend_has_labels_that_the_query_leaves():
    for panel in PANELS:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), f"{panel['title']}: {label}"


def test_no_label_of_a_metric_is_one_of_the_target_without_honor_labels():
    """The Prometheus operator gives targets labels of its own, and renames those of metrics that are called the same."""
    given = {"container", "endpoint", "instance", "job", "namespace", "pod"}
    template = (ROOT / "charts" / "deputy" / "templates" / "monitoring.yaml").read_text()
    assert {label for labels in LISTED.values() for label in labels} & given == {"endpoint"}
    assert "honorLabels: true" in template


def test_every_metric_is_on_the_dashboard():
    used = {family(name) for panel in PANELS for target in panel["targets"] for name, _ in selectors(target["expr"])}
    assert used == set(LISTED)


def test_an_axis_has_one_unit():
    """What is counted and what is measured in seconds or bytes are not drawn on one scale."""
    for panel in PANELS:
        config = panel["fieldConfig"]
        moved = {
            override["matcher"]["options"]
            for override in config["overrides"]
            if "custom.axisPlacement" in {p["id"] for p in override["properties"]} >= {"unit"}
        }
        units = set()
        for target in panel["targets"]:
            (unit,) = {re.sub(r"^.*_(seconds|bytes|percent|ratio)$|.*", r"\1", family(name)) for name, _ in selectors(target["expr"])}
            if target["refId"] not in moved:
                units.add(unit)
        assert len(units) == 1, f"{panel['title']}: {units}"


def test_the_share_of_kept_sessions_is_of_answers_with_a_credential():
    (panel,) = (panel for panel in PANELS if panel["title"] == "Credentials without a call to STS")
    (target,) = panel["targets"]
    made, answered = target["expr"].split(" / ")
    # A call that fails makes no session; 304 hands out none, and people have theirs by the same calls.
    assert 'outcome="ok"' in made
    assert re.findall(r"(deputy_\w+)\{[^}]*, status=\"200\"\}", answered) == ["deputy_broker_answers_total", "deputy_broker_people_answers_total"]
    assert answered.count("deputy_") == 2


def test_panels_have_a_place_of_their_own_and_say_what_they_show():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24, place
    for a, b in combinations(places, 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart, (a, b)
    for panel in PANELS:
        assert panel["title"] and panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"


def test_alerts_that_panels_name_are_there():
    alerts = set(re.findall(r"^- alert: (\w+)$", (ROOT / "charts/deputy/files/alerts.yaml").read_text(), re.MULTILINE))
    named = {alert for panel in PANELS for alert in re.findall(r"\bDeputy[A-Z]\w+", panel["description"])}
    assert named <= alerts
    assert len(named) > 10
