"""Traces: spans of RPCs and of the queue, encoding and decoding of each sentence, sent by OTLP where that is set up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import grpc

from service.request import Timing


class RpcSpan(Protocol):
    """The trace of one RPC."""

    trace_id: str
    """32 hexadecimal digits, the caller's where it sent a traceparent; empty where there is none."""

    def sentence(self, model: str, timing: Timing, num_target_tokens: int) -> None:
        """A sentence is done: spans of its queue, encoding and decoding."""
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


class _NoSpan:
    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id

    def sentence(self, model: str, timing: Timing, num_target_tokens: int) -> None:
        """Not recorded."""

    def end(self, code: grpc.StatusCode, client: str = "", request_id: str = "") -> None:
        """Not recorded."""


NO_SPAN: RpcSpan = _NoSpan("")
