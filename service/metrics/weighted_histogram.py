"""A Prometheus histogram that takes many equal observations at once."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class WeightedHistogram(Collector):
    """Rows of a batch see the same gap between two tokens: one observation with their number costs what one row would.

    Registers itself. Thread-safe.
    """

    def __init__(self, name: str, text: str, label: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        """One label; `buckets` are upper bounds, ascending, without infinity."""
        self._name, self._text, self._label = name, text, label
        self._bounds = tuple(buckets)
        self._names = [*map(str, map(float, buckets)), "+Inf"]
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def observe(self, label: str, value: float, number: int) -> None:
        """`number` observations of `value`."""
        with self._lock:
            counts = self._counts.setdefault(label, [0] * len(self._names))
            counts[bisect.bisect_left(self._bounds, value)] += number
            self._sums[label] = self._sums.get(label, 0.0) + value * number

    def remove(self, label: str) -> None:
        """Forget a label."""
        with self._lock:
            self._counts.pop(label, None)
            self._sums.pop(label, None)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For the registry."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        with self._lock:
            for label, counts in self._counts.items():
                cumulative = list(zip(self._names, map(float, accumulate(counts)), strict=True))
                family.add_metric([label], cumulative, self._sums[label])
        yield family
