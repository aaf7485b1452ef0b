"""What the HTTP port refuses before there is an RPC: counted and logged as refused RPCs are."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import Scope

from service.api.http.error import REQUEST_ID_HEADER, HttpError
from service.api.rpc import REFUSED, level_of, outcome_of, request_id_of
from service.metrics.families import Metrics

logger = logging.getLogger("service.http")


@dataclass(frozen=True)
class Arrival:
    """A request as its line in the log names it."""

    route: str
    """Such as /v1/models/{name}: what clients make up has no place in logs."""
    scope: Scope
    _began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since it came."""
        return time.perf_counter() - self._began


class Refusals:
    """Notes them; any thread may."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def note(self, arrival: Arrival, failure: HttpError) -> None:
        """Count an error that no RPC has counted, write its line, and let the client know by which id to find it."""
        if REQUEST_ID_HEADER in failure.headers or failure.error is None:
            return
        metadata = tuple(Headers(scope=arrival.scope).items())
        failure.headers[REQUEST_ID_HEADER] = request_id = request_id_of(metadata)
        error, code = failure.error, failure.error.status
        if outcome_of(code) == REFUSED:
            self._metrics.rejections.labels(error.reason).inc()
        level = level_of(code)
        if not logger.isEnabledFor(level):
            return
        name, seconds = f"{arrival.scope['method']} {arrival.route}", arrival.seconds
        words = f"{name} {failure.http_status} {error.reason} {seconds * 1000:.1f} ms"
        fields = {"method": name, "code": code.name, "reason": error.reason, "seconds": round(seconds, 6)}
        logger.log(level, "%s", words, extra={**fields, "request_id": request_id})
