"""How much of a step's wall time the device is not computing: kernels being launched, the host preparing and waiting.

PyTorch's profiler records, through CUPTI, every kernel and copy of the process on the device, ONNX Runtime's too, and
those of CUDA graphs one by one. The time in which at least one of them runs is the device's. The profiler slows
launches but not kernels, so the wall time that it is taken from is that of steps without it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from bench.gpu.engines import PlacedEngine, open_bundle
from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.report import Skipped, print_table
from bench.gpu.steps import NUM_WARM, fill, run_step, step_times

ROWS = (1, 32, 256)
STEPS = 20


def launches(machine: Machine, models: Models) -> dict[str, Any]:
    """For base, by rows, with CUDA graphs and without.

    Raises:
        Skipped: there are no kernels to launch.
    """
    if machine.device != "cuda":
        raise Skipped("a CPU launches no kernels")
    subject, rows_found = models.random("base"), []
    for has_graphs in (True, False):
        engine = PlacedEngine(open_bundle(models.bundle(subject), machine, has_graphs), max(ROWS))
        for rows in ROWS:
            fill(engine, machine, subject, rows)
            wall = statistics.median(step_times(engine, STEPS)[NUM_WARM:])
            busy, num_kernels = _busy_seconds(engine)
            found = {"rows": rows, "graphs": has_graphs, "execution": run_step(engine)}
            rows_found.append(found | {"wall": wall, "busy": busy, "kernels": num_kernels})
        del engine
    print_table(
        ("rows", "graphs", "ran as", "wall ms", "device busy ms", "kernels and copies", "launching and waiting"),
        [
            (
                row["rows"],
                "on" if row["graphs"] else "off",
                row["execution"],
                f"{1e3 * row['wall']:.3f}",
                f"{1e3 * row['busy']:.3f}",
                f"{row['kernels']:.0f}",
                f"{1 - row['busy'] / row['wall']:.0%}",
            )
            for row in rows_found
        ],
    )
    return {"steps": rows_found}


def _busy_seconds(engine: PlacedEngine) -> tuple[float, float]:
    """Device time of a step and how many kernels and copies it is made of.

    Raises:
        RuntimeError: the profiler saw none.
    """
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        num_steps = len(step_times(engine, STEPS))
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in profiled.events()
        if event.device_type == DeviceType.CUDA
    ]
    if not spans:
        raise RuntimeError("the profiler saw no kernel: CUPTI is not usable here")
    return covered(spans) / 1e6 / num_steps, len(spans) / num_steps


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of spans from start to end."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
