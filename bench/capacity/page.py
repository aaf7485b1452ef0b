"""The figures of docs/deploy/capacity.md, made from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.capacity.curve import ClosedPoint, Curve, OpenPoint
from bench.capacity.plan import Demand, Plan, PlanError, plan
from bench.capacity.queueing import SharedEngine

BEGIN = "<!-- figures: written by python -m bench.capacity --page docs/deploy/capacity.md -->"
END = "<!-- end of figures -->"
LOADS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
GOALS_SECONDS = (0.1, 0.2, 0.5, 1.0)
PLANNED_GOAL_SECONDS = 0.5


class PageError(ValueError):
    """The page has no place for figures."""


def refresh(text: str, curve: Curve) -> str:
    """The page with figures of this curve.

    Raises:
        PageError: it lacks the marks between which they stand.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PageError(f"the page must hold {BEGIN!r} and, later, {END!r}")
    return f"{before}{BEGIN}\n\n{figures(curve)}\n\n{END}{after}"


def figures(curve: Curve) -> str:
    """All tables."""
    parts = [_conditions(curve), *_measured(curve), *_goals(curve), *_plans(curve)]
    return "\n\n".join(parts)


def _conditions(curve: Curve) -> str:
    found = curve.conditions
    versions = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    where = "on the same cores" if found.clients_share_cores else "on other cores"
    return (
        f"Measured on {found.date}: one replica on {found.replica_cores} core(s) of {found.processor}, clients "
        f"{where}; load average of the machine {found.load_average} when it began. Rounds: {found.rounds}, of "
        f"{found.seconds_per_point:g} s for each line. {versions}. Models loaded: {found.models}; "
        f"the first of text asked, beam size {found.beam_size}, {found.mean_source_characters:.0f} characters and "
        f"{found.mean_target_tokens:.0f} target tokens a sentence.\n\n"
        f"Ready {curve.start_seconds:.1f} s after the process began; memory {_mebibytes(curve.idle_memory_bytes)} "
        f"idle, {_mebibytes(curve.peak_memory_bytes)} at most (every model's rows full); "
        f"{curve.connection_bytes / 1024:.0f} KiB for each idle connection; {curve.request_bytes:.0f} bytes up and "
        f"{curve.response_bytes:.0f} down for a sentence."
    )


def _measured(curve: Curve) -> Iterable[str]:
    yield _table(
        ("sentences in flight", "sentences/s", "mean latency", "cores used"),
        [_closed_row(point) for point in curve.closed],
    )
    engine = SharedEngine(
        [point.clients for point in curve.closed], [point.sentences_per_second for point in curve.closed]
    )
    yield "Sentences that come at random; in brackets what the queueing model makes of the table above."
    yield _table(
        ("sentences/s", "share of capacity", "mean", "p50", "p95", "p99", "cores used"),
        [_open_row(point, curve, engine) for point in curve.open],
    )


def _closed_row(point: ClosedPoint) -> Sequence[str]:
    return (
        str(point.clients),
        f"{point.sentences_per_second:.0f}",
        _milliseconds(point.mean_seconds),
        f"{point.cpu_cores:.2f}",
    )


def _open_row(point: OpenPoint, curve: Curve, engine: SharedEngine) -> Sequence[str]:
    cells = [f"{point.offered:.0f}", f"{point.offered / curve.capacity:.0%}"]
    if point.offered >= engine.capacity:
        modelled = ["overload"] * 4
    else:
        percentiles = [engine.percentile_seconds(point.offered, percent, curve.sizes) for percent in (50, 95, 99)]
        modelled = [_milliseconds(seconds) for seconds in (engine.mean_seconds(point.offered), *percentiles)]
    seen = (point.mean_seconds, point.p50_seconds, point.p95_seconds, point.p99_seconds)
    cells += [f"{_milliseconds(seconds)} ({told})" for seconds, told in zip(seen, modelled, strict=True)]
    return (*cells, f"{point.cpu_cores:.2f}")


def _goals(curve: Curve) -> Iterable[str]:
    yield "What one replica may be given, so that its p99 meets a goal, and 20 % of its capacity are left:"
    rows = []
    for goal in GOALS_SECONDS:
        found = _plan(curve, 1.0, goal)
        rows.append(
            (_milliseconds(goal), "not met at any load measured", "", "", "")
            if found is None
            else (
                _milliseconds(goal),
                f"{found.safe_rate:.0f}",
                f"{found.in_flight:.1f}",
                f"{found.target_in_flight:.1f}",
                f"{found.least_core_hours_per_million:.2f}",
            )
        )
    yield _table(("p99", "sentences/s", "in flight", "autoscaler's target", "core hours per million sentences"), rows)


def _plans(curve: Curve) -> Iterable[str]:
    demand = Demand(sentences_per_second=1, goal_seconds=PLANNED_GOAL_SECONDS)
    yield (
        f"Replicas for a p99 of {_milliseconds(PLANNED_GOAL_SECONDS)}: bursts of {demand.burst:g}, growth of "
        f"{demand.growth:g}, the busiest replica {demand.unevenness:g} times the mean, {demand.zones} zones of which "
        f"{demand.lost_zones} may fail:"
    )
    found = [(load, _plan(curve, load, PLANNED_GOAL_SECONDS)) for load in LOADS]
    heads = ("sentences/s", "replicas", "cores", "memory", "network", "cells", "usual load", "core hours per million")
    yield _table(heads, [_plan_row(load, one) for load, one in found])


def _plan_row(load: int, found: Plan | None) -> Sequence[str]:
    if found is None:
        return (f"{load:,}", "goal not met", "", "", "", "", "", "")
    return (
        f"{load:,}",
        f"{found.replicas:,}",
        f"{found.cores:,}",
        f"{found.memory_bytes / 2**30:,.0f} GiB",
        f"{found.bits_per_second / 1e6:,.1f} Mbit/s",
        f"{found.cells:,}",
        f"{found.usual_load:.0%}",
        f"{found.core_hours_per_million:.2f}",
    )


def _plan(curve: Curve, load: float, goal_seconds: float) -> Plan | None:
    try:
        return plan(curve, Demand(sentences_per_second=load, goal_seconds=goal_seconds))
    except PlanError:
        return None


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---:"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


def _mebibytes(number: int) -> str:
    return f"{number / 2**20:.0f} MiB"
