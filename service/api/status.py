"""Service errors as google.rpc.Status, in one place."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from service.errors import BusyError, InvalidRequestError, ModelNotFoundError, ServiceError

DOMAIN = "seq2serve"
DETAILS_KEY = "grpc-status-details-bin"

logger = logging.getLogger(__name__)


def status_of(error: ServiceError) -> status_pb2.Status:
    """The rich status of an error: ErrorInfo always, and what else its class knows."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if isinstance(error, InvalidRequestError):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, ModelNotFoundError):
        details.append(error_details_pb2.ResourceInfo(resource_type="model", description=str(error)))
    if isinstance(error, BusyError):
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=error.status.value[0], message=str(error))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> NoReturn:
    """End an RPC with the status of an error; an unforeseen one is logged and told as INTERNAL without its text."""
    if not isinstance(error, ServiceError):
        logger.exception("unforeseen error", exc_info=error)
        error = ServiceError("an internal error; see the server's log")
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status_of(error).SerializeToString())]
    if isinstance(error, BusyError):
        trailers.append(("grpc-retry-pushback-ms", str(int(error.retry_after_seconds * 1000))))
    await context.abort(error.status, str(error), tuple(trailers))
    raise asyncio.CancelledError  # abort never returns; this tells the type checker


def is_foreseen(error: BaseException) -> bool:
    """Whether an error may be translated; aborts and cancellations pass through as they are."""
    return isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError)
