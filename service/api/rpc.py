"""One RPC: its name in logs and traces, its place in the metrics, its end."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import FieldDescriptor

from service import request_context
from service.api.edge import Edge
from service.api.status import REQUEST_ID_KEY
from service.errors import ServiceError
from service.request_context import RequestContext

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

logger = logging.getLogger("service.rpc")

MAX_LOGGED_CHARACTERS = 2000
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_OUR_FAULT = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)
_OUTCOMES = {
    grpc.StatusCode.OK: "ok",
    grpc.StatusCode.CANCELLED: "cancelled",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline",
    **dict.fromkeys(_OUR_FAULT, "failed"),
}
REFUSED = "refused"


@dataclass(frozen=True)
class Method:
    """A method as metrics and logs name it."""

    path: str
    """Such as /seq2serve.v1.TranslationService/Translate."""
    kind: str
    """unary, server_stream, client_stream or bidi_stream."""

    @property
    def labels(self) -> tuple[str, str, str]:
        """grpc_type, grpc_service, grpc_method."""
        _, service, name = self.path.split("/")
        return self.kind, service, name


def outcome_of(code: grpc.StatusCode) -> str:
    """As the metric of requests names it."""
    return _OUTCOMES.get(code, REFUSED)


def level_of(code: grpc.StatusCode) -> int:
    """Of the line in the log."""
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return logging.WARNING
    return logging.ERROR if code in _OUR_FAULT else logging.DEBUG if code is grpc.StatusCode.OK else logging.INFO


def deadline_of(context: Context) -> float | None:
    """When the client gives up, on the clock of time.monotonic; None: it does not say."""
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


class Rpc:
    """Counts one RPC and its messages, traces it, and writes its line in the log."""

    def __init__(self, edge: Edge, method: Method, context: Context) -> None:
        self.metadata: tuple[tuple[str, str | bytes], ...] = tuple(context.invocation_metadata() or ())
        self.request_id = request_id_of(self.metadata)
        self.client = ""
        self._edge = edge
        self._method = method
        self._model = ""
        self._request: Any = None
        self._started = time.perf_counter()
        texts = {key: value for key, value in self.metadata if isinstance(value, str)}
        self.span = edge.tracing.start(method.path, texts)
        edge.metrics.rpc_started.labels(*method.labels).inc()
        context.set_trailing_metadata(((REQUEST_ID_KEY, self.request_id),))
        self.enter()

    def enter(self, **known: Any) -> None:
        """Make it what logs, metrics and quotas see; `known` as in RequestContext."""
        self.client = known.get("client", "")
        request_context.enter(
            RequestContext(request_id=self.request_id, span=self.span, choose_model=self._choose_model, **known)
        )

    def received(self, request: Any) -> None:
        """A message came."""
        self._request = request
        self._edge.metrics.rpc_received.labels(*self._method.labels).inc()

    def sent(self) -> None:
        """A message went out."""
        self._edge.metrics.rpc_sent.labels(*self._method.labels).inc()

    def end(self, code: grpc.StatusCode, error: BaseException | None) -> None:
        """It is over."""
        metrics, labels, seconds = self._edge.metrics, self._method.labels, time.perf_counter() - self._started
        exemplar = {"trace_id": self.span.trace_id} if self.span.trace_id else None
        metrics.rpc_handled.labels(*labels, code.name).inc()
        metrics.rpc_seconds.labels(*labels).observe(seconds, exemplar)
        outcome = outcome_of(code)
        if self._model:
            metrics.requests.labels(self._model, labels[2], outcome).inc()
        if outcome == REFUSED and isinstance(error, ServiceError):
            metrics.rejections.labels(error.reason).inc()
        self.span.end(code, self.client, self.request_id)
        self._log(code, error, seconds)

    def _choose_model(self, name: str) -> None:
        self._model = name

    def _log(self, code: grpc.StatusCode, error: BaseException | None, seconds: float) -> None:
        level = level_of(code)
        if not logger.isEnabledFor(level):
            return
        name, reason = "/".join(self._method.labels[1:]), error.reason if isinstance(error, ServiceError) else ""
        fields = {
            "method": name,
            "code": code.name,
            "reason": reason,
            "seconds": round(seconds, 6),
            "client": self.client,
            "trace_id": self.span.trace_id,
        }
        if self._edge.settings.log_request_text == "yes":
            fields["request"] = str(_without_bytes(self._request))[:MAX_LOGGED_CHARACTERS]
        words = [name, code.name, reason, f"{seconds * 1000:.1f} ms", self.client and f"client {self.client}"]
        words.append(repr(fields.get("request", "")) if "request" in fields else "")
        logger.log(level, "%s", " ".join(filter(None, words)), extra=fields)


def _without_bytes(request: Any) -> Any:
    """A request as it can be printed: of a picture, how long it is."""
    shown = request
    for field, value in request.ListFields() if request is not None else ():
        if field.type == FieldDescriptor.TYPE_BYTES:
            shown = type(request).FromString(request.SerializeToString()) if shown is request else shown
            setattr(shown, field.name, f"{len(value)} bytes".encode())
    return shown


def request_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The client's, where it is short and plain; else a new one."""
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex
