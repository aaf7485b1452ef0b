"""Metric families by themselves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from service.engine_report import EngineLoad, StepReport
from service.metrics.engine_metrics import EngineMetrics
from service.metrics.families import Metrics
from service.metrics.gpu_memory import GpuMemory
from service.metrics.weighted_histogram import WeightedHistogram
from service.request import FinishedEvent, FinishReason, Timing, Translation


class Idle:
    """An engine that does nothing."""

    def __init__(self, name: str, num_running: int = 0) -> None:
        self.name = name
        self.num_running = num_running

    def load(self) -> EngineLoad:
        return EngineLoad(
            num_running=self.num_running,
            num_waiting={"rows": 0, "encoder": 0, "step": 0, "queue": 0},
            queue_limit=8,
            cache_usage={"self": 0.0, "cross": 0.0},
            num_rows={"encode": 0, "decode": 2},
            max_rows=4,
            last_step_timestamp=1.0,
        )


def finished() -> FinishedEvent:
    translation = Translation((5, 6), (-0.1, -0.2, -0.3), -0.6, FinishReason.END)
    return FinishedEvent(1, (translation,), Timing(3, 10.0, 10.5, 10.75, 11.0, 12.0))


def test_many_equal_observations_count_like_one_after_the_other() -> None:
    registry = CollectorRegistry()
    gaps = WeightedHistogram("gap_seconds", "Gaps.", "model", (0.01, 0.1), registry)
    for value, number in ((0.005, 3), (0.01, 2), (0.05, 10), (7.0, 1)):
        gaps.observe("m", value, number)
    value = registry.get_sample_value
    assert [value("gap_seconds_bucket", {"model": "m", "le": bound}) for bound in ("0.01", "0.1", "+Inf")] == [
        5,
        15,
        16,
    ]
    assert value("gap_seconds_count", {"model": "m"}) == 16
    assert value("gap_seconds_sum", {"model": "m"}) == pytest.approx(0.015 + 0.02 + 0.5 + 7.0)
    gaps.remove("m")
    assert value("gap_seconds_count", {"model": "m"}) is None


def test_two_versions_of_a_model_add_up_and_the_last_takes_its_series_along() -> None:
    metrics = Metrics("1")
    old, new = Idle("m", num_running=3), Idle("m", num_running=1)
    of_old, of_new = EngineMetrics(metrics, old), EngineMetrics(metrics, new)
    of_old.observe_success(finished(), beam_size=4, trace_id="")
    value = metrics.registry.get_sample_value
    assert value("seq2serve_requests_running", {"model": "m"}) == 4
    assert value("seq2serve_batch_rows_ratio", {"model": "m"}) == 0.5
    of_old.close()
    assert value("seq2serve_requests_running", {"model": "m"}) == 1
    assert value("seq2serve_request_success_total", {"model": "m", "finish_reason": "end"}) == 1
    of_new.close()
    assert 'model="m"' not in generate_latest(metrics.registry).decode()


def test_discarded_tokens_are_counted_once() -> None:
    metrics = Metrics("1")
    engine = EngineMetrics(metrics, Idle("m"))
    for totals in ({"beam": 3}, {"beam": 3, "cancelled": 2}, {"beam": 5, "cancelled": 2}):
        engine.observe_discarded(totals)
    value = metrics.registry.get_sample_value
    assert value("seq2serve_discarded_tokens_total", {"model": "m", "reason": "beam"}) == 5
    assert value("seq2serve_discarded_tokens_total", {"model": "m", "reason": "cancelled"}) == 2


def test_steps_are_counted_by_how_they_ran() -> None:
    metrics = Metrics("1")
    engine = EngineMetrics(metrics, Idle("m"))
    value = metrics.registry.get_sample_value
    assert value("seq2serve_steps_total", {"model": "m", "execution": "graph"}) == 0
    for execution in ("graph", "kernels", "graph"):
        engine.observe_step(StepReport(num_rows=4, decode_seconds=0.01, execution=execution))
    engine.observe_step(StepReport(num_encoded=1, num_source_tokens=3))
    engine.observe_step(StepReport(num_rows=4, decode_seconds=0.01))  # failed
    assert value("seq2serve_steps_total", {"model": "m", "execution": "graph"}) == 2
    assert value("seq2serve_steps_total", {"model": "m", "execution": "kernels"}) == 1
    assert value("seq2serve_step_duration_seconds_count", {"model": "m", "phase": "decode"}) == 4


def test_latencies_carry_the_trace_they_come_from() -> None:
    metrics = Metrics("1")
    engine = EngineMetrics(metrics, Idle("m"))
    engine.observe_success(finished(), beam_size=1, trace_id="0af7651916cd43dd8448eb211c80319c")
    engine.observe_step(StepReport(num_rows=4, decode_seconds=0.01, num_following=3, gap_seconds=0.02))
    page = generate_latest(metrics.registry).decode()
    (line,) = [line for line in page.splitlines() if line.startswith("seq2serve_e2e") and "#" in line]
    assert line.startswith('seq2serve_e2e_request_latency_seconds_bucket{le="2.0",model="m"} 1.0 # ')
    assert '{trace_id="0af7651916cd43dd8448eb211c80319c"} 2.0' in line
    assert 'seq2serve_inter_token_latency_seconds_count{model="m"} 3.0' in page


class FakeDriver:
    """Two GPUs, of which this process, 77, uses the second."""

    NVMLError = RuntimeError
    is_away = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        if self.is_away:
            raise self.NVMLError
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=1000 + handle, used=100 + handle)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:  # noqa: N802
        other = SimpleNamespace(pid=1, usedGpuMemory=50)
        return (
            [other, SimpleNamespace(pid=77, usedGpuMemory=40)]
            if handle
            else [SimpleNamespace(pid=77, usedGpuMemory=None)]
        )


def test_memory_of_gpus_is_what_the_driver_says() -> None:
    registry, driver = CollectorRegistry(), FakeDriver()
    GpuMemory(driver, registry, process_id=77)

    def value(device: str, kind: str) -> float | None:
        return registry.get_sample_value("seq2serve_gpu_memory_bytes", {"device": device, "kind": kind})

    assert [value("0", kind) for kind in ("total", "used", "process")] == [1000, 100, 0]
    assert [value("1", kind) for kind in ("total", "used", "process")] == [1001, 101, 40]
    driver.is_away = True
    assert value("1", "used") is None
