from __future__ import annotations

import dataclasses
import json
import math
import os
import random
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.capacity import measure, memory, page, wire
from bench.capacity.__main__ import MEASURED, main
from bench.capacity.curve import ClosedPoint, Curve, CurveError, OpenPoint
from bench.capacity.plan import Demand, PlanError, plan, safe_rate
from bench.capacity.queueing import OverloadError, SharedEngine
from bench.processes import REPOSITORY

PAGE = REPOSITORY / "docs" / "deploy" / "capacity.md"


def opened(offered: float, seconds: float) -> OpenPoint:
    """All percentiles alike."""
    times = dict.fromkeys(("mean_seconds", "p50_seconds", "p95_seconds", "p99_seconds"), seconds)
    return OpenPoint(offered=offered, sentences_per_second=offered, requests=100, cpu_cores=1.0, **times)


@pytest.fixture
def curve() -> Curve:
    """100 sentences per second at most; 0.1 s up to 50 of them, 0.3 s at 90."""
    closed = [
        ClosedPoint(clients=number, sentences_per_second=rate, mean_seconds=number / rate, cpu_cores=1.0)
        for number, rate in ((1, 20.0), (8, 100.0))
    ]
    return dataclasses.replace(
        Curve.read(MEASURED),
        closed=closed,
        open=[opened(50.0, 0.1), opened(90.0, 0.3)],
        peak_memory_bytes=2**30,
        request_bytes=100.0,
        response_bytes=150.0,
    )


def test_one_server_is_the_textbooks_queue() -> None:
    engine = SharedEngine([1], [10.0])
    assert engine.mean_seconds(8.0) == pytest.approx(1 / (10 - 8))
    assert engine.distribution(8.0)[:3] == pytest.approx([0.2, 0.16, 0.128])


def test_several_servers_are_erlangs_queue() -> None:
    servers, load = 4, 3.0
    waiting = load**servers / math.factorial(servers) / (1 - load / servers)
    is_waiting = waiting / (sum(load**n / math.factorial(n) for n in range(servers)) + waiting)
    engine = SharedEngine([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0])
    assert engine.mean_seconds(load) == pytest.approx(1 + is_waiting / (servers - load))


def simulated(rates: dict[int, float], arrivals: float, sizes: list[float], number: int) -> list[float]:
    """Latencies of a shared engine, event by event: the slow and certain way."""
    rng, latencies = random.Random(1), []
    now, due = 0.0, 0.0
    flying: list[tuple[float, float]] = []  # work left, and since when
    while len(latencies) < number:
        speed = rates[min(len(flying), max(rates))] / len(flying) if flying else 0.0
        ends = now + min(flying)[0] / speed if flying else math.inf
        until = min(due, ends)
        flying = [(work - (until - now) * speed, since) for work, since in flying]
        now = until
        if now == ends:
            latencies.append(now - flying.pop(flying.index(min(flying)))[1])
        else:
            flying.append((rng.choice(sizes), now))
            due = now + rng.expovariate(arrivals)
    return latencies


def test_the_model_agrees_with_an_engine_played_through_event_by_event() -> None:
    rates = {1: 20.0, 2: 35.0, 3: 45.0, 4: 50.0}
    sizes = [0.25, 0.5, 1.0, 2.25]  # mean 1: neither constant nor exponential
    latencies = simulated(rates, 40.0, sizes, 40_000)
    engine = SharedEngine(list(rates), list(rates.values()))
    assert engine.mean_seconds(40.0) == pytest.approx(np.mean(latencies), rel=0.05)
    for percentile in (50, 95, 99):  # an approximation, and this close
        modelled = engine.percentile_seconds(40.0, percentile, sizes)
        assert modelled == pytest.approx(np.percentile(latencies, percentile), rel=0.15)


def test_what_grows_without_end_is_refused() -> None:
    with pytest.raises(OverloadError, match="50 sentences per second: a replica does 50"):
        SharedEngine([1, 4], [20.0, 50.0]).distribution(50.0)


def test_a_replica_gets_what_the_goal_allows(curve: Curve) -> None:
    assert safe_rate(curve, Demand(sentences_per_second=1, goal_seconds=0.2)) == pytest.approx(70)
    assert safe_rate(curve, Demand(sentences_per_second=1, goal_seconds=0.1)) == pytest.approx(50)
    assert safe_rate(curve, Demand(sentences_per_second=1, goal_seconds=5)) == pytest.approx(80), "the most it may give"
    all_of_it = Demand(sentences_per_second=1, goal_seconds=5, utilization=1)
    assert safe_rate(curve, all_of_it) == pytest.approx(90), "beyond what was measured nothing is known"


def test_a_load_above_one_that_missed_the_goal_does_not_count(curve: Curve) -> None:
    lucky = dataclasses.replace(curve, open=[opened(20.0, 0.1), opened(40.0, 0.5), opened(60.0, 0.1)])
    assert safe_rate(lucky, Demand(sentences_per_second=1, goal_seconds=0.3)) == pytest.approx(30)


