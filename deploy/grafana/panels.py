"""What a dashboard is made of: rows of panels, each with its unit and its queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "lines", "stacked", "table"]

REPLICA = 'instance=~"$instance"'
MODEL = f'{REPLICA},model=~"$model"'
API = f'{REPLICA},grpc_service=~"seq2serve[.].+"'
TRANSLATE = f'{API},grpc_method="Translate"'
EDGE = 'envoy_http_conn_manager_prefix!~"admin|stats"'
UPSTREAM = 'envoy_cluster_name!~"admin|stats"'

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Query:
    """An expression of Prometheus and what its series are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Limit:
    """From which value on a number is red."""

    value: float
    is_least: bool = False
    """Whether what is below is red, not what is above."""


@dataclass(frozen=True)
class Panel:
    """One picture."""

    title: str
    unit: str
    """As Grafana calls it."""
    description: str
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    width: int = 8
    """Of 24 columns."""
    limit: Limit | None = None


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


def lines(title: str, unit: str, description: str, *queries: Query, width: int = 8) -> Panel:
    """One line for each series."""
    return Panel(title, unit, description, queries, width=width)


def stacked(title: str, unit: str, description: str, *queries: Query, width: int = 8) -> Panel:
    """Series that add up to something."""
    return Panel(title, unit, description, queries, "stacked", width)


def number(title: str, unit: str, description: str, expression: str, limit: Limit | None = None) -> Panel:
    """The last value, large."""
    return Panel(title, unit, description, (Query(expression),), "number", 3, limit)


def latency(title: str, metric: str, description: str, labels: str = MODEL, width: int = 8) -> Panel:
    """Quantiles of a histogram in seconds: of all its series together, for quantiles cannot be averaged."""
    queries = (Query(quantile(share, metric, labels), name) for name, share in QUANTILES.items())
    return lines(title, "s", description, *queries, width=width)


def rate(metric: str, labels: str, by: str) -> str:
    """How fast a counter grows, in a second."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def quantile(share: float, metric: str, labels: str, by: str = "") -> str:
    """Of a histogram; `by`: labels to keep apart."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels, f'{by}, le' if by else 'le')})"


def mean(metric: str, by: str = "model") -> str:
    """Of what a histogram observed; nothing where it observed nothing."""
    return f"{rate(f'{metric}_sum', MODEL, by)} / ({rate(f'{metric}_count', MODEL, by)} > 0)"
