"""The panels of the dashboard as Grafana reads them: from its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.processes import REPOSITORY

FILE = REPOSITORY / "deploy" / "grafana" / "dashboards" / "seq2serve.json"


@dataclass(frozen=True)
class Target:
    """A query and what its series are called."""

    expression: str
    legend: str

    def name(self, labels: dict[str, str]) -> str:
        """Of a series."""
        return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), self.legend)


@dataclass(frozen=True)
class Panel:
    """One panel and where it stands."""

    row: str
    title: str
    kind: str
    unit: str
    is_stacked: bool
    targets: tuple[Target, ...]
    position: tuple[int, int, int, int]
    """x, y, width, height in Grafana's grid of 24 columns."""

    def __str__(self) -> str:
        return f"{self.row} / {self.title}"


def panels(window: str = "10s") -> Iterator[Panel]:
    """All panels, the dashboard's variables filled in: every replica, every model, rates over `window`."""
    row = ""
    for panel in json.loads(FILE.read_text())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        defaults, place = panel["fieldConfig"]["defaults"], panel["gridPos"]
        stacking = defaults.get("custom", {}).get("stacking", {}).get("mode", "none")
        targets = (Target(_filled(target["expr"], window), target["legendFormat"]) for target in panel["targets"])
        position = (place["x"], place["y"], place["w"], place["h"])
        yield Panel(row, panel["title"], panel["type"], defaults["unit"], stacking != "none", tuple(targets), position)


def _filled(expression: str, window: str) -> str:
    for name, value in {"$__rate_interval": window, "$instance": ".*", "$model": ".*"}.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, f"a variable that nobody fills in: {expression}"
    return expression
