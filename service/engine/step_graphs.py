"""CUDA graphs: which steps are captured and replayed whole, and which launch their kernels one by one.

A graph is for one number of rows, so rows are rounded up; the rows beyond compute what nobody reads.
"""

from __future__ import annotations

import bisect
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Hashable

import onnxruntime as ort

from service.device.capture_gate import CaptureGate

logger = logging.getLogger(__name__)

BUCKETS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
MIN_STEPS = 16
"""Of a kind, before it is captured while requests wait: a capture takes as long as some steps."""
MAX_GRAPHS = 64
MAX_FAILURES = 3
"""To capture, before no more is tried."""
NO_GRAPH = "-1"
_ids = itertools.count()
"""A session replays what was captured under an id, whoever asks."""


def buckets(max_rows: int) -> tuple[int, ...]:
    """The numbers of rows that steps have, up to `max_rows`, which is one of them."""
    return (*(bucket for bucket in BUCKETS if bucket < max_rows), max_rows)


def bucket_of(num_rows: int, steps: tuple[int, ...]) -> int:
    """The smallest of `steps` that holds that many rows."""
    return steps[bisect.bisect_left(steps, num_rows)]


class StepGraphs:
    """Runs steps. ONNX Runtime captures a graph at the first run with its id, and replays it at every other."""

    def __init__(self, is_enabled: bool, gate: CaptureGate) -> None:
        """Without `is_enabled` every step launches its kernels; captures are alone behind the gate."""
        self._is_enabled = is_enabled
        self._gate = gate
        self._kernels = run_options()
        self._graphs: dict[Hashable, ort.RunOptions] = {}
        self._num_steps: Counter[Hashable] = Counter()
        self._failed: set[Hashable] = set()

    def run(self, kind: Hashable, step: Callable[[ort.RunOptions], None], is_warm_up: bool = False) -> str:
        """Run a step; where it is captured first, twice.

        Args:
            kind: steps of one kind do the same work on the same memory.
            step: runs it with options.
            is_warm_up: capture it at once.

        Returns:
            How it ran, one of `service.engine_report.EXECUTIONS`.
        """
        if kind not in self._graphs and self._is_due(kind, is_warm_up):
            self._capture(kind, step)
        options = self._graphs.get(kind, self._kernels)
        with self._gate.running():
            step(options)
        return "kernels" if options is self._kernels else "graph"

    def _capture(self, kind: Hashable, step: Callable[[ort.RunOptions], None]) -> None:
        options = run_options(str(next(_ids)))
        try:
            with self._gate.capturing():
                step(options)
        except Exception as error:  # onnxruntime has no common base class for its errors
            self._failed.add(kind)
            logger.warning("steps like %s run kernel by kernel, for one could not be captured: %s", kind, error)
        else:
            self._graphs[kind] = options

    def _is_due(self, kind: Hashable, is_warm_up: bool) -> bool:
        if not self._is_enabled or kind in self._failed or len(self._graphs) >= MAX_GRAPHS:
            return False
        if len(self._failed) >= MAX_FAILURES:
            return False
        self._num_steps[kind] += 1
        return is_warm_up or self._num_steps[kind] > MIN_STEPS


def run_options(graph_id: str = NO_GRAPH) -> ort.RunOptions:
    """For a run that returns before it is done, and captures or replays a graph where it is given an id."""
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", graph_id)
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    return options
