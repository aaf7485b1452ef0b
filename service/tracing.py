"""Traces: spans of RPCs and of the queue, encoding and decoding of each sentence, sent by OTLP where that is set up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import grpc

from service.errors import SettingsError
from service.request import Timing


class RpcSpan(Protocol):
    """The trace of one RPC."""

    trace_id: str
    """32 hexadecimal digits, the caller's where it sent a traceparent; empty where there is none."""

    def sentence(self, model: str, timing: Timing, num_target_tokens: int) -> None:
        """A sentence is done: spans of its queue, encoding and decoding."""
        ...

    def failed_sentence(self, model: str, arrival: float, num_source_tokens: int, reason: str) -> None:
        """A sentence ended now without a translation.

        Args:
            model: its name.
            arrival: when the sentence came, on the clock of time.monotonic.
            num_source_tokens: of the sentence.
            reason: of the error, such as DEADLINE_EXCEEDED.
        """
        ...

    def end(self, code: grpc.StatusCode, client: str = "", request_id: str = "") -> None:
        """The RPC is over."""
        ...


class Tracing(Protocol):
    """Starts traces."""

    def start(self, method: str, metadata: Mapping[str, str]) -> RpcSpan:
        """An RPC begins.

        Args:
            method: full name, such as /seq2serve.v1.TranslationService/Translate.
            metadata: of the client; `traceparent` and `tracestate` are W3C's.
        """
        ...

    def stop(self) -> None:
        """Send what is left, and end. Blocks for a few seconds at most."""
        ...


def load_tracing(endpoint: str, version: str) -> Tracing:
    """Tracing that sends to an OTLP collector by gRPC, or nowhere.

    Args:
        endpoint: http://host:port, or https://host:port for TLS; empty: nowhere, and OpenTelemetry is not loaded.
        version: of this service.

    Raises:
        SettingsError: the endpoint is something else, or OpenTelemetry is not installed.
    """
    if not endpoint:
        return _NoTracing()
    if not _is_endpoint(endpoint):
        raise SettingsError(f"otlp_endpoint {endpoint!r}: expected http://host:port or https://host:port")
    try:
        from service.open_telemetry import OpenTelemetryTracing
    except ImportError as error:
        raise SettingsError(f"otlp_endpoint needs OpenTelemetry: pip install 'seq2serve[tracing]' ({error})") from error
    return OpenTelemetryTracing(endpoint, version)


class _NoSpan:
    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id

    def sentence(self, model: str, timing: Timing, num_target_tokens: int) -> None:
        """Not recorded."""

    def failed_sentence(self, model: str, arrival: float, num_source_tokens: int, reason: str) -> None:
        """Not recorded."""

    def end(self, code: grpc.StatusCode, client: str = "", request_id: str = "") -> None:
        """Not recorded."""


NO_SPAN: RpcSpan = _NoSpan("")


class _NoTracing:
    """Records nothing; the caller's trace id is still good for logs and exemplars."""

    def start(self, method: str, metadata: Mapping[str, str]) -> RpcSpan:  # noqa: ARG002
        trace_id = _trace_id(metadata.get("traceparent", ""))
        return _NoSpan(trace_id) if trace_id else NO_SPAN

    def stop(self) -> None:
        """Nothing is left."""


# https://www.w3.org/TR/trace-context/#traceparent-header; of later versions only the beginning is known.
_FIELDS = r"-(?P<trace_id>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_TRACEPARENT = re.compile(rf"00{_FIELDS}")
_LATER_TRACEPARENT = re.compile(rf"(?!00|ff)[0-9a-f]{{2}}{_FIELDS}(-.*)?")


def _trace_id(traceparent: str) -> str:
    """Of a valid header; else empty."""
    found = _TRACEPARENT.fullmatch(traceparent) or _LATER_TRACEPARENT.fullmatch(traceparent)
    return found["trace_id"] if found else ""


def _is_endpoint(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        host_and_port = parts.hostname and parts.port
    except ValueError:
        return False
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    return parts.scheme in ("http", "https") and bool(host_and_port) and not more
