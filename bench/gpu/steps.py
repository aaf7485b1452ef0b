"""A decoder step by its number of rows, against the floors of the machine that it ran on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.gpu.costs import StepCost, step_cost
from bench.gpu.engines import Job, PlacedEngine, open_bundle
from bench.gpu.machine import Ceilings, Machine
from bench.gpu.models import Models
from bench.gpu.report import judge, print_table
from bench.subjects import FIXED_TOKENS, Subject
from service.request import DecodingOptions

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TINY_ROWS = (1, 4)
SOURCE_TOKENS = (8, 40)
REPEATS = 50
NUM_WARM = 3
GOAL_SECONDS, GOAL_SHARE, GOAL_ROWS = 1e-3, 0.6, 256
"""One row of base faster than that; this share of the floor with so many."""


def steps(machine: Machine, models: Models) -> dict[str, Any]:
    """Median wall time of a step at half of the target, with CUDA graphs and without, for base and big.

    A step is what the engine waits for: tokens and positions to the device, the graph, the best token of each row back.
    No row moves before it, and no search follows.
    """
    ceilings = Ceilings.measure(machine, machine.dtype)
    print(f"ceilings, measured: {ceilings}")
    figures: dict[str, Any] = {"ceilings": vars(ceilings)}
    for name in ("base", "big"):
        figures[name] = _of_model(machine, models, models.random(name), ceilings)
    return figures | {"goals": judge(goals(figures["base"]))}


def goals(rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Which goals the steps of base meet, of those whose number of rows was measured."""
    found = {}
    for row in rows:
        seconds, ran_as = row["graphs_seconds"], row["execution"]
        if row["rows"] == 1:
            found[f"base, 1 row below {1e3 * GOAL_SECONDS:.0f} ms ({ran_as})"] = seconds < GOAL_SECONDS
        if row["rows"] == GOAL_ROWS:
            is_met = row["floor_seconds"] / seconds >= GOAL_SHARE
            found[f"base, {GOAL_ROWS} rows at {GOAL_SHARE:.0%} of the floor ({ran_as})"] = is_met
    return found


def _of_model(machine: Machine, models: Models, subject: Subject, ceilings: Ceilings) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    numbers = TINY_ROWS if machine.is_tiny else ROWS
    for has_graphs in (True, False):
        engine = PlacedEngine(open_bundle(models.bundle(subject), machine, has_graphs), max(numbers))
        for rows in numbers:
            cost = fill(engine, machine, subject, rows)
            key = "graphs_seconds" if has_graphs else "kernels_seconds"
            found.setdefault(rows, {"rows": rows})[key] = step_seconds(engine, machine)
            if has_graphs:
                # Where a graph could not be captured, the runner goes on with kernels, and the figure is not a graph's.
                found[rows]["execution"] = run_step(engine)
            found[rows] |= {"floor_seconds": cost.floor_seconds(ceilings), "bound": cost.bound(ceilings), **vars(cost)}
        del engine
    print(f"{subject.name}, {machine.precision}: seconds of a step in ms")
    print_table(
        ("rows", "graphs", "ran as", "kernels", "floor", "bound by", "share, graphs"),
        [
            (
                row["rows"],
                f"{1e3 * row['graphs_seconds']:.3f}",
                row["execution"],
                f"{1e3 * row['kernels_seconds']:.3f}",
                f"{1e3 * row['floor_seconds']:.3f}",
                row["bound"],
                f"{row['floor_seconds'] / row['graphs_seconds']:.1%}",
            )
            for row in found.values()
        ],
    )
    return list(found.values())


def fill(engine: PlacedEngine, machine: Machine, subject: Subject, rows: int) -> StepCost:
    """Have so many rows at half of their target, over sources of 8 to 40 tokens; what a step then costs."""
    generator = np.random.default_rng(rows)
    size = len(subject.checkpoint.source_vocabulary)
    lengths = generator.integers(SOURCE_TOKENS[0], SOURCE_TOKENS[1] + 1, rows).tolist()
    options = DecodingOptions(FIXED_TOKENS, FIXED_TOKENS)
    jobs = [Job(tuple(generator.integers(4, size, length).tolist()), options) for length in lengths]
    engine.fill(jobs, FIXED_TOKENS // 2)
    settings = subject.checkpoint.recipe.model
    target_lengths = (engine.cache.positions[:rows] + 1).tolist()
    num_bytes = 2 if machine.precision == "float16" else 4
    return step_cost(settings, len(subject.checkpoint.target_vocabulary), lengths, target_lengths, num_bytes)


def step_seconds(engine: PlacedEngine, machine: Machine) -> float:
    """Median wall time of `Runner.step`, the same step over and over."""
    return float(np.median(step_times(engine, 5 if machine.is_tiny else REPEATS)[NUM_WARM:]))


def step_times(engine: PlacedEngine, repeats: int) -> Sequence[float]:
    """Wall times of so many steps in seconds, behind those of `NUM_WARM` more."""
    times = []
    for _ in range(NUM_WARM + repeats):
        started = time.perf_counter()
        run_step(engine)
        times.append(time.perf_counter() - started)
    return times


def run_step(engine: PlacedEngine) -> str:
    """Run a step of the rows as they are; whether as a graph or as kernels."""
    return engine.runner.step(engine.cache.batch(), 1, is_full=False).execution
