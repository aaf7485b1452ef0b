"""What Prometheus sees. Names and meanings as in README; labels are bounded, never text, client or address."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

LATENCY_BUCKETS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.016, 0.025, 0.04, 0.05, 0.065, 0.1, 0.13, 0.15, 0.2, 0.25),
    *(0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50),
)
STEP_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.016, 0.025, 0.04, 0.065, 0.1, 0.2, 0.5, 1, 2)
TOKEN_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """All metrics of one server, in a registry of its own."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Info("seq2serve_build", "Version of the service.", registry=self.registry)
        build.info({"version": version})
        self._rpcs()
        self._requests()
        self._engine()

    def _rpcs(self) -> None:
        labels = ("grpc_type", "grpc_service", "grpc_method")
        self.rpc_started = self._counter("grpc_server_started", "RPCs started.", labels)
        self.rpc_handled = self._counter("grpc_server_handled", "RPCs completed, by status.", (*labels, "grpc_code"))
        self.rpc_received = self._counter("grpc_server_msg_received", "Messages received.", labels)
        self.rpc_sent = self._counter("grpc_server_msg_sent", "Messages sent.", labels)
        self.rpc_seconds = self._histogram("grpc_server_handling_seconds", "Duration of RPCs.", labels)

    def _requests(self) -> None:
        prefix, model = "seq2serve_request", ("model",)
        self.success = self._counter(
            f"{prefix}_success", "Sentences translated, by finish reason.", ("model", "finish_reason")
        )
        self.failures = self._counter(f"{prefix}_failures", "Sentences not translated, by reason.", ("model", "reason"))
        self.latency = self._histogram("seq2serve_e2e_request_latency_seconds", "Sentence: arrival to end.", model)
        self.first_token = self._histogram("seq2serve_time_to_first_token_seconds", "Arrival to first token.", model)
        self.queue_time = self._histogram(f"{prefix}_queue_time_seconds", "Arrival to admission.", model)
        self.encode_time = self._histogram(f"{prefix}_encode_time_seconds", "Admission to encoded.", model)
        self.decode_time = self._histogram(f"{prefix}_decode_time_seconds", "Encoded to end.", model)
        self.request_source = self._histogram(f"{prefix}_source_tokens", "Source tokens.", model, TOKEN_BUCKETS)
        self.request_target = self._histogram(f"{prefix}_target_tokens", "Target tokens.", model, TOKEN_BUCKETS)

    def _engine(self) -> None:
        model, phase = ("model",), ("model", "phase")
        self.running = self._gauge("seq2serve_requests_running", "Sentences that hold rows.", model)
        self.waiting = self._gauge("seq2serve_requests_waiting", "Sentences in the queue.", model)
        self.queue_limit = self._gauge("seq2serve_queue_limit", "Sentences that may wait.", model)
        self.rows = self._gauge("seq2serve_batch_rows", "Rows of the last step, by phase.", phase)
        self.step_seconds = self._histogram(
            "seq2serve_step_duration_seconds", "Duration of steps, by phase.", phase, STEP_BUCKETS
        )
        self.last_step = self._gauge("seq2serve_engine_last_step_timestamp_seconds", "When the engine moved.", model)
        self.source_tokens = self._counter("seq2serve_source_tokens", "Source tokens encoded.", model)
        self.target_tokens = self._counter("seq2serve_target_tokens", "Target tokens decoded.", model)
        self.padding_tokens = self._counter("seq2serve_padding_tokens", "Padding computed, by phase.", phase)
        self.cache_usage = self._gauge(
            "seq2serve_kv_cache_usage_ratio", "Share of cache positions in use.", ("model", "pool")
        )
        self.model_info = self._gauge(
            "seq2serve_model_info", "Models.", ("model", "version", "precision", "provider", "sha256")
        )
        self.model_load = self._gauge("seq2serve_model_load_duration_seconds", "Time to load.", model)

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...] = LATENCY_BUCKETS
    ) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)


class EngineMetrics:
    """What one model's engine reports, its labels looked up once: a step of a small model takes less than a lookup."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._metrics = metrics
        self._model = model
        self.running = metrics.running.labels(model)
        self.waiting = metrics.waiting.labels(model)
        self.cache_usage = metrics.cache_usage.labels(model, "self")
        self.last_step = metrics.last_step.labels(model)
        self.encode_rows, self.decode_rows = (metrics.rows.labels(model, phase) for phase in ("encode", "decode"))
        self.encode_seconds, self.decode_seconds = (
            metrics.step_seconds.labels(model, phase) for phase in ("encode", "decode")
        )
        self.source_tokens = metrics.source_tokens.labels(model)
        self.target_tokens = metrics.target_tokens.labels(model)
        self.padding_tokens = metrics.padding_tokens.labels(model, "encode")
        self.latency = metrics.latency.labels(model)
        self.first_token = metrics.first_token.labels(model)
        self.queue_time = metrics.queue_time.labels(model)
        self.encode_time = metrics.encode_time.labels(model)
        self.decode_time = metrics.decode_time.labels(model)
        self.request_source = metrics.request_source.labels(model)
        self.request_target = metrics.request_target.labels(model)

    def count_success(self, finish_reason: str) -> None:
        """One sentence was translated."""
        self._metrics.success.labels(self._model, finish_reason).inc()

    def count_failure(self, reason: str) -> None:
        """One sentence was not."""
        self._metrics.failures.labels(self._model, reason).inc()
