"""Every query of the dashboard, every rule, every alert: against the real service, Envoy and Prometheus under load."""

from __future__ import annotations

import math
import re
import shutil
import signal
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.deploy.dashboard import Panel, panels
from tests.deploy.monitored import Monitored, eventually, monitored
from tests.deploy.monitoring import PROMETHEUS
from tests.deploy.prometheus_api import PrometheusApi, Series

pytestmark = pytest.mark.deploy

MIN_LOAD_SECONDS = 10.0
RANGES = {
    "s": (0.0, 60.0),
    "ms": (0.0, 60_000.0),
    "percentunit": (0.0, 1.0),
    "bytes": (2.0**20, 2.0**36),
    "reqps": (0.0, 1e4),
    "short": (0.0, 1e4),
    "suffix: tokens/s": (0.0, 1e5),
    "suffix: steps/s": (0.0, 1e5),
    "suffix: sentences/s": (0.0, 1e4),
    "suffix: messages/s": (0.0, 1e5),
    "suffix: cores": (0.0, 4.0),
    "suffix: ×": (0.0, 1000.0),
}
"""What a panel may show, by its unit, on a machine of a few cores."""
OTHER_RANGES = {
    "Availability budget left": (-1000.0, 1.0),  # this load overspends it
    "Latency budget left": (-100.0, 1.0),
    "Age": (0.0, 600.0),
    **dict.fromkeys(("Queue", "Fullest queue", "seq2serve:queue:ratio"), (0.0, 2.0)),  # begun texts may overfill it
}
WITHOUT_GPU = {"GPU memory"}
"""Panels that are empty on a machine without a GPU."""
MAY_BE_ZERO = WITHOUT_GPU | {"Retries", "Availability budget left", "Latency budget left"}
"""Panels without a value above zero: this load gives Envoy no reason to try again, and overspends the budgets."""
GPU_ALERTS = {"Seq2serveGpuMemory"}


@pytest.fixture(scope="module")
def under_load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    with monitored(tmp_path_factory.mktemp("monitored"), is_everything_there) as running:
        yield running


def is_everything_there(api: PrometheusApi, begin: float) -> bool:
    """Whether the load has provoked all that panels and alerts show; the tests then say what."""
    end = time.time()
    if end - begin < MIN_LOAD_SECONDS:
        return False
    values = (largest(shown(api, panel, begin, end)) for panel in panels() if panel.title not in MAY_BE_ZERO)
    return all(value > 0 for value in values) and not any(missing(api, alert, end) for alert in rules("alerts.yml"))


def shown(api: PrometheusApi, panel: Panel, begin: float, end: float) -> list[list[Series]]:
    """Of each query of a panel."""
    return [api.over(target.expression, begin, end) for target in panel.targets]


def largest(found: list[list[Series]]) -> float:
    """Value of a panel."""
    return max((value for series in found for one in series for value in one.values), default=-math.inf)


@pytest.mark.parametrize("panel", list(panels()), ids=str)
def test_every_panel_shows_what_its_unit_says(under_load: Monitored, panel: Panel) -> None:
    low, high = OTHER_RANGES.get(panel.title, RANGES[panel.unit])
    found = shown(under_load.api, panel, under_load.begin, under_load.end)
    if panel.title in WITHOUT_GPU:
        assert found == [[]], "there is a GPU: this panel can be tested"
        return
    for target, series in zip(panel.targets, found, strict=True):
        assert any(one.samples for one in series), target
        for one in series:
            assert all(low <= value <= high for value in one.values), (target, one)
            assert panel.kind in ("stat", "table") or target.name(one.labels), "a line without a name"
    assert largest(found) > 0 or panel.title in MAY_BE_ZERO


def rules(file: str) -> list[dict]:
    """Of all groups."""
    return [rule for group in yaml.safe_load((PROMETHEUS / file).read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("name", sorted({rule["record"] for rule in rules("recording.yml")}))
def test_every_recording_rule_records(under_load: Monitored, name: str) -> None:
    usual = (0.0, 1.0) if "ratio" in name else (0.0, 60.0) if "_seconds:" in name else (0.0, 1e5)
    low, high = OTHER_RANGES.get(name, usual)
    found = under_load.api.over(name, under_load.begin, under_load.end)
    values = [value for series in found for value in series.values]
    assert all(low <= value <= high for value in values)
    assert max(values) > 0


def selectors(expression: str) -> set[str]:
    """The metrics of an expression, each with its labels; no functions, no lists of labels."""
    without_labels = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    found = re.findall(r"\b([a-z_][a-z0-9_:]*(?:\{[^}]*\})?)(?![a-z0-9_:{(\]]|\s*\()", without_labels)
    return set(found) - {"and", "or", "unless", "m", "s", "h", "d"}


def missing(api: PrometheusApi, alert: dict, end: float) -> set[str]:
    """The selectors of an alert that find nothing."""
    if alert["alert"] in GPU_ALERTS:
        return set()
    return {one for one in selectors(alert["expr"]) if not api.at(f"count(last_over_time({one}[1m]))", end)}


def test_selectors_are_found() -> None:
    found = selectors(
        'sum by (job) (rate(a_b{c=~"d|e"}[5m])) / f:g:h5m > 0 and on (job) absent(i == 1) or time() - j > 3'
    )
    assert found == {'a_b{c=~"d|e"}', "f:g:h5m", "i", "j"}


@pytest.mark.parametrize("alert", rules("alerts.yml"), ids=lambda alert: alert["alert"])
def test_every_alert_asks_for_what_there_is(under_load: Monitored, alert: dict) -> None:
    under_load.api.at(alert["expr"], under_load.end)
    assert selectors(alert["expr"]) or alert["expr"] == "vector(1)"
    assert not missing(under_load.api, alert, under_load.end)


def test_alerts_reach_who_is_to_be_told(under_load: Monitored) -> None:
    api, webhook = under_load.api, under_load.webhook
    eventually(lambda: "AlwaysFiring" in webhook.names("/heartbeat", "firing"), "the heartbeat arrives")
    eventually(lambda: "Seq2serveModelLoadFailed" in webhook.names("/team", "firing"), "a warning arrives")
    under_load.replica.send(signal.SIGTERM)
    assert under_load.replica.wait(within_seconds=30) == 0
    eventually(lambda: api.alerts().get("Seq2serveReplicaDown") == "firing", "Prometheus sees the replica down")
    eventually(lambda: "Seq2serveNoReadyReplica" in webhook.names("/on-call", "firing"), "a page arrives")
    eventually(
        lambda: under_load.alertmanager.states().get("Seq2serveReplicaDown") == "suppressed",
        "what follows from it is not told",
    )
    shutil.rmtree(under_load.broken_bundle)  # it would refuse to start with it
    under_load.replica.start_again()
    eventually(lambda: "Seq2serveNoReadyReplica" in webhook.names("/on-call", "resolved"), "it is told to be over")
    [first, *_] = [alert for _, alert in webhook.told if alert["labels"]["alertname"] == "Seq2serveNoReadyReplica"]
    assert first["labels"]["severity"] == "critical"
    assert first["annotations"]["runbook"] == "docs/deploy/runbook.md#seq2servenoreadyreplica"
