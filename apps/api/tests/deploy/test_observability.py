"""What is deployed to watch Renum speaks of metrics that there are."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import promql_parser
import pytest
import yaml

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.endpoints.people import OUTLINE, Person, signed_in
from tests.samples import Samples
from tests.serving import serving, settings_for

ROOT = Path(__file__).parents[4]
DEPLOYED = ROOT / "deploy/observability"
MONITORING = (ROOT / "docs/operations/monitoring.md").read_text()
ALERTS = yaml.safe_load((DEPLOYED / "alerts.yml").read_text())
DASHBOARD = json.loads((DEPLOYED / "dashboard.json").read_text())
#: Added by Prometheus itself.
BY_SCRAPING = {"job", "instance"}


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression, and where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((\w+), \w+\)", variable["definition"])
            assert asked is not None
            yield variable["name"], asked[1]


def parsed(expression: str) -> promql_parser.Expr:
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def asked_for(expression: str) -> tuple[dict[str, dict[str, str]], set[str]]:
    """The metrics with the labels that are asked of each, and labels that it groups by."""
    metrics: dict[str, dict[str, str]] = {}
    groups: set[str] = set()

    def look(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            labels = metrics.setdefault(str(node.name), {})
            labels.update({m.name: m.value for m in node.matchers.matchers})
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            groups.update(node.modifier.labels)

    promql_parser.walk(parsed(expression), look)
    assert metrics
    return metrics, groups


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def real(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Samples:
    """What a server tells that has served and run something."""
    with serving(settings_for(sandbox, new_database())) as url:
        with signed_in(url, constants.ANA_EMAIL) as http:
            ana = Person(http)
            ana.wait(ana.execute(ana.team({"agent_id": OUTLINE}))["execution_id"])
        with httpx2.Client(trust_env=False) as client:
            return Samples(client.get(f"{url}/metrics").text)


def test_every_expression_asks_for_metrics_and_labels_that_there_are(real: Samples) -> None:
    for where, expression in expressions():
        metrics, groups = asked_for(expression)
        known: set[str] = set(BY_SCRAPING)
        for name, labels in metrics.items():
            assert name in real.names, f"{where}: there is no {name}"
            own = {label for found in real.of(name) for label in found}
            assert set(labels) <= own | BY_SCRAPING, f"{where}: {name} has only {own}"
            known |= own
        assert groups <= known, f"{where}: nothing has {groups - known}"


def test_labels_are_asked_for_values_that_there_are(real: Samples) -> None:
    """A state or a status that is spelt wrongly would never be seen."""
    checked = 0
    for where, expression in expressions():
        for name, labels in asked_for(expression)[0].items():
            for label, value in labels.items():
                if label == "renum_breaker" or (label == "status" and "http" not in name):
                    found = {labels[label] for labels in real.of(name)}
                    assert set(value.split("|")) <= found, f"{where}: {name} has {found}"
                    checked += 1
    assert checked > 5


def test_the_table_of_the_manual_is_what_a_server_tells(real: Samples) -> None:
    row = r"^\| `(renum_\w+)` \| (\w+) \|([^|]*)\| (?:process|database) \|"
    rows = re.findall(row, MONITORING, re.MULTILINE)
    told = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    families = {n: t for n, t in real.families.items() if n.startswith("renum_")}
    assert {name: kind for name, (kind, _) in told.items()} == families
    suffix = {"counter": "_total", "histogram": "_count", "gauge": ""}
    for name, (kind, labels) in told.items():
        [own, *others] = {frozenset(found) for found in real.of(name + suffix[kind])}
        assert (own, others) == (labels, []), name


def test_no_label_has_many_values(real: Samples) -> None:
    for name in real.names:
        labels = real.of(name)
        for label in {key for found in labels for key in found} - {"le"}:
            values = {found[label] for found in labels}
            assert not [v for v in values if re.search(r"[0-9a-f]{8}-", v)], f"{name} has ids"


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    explained = set(re.findall(r"^\| `(Renum\w+)` \|", MONITORING, re.MULTILINE))
    assert {rule["alert"] for rule in rules()} == explained
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_each_process_is_one_target() -> None:
    example = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    assert example["rule_files"] == ["alerts.yml"]
    assert {job["job_name"] for job in example["scrape_configs"]} == {"renum-api", "renum-worker"}


def gauges_of_the_database() -> set[str]:
    """What every process tells alike."""
    rows = re.findall(r"^\| `(renum_\w+)` \|.*\| database \|", MONITORING, re.MULTILINE)
    assert len(rows) >= 5
    return set(rows)


def test_what_every_process_tells_alike_is_never_added_up() -> None:
    """With two processes, a sum would be twice what there is."""
    alike, checked = gauges_of_the_database(), 0
    for where, expression in expressions():
        within: list[promql_parser.Expr] = []

        def look(node: object, within: list[promql_parser.Expr] = within) -> None:
            if isinstance(node, promql_parser.AggregateExpr):
                within.append(node)

        promql_parser.walk(parsed(expression), look)
        smallest = {
            name: aggregate
            for aggregate in within  # from the outside in
            for name in alike
            if re.search(rf"\b{name}\b", str(aggregate.expr))
        }
        told = alike & set(asked_for(expression)[0])
        assert told == set(smallest), f"{where}: one series a process"
        for name, aggregate in smallest.items():
            assert str(aggregate.op) == "max", f"{where}: {name} is not taken by max"
            checked += 1
    assert checked >= 8


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
