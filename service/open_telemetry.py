"""Traces by OpenTelemetry, sent by OTLP over gRPC. Needs the extra `tracing`; loaded only where an endpoint is set."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.request import Timing

FLUSH_SECONDS, ABANDON_SECONDS = 4.0, 1.0

# Of servers, after https://opentelemetry.io/docs/specs/semconv/rpc/grpc/: whatever else went wrong the client did.
_SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

_log = logging.getLogger(__name__)


class OpenTelemetryTracing:
    """A `Tracing` with a tracer provider of its own; OpenTelemetry's OTEL_* environment variables are respected."""

    def __init__(self, endpoint: str, version: str) -> None:
        """Connects when the first spans are sent.

        Args:
            endpoint: of the collector, http://host:port or https://host:port.
            version: of this service.
        """
        self._exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.lower().startswith("http:"))
        # At exit it would wait for half a minute where the collector is away; `stop` is for that.
        self._provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("seq2serve", version)
        self._propagator = TraceContextTextMapPropagator()

    def start(self, method: str, metadata: Mapping[str, str]) -> OpenTelemetryRpcSpan:
        """See `Tracing`."""
        name = method.removeprefix("/")
        service, _, short_method = name.rpartition("/")
        clock = _Clock()
        span = self._tracer.start_span(
            name,
            context=self._propagator.extract(metadata),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": short_method},
            start_time=clock.now(),
        )
        return OpenTelemetryRpcSpan(self._tracer, span, clock)

    def stop(self) -> None:
        """See `Tracing`. What a collector does not take in time is lost, and that is logged."""
        flushing = threading.Thread(target=self._provider.shutdown, name="flush traces", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
        if flushing.is_alive():
            _log.warning("the collector did not take all traces within %.0f s; the others are lost", FLUSH_SECONDS)
            # Wakes the exporter from its retries and cancels its call.
            self._exporter.shutdown()
            flushing.join(ABANDON_SECONDS)


class OpenTelemetryRpcSpan:
    """A `RpcSpan`."""

    def __init__(self, tracer: Tracer, span: Span, clock: _Clock) -> None:
        context = span.get_span_context()
        self.trace_id = format_trace_id(context.trace_id) if context.is_valid else ""
        self._tracer = tracer
        self._span = span
        self._clock = clock

    def sentence(self, model: str, timing: Timing, num_target_tokens: int) -> None:
        """See `RpcSpan`."""
        if not self._span.is_recording():
            return
        at = self._clock.at
        sentence = self._sentence(model, timing.arrival, timing.num_source_tokens)
        sentence.set_attribute("seq2serve.target_tokens", num_target_tokens)
        self._child(sentence, "queue", timing.arrival).end(at(timing.admitted))
        self._child(sentence, "encode", timing.admitted).end(at(timing.encoded))
        decode = self._child(sentence, "decode", timing.encoded)
        decode.add_event("first token", timestamp=at(timing.first_token))
        decode.end(at(timing.finished))
        sentence.end(at(timing.finished))

    def failed_sentence(self, model: str, arrival: float, num_source_tokens: int, reason: str) -> None:
        """See `RpcSpan`."""
        if not self._span.is_recording():
            return
        sentence = self._sentence(model, arrival, num_source_tokens)
        sentence.set_attribute("error.type", reason)
        sentence.set_status(Status(StatusCode.ERROR, reason))
        sentence.end(self._clock.now())

    def end(self, code: grpc.StatusCode, client: str = "", request_id: str = "") -> None:
        """See `RpcSpan`."""
        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        if client:
            self._span.set_attribute("seq2serve.client", client)
        if request_id:
            self._span.set_attribute("seq2serve.request_id", request_id)
        if code in _SERVER_FAULTS:
            self._span.set_status(Status(StatusCode.ERROR, code.name))
        self._span.end(self._clock.now())

    def _sentence(self, model: str, arrival: float, num_source_tokens: int) -> Span:
        sentence = self._child(self._span, "translate sentence", arrival)
        sentence.set_attributes({"seq2serve.model": model, "seq2serve.source_tokens": num_source_tokens})
        return sentence

    def _child(self, parent: Span, name: str, seconds: float) -> Span:
        return self._tracer.start_span(name, set_span_in_context(parent), start_time=self._clock.at(seconds))


class _Clock:
    """Nanoseconds since 1970 by the monotonic clock: spans of one RPC are in order, whatever becomes of the time."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return time.monotonic_ns() + self._offset

    def at(self, seconds: float) -> int:
        return round(seconds * 1e9) + self._offset


def _resource(version: str) -> Resource:
    ours = Resource({SERVICE_NAME: "seq2serve", SERVICE_VERSION: version})
    # `create` alone would let what it is given win over OTEL_SERVICE_NAME.
    return Resource.create(ours.merge(OTELResourceDetector().detect()).attributes)
