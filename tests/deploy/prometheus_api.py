"""What Prometheus answers over its HTTP API."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """Samples of one set of labels."""

    labels: dict[str, str]
    samples: list[tuple[float, float]]
    """Seconds since the epoch, and the value; without those that are no number."""

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.samples]


class QueryError(Exception):
    """Prometheus does not understand a query."""


@dataclass(frozen=True)
class PrometheusApi:
    """Of the Prometheus at host:port."""

    address: str

    def at(self, expression: str, seconds: float | None = None) -> list[Series]:
        """The series at an instant; None: now."""
        when = {} if seconds is None else {"time": seconds}
        found = self._get("query", query=expression, **when)
        if found["resultType"] == "scalar":
            return [Series({}, _numbers([found["result"]]))]
        return [Series(one["metric"], _numbers([one["value"]])) for one in found["result"]]

    def over(self, expression: str, begin: float, end: float, step: float = 1.0) -> list[Series]:
        """The series from `begin` to `end`, in seconds since the epoch."""
        found = self._get("query_range", query=expression, start=begin, end=end, step=step)
        return [Series(one["metric"], _numbers(one["values"])) for one in found["result"]]

    def alerts(self) -> dict[str, str]:
        """State by name of those that are pending or firing."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self._get("alerts")["alerts"]}

    def _get(self, path: str, **parameters: str | float) -> dict:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{parameters}: {error.read().decode()}") from None


def _numbers(samples: list[tuple[float, str]]) -> list[tuple[float, float]]:
    pairs = ((seconds, float(value)) for seconds, value in samples)
    return [(seconds, value) for seconds, value in pairs if not math.isnan(value)]
