"""What one model's requests and steps leave in the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from service.engine_report import EXECUTIONS, StepReport
from service.metrics.engine_gauges import Observed
from service.metrics.families import Metrics
from service.request import FinishedEvent


class EngineMetrics:
    """Of one engine, its labels looked up once: a step of a small model takes less than a lookup."""

    def __init__(self, metrics: Metrics, engine: Observed) -> None:
        self._metrics = metrics
        self._engine: Observed | None = engine
        self._model = model = engine.name
        self._is_closed = False
        self._num_discarded: dict[str, int] = {}
        self._encode_seconds, self._decode_seconds = (
            metrics.step_seconds.labels(model, phase) for phase in ("encode", "decode")
        )
        self._steps = {execution: metrics.steps.labels(model, execution) for execution in EXECUTIONS}
        self._source_tokens = metrics.source_tokens.labels(model)
        self._target_tokens = metrics.target_tokens.labels(model)
        self._padding_tokens = metrics.padding_tokens.labels(model, "encode")
        self._latency = metrics.latency.labels(model)
        self._first_token = metrics.first_token.labels(model)
        self._queue_time = metrics.queue_time.labels(model)
        self._encode_time = metrics.encode_time.labels(model)
        self._decode_time = metrics.decode_time.labels(model)
        self._request_source = metrics.request_source.labels(model)
        self._request_target = metrics.request_target.labels(model)
        self._beam_size = metrics.beam_size.labels(model)
        metrics.engines.attach(engine)

    def close(self) -> None:
        """The engine ends. The model's series go, unless a newer version of it writes them. Once is enough."""
        if self._is_closed:
            return
        self._is_closed = True
        assert self._engine is not None
        if not self._metrics.engines.detach(self._engine):
            self._metrics.forget_model(self._model)
        self._engine = None  # it knows us: together they would wait for the garbage collector

    def observe_step(self, report: StepReport) -> None:
        """A step ended."""
        if report.num_encoded:
            self._encode_seconds.observe(report.encode_seconds)
            self._source_tokens.inc(report.num_source_tokens)
            self._padding_tokens.inc(report.num_padding_tokens)
        if report.num_rows:
            self._decode_seconds.observe(report.decode_seconds)
            self._target_tokens.inc(report.num_rows)
        if report.execution:
            self._steps[report.execution].inc()
        if report.num_following:
            self._metrics.token_gaps.observe(self._model, report.gap_seconds, report.num_following)

    def observe_discarded(self, totals: Mapping[str, int]) -> None:
        """Decoded tokens that nobody got since the engine began, by reason."""
        for reason, total in list(totals.items()):
            self._metrics.discarded_tokens.labels(self._model, reason).inc(total - self._num_discarded.get(reason, 0))
            self._num_discarded[reason] = total

    def observe_success(self, event: FinishedEvent, beam_size: int, trace_id: str) -> None:
        """A sentence was translated. `trace_id` goes with the latencies as an exemplar, where there is one."""
        timing, best = event.timing, event.translations[0]
        exemplar = {"trace_id": trace_id} if trace_id else None
        self._metrics.success.labels(self._model, best.finish_reason.value).inc()
        self._latency.observe(timing.finished - timing.arrival, exemplar)
        self._first_token.observe(timing.first_token - timing.arrival, exemplar)
        self._queue_time.observe(timing.admitted - timing.arrival)
        self._encode_time.observe(timing.encoded - timing.admitted)
        self._decode_time.observe(timing.finished - timing.encoded)
        self._request_source.observe(timing.num_source_tokens)
        self._request_target.observe(len(best.token_ids))
        self._beam_size.observe(beam_size)

    def count_failure(self, reason: str) -> None:
        """A sentence was not translated."""
        if self._is_closed:  # its series are gone, and would come back for good
            return
        self._metrics.failures.labels(self._model, reason).inc()
