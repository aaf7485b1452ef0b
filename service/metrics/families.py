"""All metric families, as in docs/operations.md. Labels are bounded: never text, client or address."""

from __future__ import annotations

from typing import TypeVar

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

from service.metrics.engine_gauges import EngineGauges
from service.metrics.weighted_histogram import WeightedHistogram

LATENCY_BUCKETS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.016, 0.025, 0.04, 0.05, 0.065, 0.1, 0.13, 0.15, 0.2, 0.25),
    *(0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50),
)
GAP_BUCKETS = (*(0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.016, 0.025, 0.04, 0.065, 0.1, 0.2, 0.5), 1, 2, 4, 8)
STEP_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.016, 0.025, 0.04, 0.065, 0.1, 0.2, 0.5, 1, 2)
TOKEN_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
BEAM_BUCKETS = (1, 2, 4, 8, 16, 32)

Family = TypeVar("Family", Counter, Gauge, Histogram)


class Metrics:
    """All metrics of one server, in a registry of its own."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        build = Info("seq2serve_build", "Version of the service.", registry=self.registry)
        build.info({"version": version})
        self.engines = EngineGauges(self.registry)
        self._of_models: list[Counter | Gauge | Histogram] = []
        self._rpcs()
        self._requests()
        self._explanations()
        self._steps()
        self._models()

    def forget_model(self, model: str) -> None:
        """Drop all series of a model that is served no more."""
        for family in self._of_models:
            family.remove_by_labels({"model": model})
        self.token_gaps.remove(model)

    def _rpcs(self) -> None:
        labels = ("grpc_type", "grpc_service", "grpc_method")
        self.rpc_started = self._counter("grpc_server_started", "RPCs started.", labels)
        self.rpc_handled = self._counter("grpc_server_handled", "RPCs completed, by status.", (*labels, "grpc_code"))
        self.rpc_received = self._counter("grpc_server_msg_received", "Messages received.", labels)
        self.rpc_sent = self._counter("grpc_server_msg_sent", "Messages sent.", labels)
        self.rpc_seconds = self._histogram("grpc_server_handling_seconds", "Duration of RPCs.", labels)
        self.ready = self._gauge("seq2serve_ready", "1 where requests can be answered, as /readyz says.", ())
        self.rpcs_running = self._gauge("seq2serve_rpcs_running", "RPCs that are being answered.", ())
        self.port_replacements = self._counter(
            "seq2serve_grpc_port_replacements", "Servers of grpc.aio that ended by an error and were replaced.", ()
        )
        self.http_requests = self._counter(
            "seq2serve_http_requests", "Requests of the HTTP port, probes left out.", ("route", "code")
        )
        self.http_seconds = self._histogram(
            "seq2serve_http_request_duration_seconds", "Until an answer was written, probes left out.", ("route",)
        )
        self.requests = self._counter(
            "seq2serve_requests", "RPCs of the model, by method and outcome.", ("model", "method", "outcome")
        )
        self.rejections = self._counter("seq2serve_rejections", "RPCs that were refused, by reason.", ("reason",))

    def _requests(self) -> None:
        prefix, model = "seq2serve_request", ("model",)
        self.success = self._counter(
            f"{prefix}_success", "Sentences translated, by finish reason.", ("model", "finish_reason")
        )
        self.failures = self._counter(f"{prefix}_failures", "Sentences not translated, by reason.", ("model", "reason"))
        self.latency = self._histogram("seq2serve_e2e_request_latency_seconds", "Sentence: arrival to end.", model)
        self.first_token = self._histogram("seq2serve_time_to_first_token_seconds", "Arrival to first token.", model)
        self.token_gaps = WeightedHistogram(
            "seq2serve_inter_token_latency_seconds", "Gaps between tokens.", "model", GAP_BUCKETS, self.registry
        )
        self.queue_time = self._histogram(f"{prefix}_queue_time_seconds", "Arrival to admission.", model)
        self.encode_time = self._histogram(f"{prefix}_encode_time_seconds", "Admission to encoded.", model)
        self.decode_time = self._histogram(f"{prefix}_decode_time_seconds", "Encoded to end.", model)
        self.request_source = self._histogram(f"{prefix}_source_tokens", "Source tokens.", model, TOKEN_BUCKETS)
        self.request_target = self._histogram(f"{prefix}_target_tokens", "Target tokens.", model, TOKEN_BUCKETS)
        self.beam_size = self._histogram(f"{prefix}_beam_size", "Hypotheses side by side.", model, BEAM_BUCKETS)

    def _explanations(self) -> None:
        self.explain_requests = self._gauge(
            "seq2serve_explain_requests", "Requests for scores, attention or alignments under way.", ("model",)
        )
        self.explain_seconds = self._histogram(
            "seq2serve_explain_duration_seconds", "Duration of explain runs, the wait before not counted.", ("model",)
        )

    def _steps(self) -> None:
        model, phase = ("model",), ("model", "phase")
        self.step_seconds = self._histogram(
            "seq2serve_step_duration_seconds", "Duration of steps, by phase.", phase, STEP_BUCKETS
        )
        self.steps = self._counter(
            "seq2serve_steps",
            "Steps of the decoder, by how they ran: as kernels or a CUDA graph.",
            ("model", "execution"),
        )
        self.source_tokens = self._counter("seq2serve_source_tokens", "Source tokens encoded.", model)
        self.target_tokens = self._counter("seq2serve_target_tokens", "Target tokens decoded, of all rows.", model)
        self.padding_tokens = self._counter("seq2serve_padding_tokens", "Padding computed, by phase.", phase)
        self.discarded_tokens = self._counter(
            "seq2serve_discarded_tokens", "Target tokens decoded that nobody got, by reason.", ("model", "reason")
        )

    def _models(self) -> None:
        self.model_info = self._gauge(
            "seq2serve_model_info", "Models.", ("model", "version", "precision", "provider", "sha256")
        )
        self.refused_bundles = self._gauge(
            "seq2serve_refused_bundles", "Directories whose bundle could not be loaded and is there still.", ()
        )
        self.model_load = self._gauge("seq2serve_model_load_duration_seconds", "Time to load.", ("model",))

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return self._kept(Counter(name, text, labels, registry=self.registry), labels)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return self._kept(Gauge(name, text, labels, registry=self.registry), labels)

    def _histogram(
        self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...] = LATENCY_BUCKETS
    ) -> Histogram:
        return self._kept(Histogram(name, text, labels, registry=self.registry, buckets=buckets), labels)

    def _kept(self, family: Family, labels: tuple[str, ...]) -> Family:
        if "model" in labels:
            self._of_models.append(family)
        return family
