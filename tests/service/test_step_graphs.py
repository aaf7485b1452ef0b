from __future__ import annotations

import logging

import onnxruntime as ort
import pytest

from service.device.capture_gate import CaptureGate
from service.engine.step_graphs import (
    BUCKETS,
    MAX_FAILURES,
    MAX_GRAPHS,
    MIN_STEPS,
    NO_GRAPH,
    StepGraphs,
    bucket_of,
    buckets,
)


class Steps:
    """Keeps the graph that each run was to capture or replay; fails where it cannot capture."""

    def __init__(self, can_capture: bool = True) -> None:
        self.can_capture = can_capture
        self.graphs: list[str] = []

    def __call__(self, options: ort.RunOptions) -> None:
        graph = options.get_run_config_entry("gpu_graph_id")
        self.graphs.append(graph)
        if graph != NO_GRAPH and not self.can_capture:
            raise RuntimeError("operation not permitted when stream is capturing")


def test_rows_are_rounded_up_to_few_numbers() -> None:
    assert buckets(64) == (1, 2, 4, 8, 16, 24, 32, 48, 64)
    assert buckets(5) == (1, 2, 4, 5)
    assert buckets(1) == (1,)
    assert buckets(1000) == (*BUCKETS, 1000)
    steps = buckets(64)
    assert [bucket_of(number, steps) for number in (1, 3, 8, 9, 63, 64)] == [1, 4, 8, 16, 64, 64]


def test_a_warm_up_captures_at_once_and_later_steps_replay() -> None:
    graphs, step = StepGraphs(True, CaptureGate()), Steps()
    assert [graphs.run("a", step, is_warm_up=True), graphs.run("b", step, is_warm_up=True)] == ["graph", "graph"]
    assert graphs.run("a", step) == "graph"
    first, second = step.graphs[0], step.graphs[2]
    assert step.graphs == [first, first, second, second, first]
    assert len({first, second, NO_GRAPH}) == 3


def test_what_is_asked_for_often_is_captured_later() -> None:
    graphs, step = StepGraphs(True, CaptureGate()), Steps()
    executions = [graphs.run("beam", step) for _ in range(MIN_STEPS + 2)]
    assert executions == ["kernels"] * MIN_STEPS + ["graph"] * 2
    assert step.graphs[:MIN_STEPS] == [NO_GRAPH] * MIN_STEPS
    assert step.graphs[MIN_STEPS:] == [step.graphs[-1]] * 3
    assert step.graphs[-1] != NO_GRAPH


def test_without_graphs_every_step_launches_kernels() -> None:
    graphs, step = StepGraphs(False, CaptureGate()), Steps()
    assert {graphs.run("a", step, is_warm_up=True) for _ in range(40)} == {"kernels"}
    assert set(step.graphs) == {NO_GRAPH}


def test_what_cannot_be_captured_runs_kernel_by_kernel(caplog: pytest.LogCaptureFixture) -> None:
    graphs, step = StepGraphs(True, CaptureGate()), Steps()
    assert graphs.run("a", step, is_warm_up=True) == "graph"
    step.can_capture = False
    with caplog.at_level(logging.WARNING):
        assert graphs.run("b", step, is_warm_up=True) == "kernels"
    assert "steps like b run kernel by kernel" in caplog.text
    assert "not permitted when stream is capturing" in caplog.text
    assert [graph == NO_GRAPH for graph in step.graphs] == [False, False, False, True]
    step.can_capture = True
    assert graphs.run("b", step, is_warm_up=True) == "kernels"
    assert graphs.run("a", step) == "graph"


def test_after_some_failures_no_more_is_tried() -> None:
    graphs, step = StepGraphs(True, CaptureGate()), Steps(can_capture=False)
    for kind in range(MAX_FAILURES):
        graphs.run(kind, step, is_warm_up=True)
    step.can_capture = True
    assert graphs.run("new", step, is_warm_up=True) == "kernels"
    assert step.graphs[-1] == NO_GRAPH


def test_a_step_that_fails_without_a_graph_or_in_its_replay_fails() -> None:
    def broken(_: ort.RunOptions) -> None:
        raise RuntimeError("out of memory")

    graphs = StepGraphs(True, CaptureGate())
    with pytest.raises(RuntimeError, match="out of memory"):
        graphs.run("a", broken)
    graphs.run("a", Steps(), is_warm_up=True)
    with pytest.raises(RuntimeError, match="out of memory"):
        graphs.run("a", broken)


def test_there_are_never_too_many_graphs() -> None:
    graphs, step = StepGraphs(True, CaptureGate()), Steps()
    executions = [graphs.run(kind, step, is_warm_up=True) for kind in range(MAX_GRAPHS + 3)]
    assert executions.count("graph") == MAX_GRAPHS
    assert executions[-3:] == ["kernels"] * 3


def test_two_engines_over_one_session_have_graphs_of_their_own() -> None:
    step = Steps()
    for _ in range(2):
        StepGraphs(True, CaptureGate()).run("a", step, is_warm_up=True)
    assert len(set(step.graphs)) == 2
