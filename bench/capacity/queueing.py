"""A replica as a queue: all sentences in flight share the engine, which does more in all the more there are.

Continuous batching is processor sharing whose total rate depends on the number in flight (generalised processor
sharing, Cohen 1979, "The multiple phase service network with generalized processor sharing"). For Poisson arrivals the
probability of n in flight is proportional to λⁿ / (μ(1) … μ(n)), whatever the sentences' lengths are distributed like;
μ(n), sentences per second with n in flight, is what a closed loop of n clients measures. The mean latency follows by
Little's law. Its percentiles have no such formula: `percentile_seconds` lets a sentence find what an arrival finds and
takes it that this does not change while it stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TAIL = 1e-9
"""Probability that may be cut off."""


class OverloadError(ValueError):
    """More arrives than can be done."""


class SharedEngine:
    """One replica under Poisson arrivals."""

    def __init__(self, in_flight: Sequence[int], sentences_per_second: Sequence[float]) -> None:
        """What was measured, by number in flight, from 1 upwards; linear in between, and level after the last."""
        self._numbers = np.asarray(in_flight, dtype=float)
        self._rates = np.asarray(sentences_per_second, dtype=float)

    @property
    def capacity(self) -> float:
        """Sentences per second with ever more in flight."""
        return float(self._rates[-1])

    def rate(self, in_flight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sentences per second, of all together."""
        rates: NDArray[np.float64] = np.interp(in_flight, self._numbers, self._rates)
        return rates

    def distribution(self, arrivals: float) -> NDArray[np.float64]:
        """Probability of 0, 1, 2, … in flight; what an arrival finds (PASTA).

        Args:
            arrivals: sentences per second.

        Raises:
            OverloadError: the queue would grow without end.
        """
        if arrivals >= self.capacity:
            raise OverloadError(f"{arrivals:g} sentences per second: a replica does {self.capacity:g}")
        length = int(self._numbers[-1]) + math.ceil(math.log(TAIL) / math.log(arrivals / self.capacity))
        steps = np.log(arrivals) - np.log(self.rate(np.arange(1, length + 1, dtype=float)))
        logarithms = np.concatenate(([0.0], np.cumsum(steps)))
        weights = np.exp(logarithms - logarithms.max())
        probabilities: NDArray[np.float64] = weights / weights.sum()
        return probabilities

    def mean_in_flight(self, arrivals: float) -> float:
        """Sentences, waiting or running."""
        probabilities = self.distribution(arrivals)
        return float(probabilities @ np.arange(len(probabilities)))

    def mean_seconds(self, arrivals: float) -> float:
        """Mean latency."""
        return self.mean_in_flight(arrivals) / arrivals

    def percentile_seconds(self, arrivals: float, percentile: float, sizes: Sequence[float]) -> float:
        """Latency that so many per cent do not exceed.

        Args:
            arrivals: sentences per second.
            percentile: such as 99.
            sizes: how long sentences are, over their mean, each as probable as the next.
        """
        probabilities = self.distribution(arrivals)
        with_it = np.arange(1, len(probabilities) + 1, dtype=float)
        latencies = np.outer(with_it / self.rate(with_it), np.asarray(sizes)).ravel()
        weights = np.repeat(probabilities / len(sizes), len(sizes))
        order = np.argsort(latencies)
        index = int(np.searchsorted(np.cumsum(weights[order]), percentile / 100))
        return float(latencies[order[min(index, len(order) - 1)]])