def test_replicas_by_hand(curve: Curve) -> None:
    demand = Demand(sentences_per_second=1000, goal_seconds=0.2, burst=2, growth=1.5, unevenness=1)
    found = plan(curve, demand)
    # 3000 sentences/s at 70 each: 43 replicas, in two of three zones 22 each.
    assert (found.replicas, found.cores, found.cells) == (66, 66, 2)
    assert found.memory_bytes == 66 * 2**30
    assert found.bits_per_second == pytest.approx(3000 * 250 * 8)
    assert found.usual_load == pytest.approx(1000 / 6600)
    assert found.core_hours_per_million == pytest.approx(66 / 1000 * 1e6 / 3600)
    assert found.in_flight == pytest.approx(70 * 0.2)
    assert found.target_in_flight == pytest.approx(70 / 2 / 1.5 * 0.1), "70 after a burst twice as high and a zone less"


@pytest.mark.parametrize("load", [1, 99, 1000, 123_456])
def test_what_is_left_after_a_zone_bears_the_peak(curve: Curve, load: float) -> None:
    demand = Demand(sentences_per_second=load, goal_seconds=0.2)
    found = plan(curve, demand)
    left = found.replicas * (demand.zones - demand.lost_zones) // demand.zones
    assert left * found.safe_rate >= load * demand.burst * demand.growth * demand.unevenness
    assert found.replicas % demand.zones == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sentences_per_second", 0, "sentences_per_second 0: must be above 0"),
        ("goal_seconds", float("nan"), "goal_seconds nan: must be above 0"),
        ("percentile", 90, "percentile 90: expected one of 50, 95, 99"),
        ("utilization", 1.2, "utilization 1.2: expected more than 0 and at most 1"),
        ("burst", 0.5, "burst 0.5: must be at least 1"),
        ("lost_zones", 3, "lost_zones 3: must be at least 0 and less than zones, 3"),
    ],
)
def test_a_demand_out_of_range_is_refused_by_name(field: str, value: float, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Demand(**{"sentences_per_second": 1, "goal_seconds": 1, field: value})  # type: ignore[arg-type]


def test_a_goal_that_no_load_meets_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--goal-seconds", "0.001"]) == 2
    assert "goal_seconds 0.001: the 99th percentile is" in capsys.readouterr().err


def test_the_command_prints_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sentences-per-second", "1000", "--goal-seconds", "2"]) == 0
    found = plan(Curve.read(MEASURED), Demand(sentences_per_second=1000, goal_seconds=2))
    assert f"Replicas: {found.replicas}, {found.replicas // 3} in each of 3 zones" in capsys.readouterr().out


def test_a_curve_is_read_as_it_was_written(curve: Curve, tmp_path: Path) -> None:
    curve.write(tmp_path / "curve.json")
    assert Curve.read(tmp_path / "curve.json") == curve


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("schema", 2, "schema 2: this version reads 1; measure again"),
        ("closed", [], "closed.clients: there is none"),
        ("sizes", [1.0, -1.0], "sizes: -1.0 must be above 0"),
        ("start_seconds", "soon", r"Expected `float`, got `str` - at `\$.start_seconds`"),
    ],
)
def test_a_file_that_is_no_curve_is_refused_by_name(
    curve: Curve, tmp_path: Path, field: str, value: object, message: str
) -> None:
    (tmp_path / "curve.json").write_text(json.dumps({**msgspec.to_builtins(curve), field: value}))
    with pytest.raises(CurveError, match=message):
        Curve.read(tmp_path / "curve.json")


def test_a_missing_file_says_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--curve", str(tmp_path / "none.json")]) == 2
    assert "No such file or directory; python -m bench.capacity.measure makes one" in capsys.readouterr().err


def test_the_page_shows_what_was_measured() -> None:
    assert page.refresh(PAGE.read_text(), Curve.read(MEASURED)) == PAGE.read_text(), "write it anew: see its marks"


def test_a_page_without_a_place_for_figures_is_refused(curve: Curve) -> None:
    with pytest.raises(page.PageError, match="must hold"):
        page.refresh("nothing here", curve)


def test_a_replica_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measure, "CLIENTS", (1, 4))
    monkeypatch.setattr(measure, "SHARES", (0.3, 0.6))
    monkeypatch.setattr(measure, "NUM_STARTS", 1)
    monkeypatch.setattr(measure, "WARM_UP_REQUESTS", 5)
    monkeypatch.setattr(measure, "WIRE_REQUESTS", 20)
    monkeypatch.setattr(memory, "NUM_REQUESTS", 2)
    monkeypatch.setattr(wire, "NUM_CONNECTIONS", 20)
    cores = os.sched_getaffinity(0)
    output = tmp_path / "curve.json"
    arguments = ["--models", "models/en-ko-software", "--rounds", "1", "--seconds", "0.3", "--output", str(output)]
    measure.main(arguments)
    found = Curve.read(output)
    assert [point.clients for point in found.closed] == [1, 4]
    assert [point.offered / found.capacity for point in found.open] == pytest.approx([0.3, 0.6], rel=0.01)
    assert found.peak_memory_bytes >= found.idle_memory_bytes > 2**20
    assert min(found.request_bytes, found.response_bytes) > 50
    assert np.mean(found.sizes) == pytest.approx(1, rel=0.01)
    assert found.conditions.models.startswith("en-ko-software ")
    assert found.conditions.replica_cores == 1
    assert os.sched_getaffinity(0) == cores
