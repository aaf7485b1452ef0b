"""From what one replica can do to how many there must be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.capacity.curve import Curve

PERCENTILES = (50, 95, 99)
REPLICAS_PER_CELL = 64
"""Address records that fit into one DNS answer over UDP of 1232 bytes (DNS flag day 2020), with its question and the
rest; also as many connections as each client holds."""


class PlanError(ValueError):
    """A demand that cannot be planned for; the message names the field and its limit."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What is asked for, and how careful the plan is."""

    sentences_per_second: float
    """Mean of the busiest hour."""
    goal_seconds: float
    """Latency at the service: what the network and a proxy take is not in it."""
    percentile: int = 99
    """Of the sentences that must meet the goal: 50, 95 or 99."""
    burst: float = 1.5
    """The busiest minute of that hour over its mean."""
    growth: float = 1.3
    """Until the next time that somebody plans."""
    unevenness: float = 1.1
    """The busiest replica over the mean of all: round robin balances requests, not work."""
    utilization: float = 0.8
    """Most of its capacity that a replica is planned to give, whatever the goal allows."""
    zones: int = 3
    lost_zones: int = 1
    """So many may fail, and the goal is still met."""

    def __post_init__(self) -> None:
        """Raises PlanError where a field is out of its range."""
        if self.percentile not in PERCENTILES:
            raise PlanError(f"percentile {self.percentile}: expected one of {', '.join(map(str, PERCENTILES))}")
        if not 0 < self.utilization <= 1:
            raise PlanError(f"utilization {self.utilization}: expected more than 0 and at most 1")
        for name in ("sentences_per_second", "goal_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise PlanError(f"{name} {getattr(self, name)}: must be above 0")
        for name in ("burst", "growth", "unevenness"):
            if not 1 <= getattr(self, name) < math.inf:
                raise PlanError(f"{name} {getattr(self, name)}: must be at least 1")
        if not 0 <= self.lost_zones < self.zones:
            raise PlanError(f"lost_zones {self.lost_zones}: must be at least 0 and less than zones, {self.zones}")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many, and what they need in all."""

    safe_rate: float
    """Sentences per second of one replica."""
    in_flight: float
    """Sentences in flight in a replica at that load."""
    target_in_flight: float
    """The same where a burst, or what lost zones leave behind, is still borne: what an autoscaler should aim at."""
    replicas: int
    cells: int
    """Groups of replicas, each with a name of its own in DNS."""
    cores: int
    memory_bytes: int
    bits_per_second: float
    """Of sentences, both ways, in the busiest minute after growth."""
    usual_load: float
    """Share of its capacity that a replica gives in the busiest hour of today, with all zones there."""
    core_hours_per_million: float
    """Of sentences, with these replicas there all the time at that hour's load."""
    least_core_hours_per_million: float
    """With as many replicas as the load needs at any time: what an ideal autoscaler would come to."""


def safe_rate(curve: Curve, demand: Demand) -> float:
    """The highest load of one replica, in sentences per second, at which it was seen to meet the goal.

    Between two measured loads a straight line; a load above one that missed the goal does not count, even if it met it
    by chance. Beyond the highest measured load nothing is known, so nothing is promised.

    Raises:
        PlanError: it does not meet the goal at the lowest load that was measured.
    """
    rate, seconds = 0.0, 0.0
    for point in curve.open:
        worse = max(seconds, point.percentile_seconds(demand.percentile))
        if worse > demand.goal_seconds:
            if not rate:
                raise PlanError(
                    f"goal_seconds {demand.goal_seconds:g}: the {demand.percentile}th percentile is {worse:.3f} s "
                    f"already at {point.offered:.1f} sentences per second, the lowest load measured"
                )
            rate += (point.offered - rate) * (demand.goal_seconds - seconds) / (worse - seconds)
            break
        rate, seconds = point.offered, worse
    return min(rate, demand.utilization * curve.capacity)


def plan(curve: Curve, demand: Demand) -> Plan:
    """How many replicas; see the fields of `Demand` for what is taken into account.

    Raises:
        PlanError: no number of replicas of this kind meets the goal.
    """
    rate = safe_rate(curve, demand)
    peak = demand.sentences_per_second * demand.burst * demand.growth
    in_zone = math.ceil(math.ceil(peak * demand.unevenness / rate) / (demand.zones - demand.lost_zones))
    replicas = in_zone * demand.zones
    steady = rate * (demand.zones - demand.lost_zones) / (demand.zones * demand.burst * demand.unevenness)
    cores = replicas * curve.conditions.replica_cores
    return Plan(
        safe_rate=rate,
        in_flight=rate * _mean_seconds(curve, rate),
        target_in_flight=steady * _mean_seconds(curve, steady),
        replicas=replicas,
        cells=math.ceil(replicas / REPLICAS_PER_CELL),
        cores=cores,
        memory_bytes=replicas * curve.peak_memory_bytes,
        bits_per_second=8 * peak * (curve.request_bytes + curve.response_bytes),
        usual_load=demand.sentences_per_second / (replicas * curve.capacity),
        core_hours_per_million=_core_hours(cores, demand.sentences_per_second),
        least_core_hours_per_million=_core_hours(curve.conditions.replica_cores * demand.unevenness, rate),
    )


def _core_hours(cores: float, sentences_per_second: float) -> float:
    return cores / sentences_per_second * 1e6 / 3600


def _mean_seconds(curve: Curve, rate: float) -> float:
    """Measured mean latency at a load, a straight line between two."""
    below = [point for point in curve.open if point.offered <= rate]
    above = [point for point in curve.open if point.offered > rate]
    if not below or not above:
        return (below[-1] if below else above[0]).mean_seconds
    low, high = below[-1], above[0]
    share = (rate - low.offered) / (high.offered - low.offered)
    return low.mean_seconds + share * (high.mean_seconds - low.mean_seconds)
