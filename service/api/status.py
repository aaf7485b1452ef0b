"""Service errors as google.rpc.Status, in one place."""

from __future__ import annotations

import asyncio
import bisect
import logging
import math
from itertools import accumulate
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from service.errors import BusyError, InvalidRequestError, ModelNotFoundError, QuotaExceededError, ServiceError

DOMAIN = "seq2serve"
DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
MAX_MESSAGE_BYTES, MAX_DESCRIPTION_BYTES = 1000, 200
MAX_VIOLATIONS = 16
"""Clients refuse more than 8 KiB of trailers, and would not learn what is wrong then."""

logger = logging.getLogger(__name__)


def status_of(error: ServiceError, request_id: str = "") -> status_pb2.Status:
    """The rich status of an error: ErrorInfo always, and what else its class knows."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if request_id:
        details.append(error_details_pb2.RequestInfo(request_id=request_id))
    if isinstance(error, InvalidRequestError):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field, description=shortened(violation.description, MAX_DESCRIPTION_BYTES)
            )
            for violation in error.violations[:MAX_VIOLATIONS]
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, ModelNotFoundError):
        details.append(error_details_pb2.ResourceInfo(resource_type="model", description=message_of(error)))
    if isinstance(error, QuotaExceededError):
        violation = error_details_pb2.QuotaFailure.Violation(subject=error.quota, description=message_of(error))
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    if isinstance(error, BusyError):
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=error.status.value[0], message=message_of(error))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def message_of(error: ServiceError) -> str:
    """What is told; a request may have put a long name into it."""
    # Protobuf takes no lone surrogates, and an error about a text is no place to fail for them.
    return shortened(str(error).encode(errors="replace").decode(), MAX_MESSAGE_BYTES)


def shortened(text: str, max_bytes: int) -> str:
    """A beginning of a text that takes so many bytes in a header, where what is not ASCII is percent-encoded."""
    sizes = accumulate(_num_header_bytes(character) for character in text[: max_bytes + 1])
    num_fitting = bisect.bisect_right(list(sizes), max_bytes - len("..."))
    return text if num_fitting >= len(text) else text[:num_fitting] + "..."


def _num_header_bytes(character: str) -> int:
    return 1 if " " <= character <= "~" else 3 * len(character.encode(errors="replace"))


def foreseen(error: Exception) -> ServiceError:
    """The error itself, or for one that nobody foresaw, which is logged, one that tells nothing of it."""
    if isinstance(error, ServiceError):
        return error
    logger.error("unforeseen error", exc_info=error)
    return ServiceError("an internal error; see the server's log")


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: ServiceError, request_id: str = "") -> NoReturn:
    """End an RPC with the status of an error."""
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status_of(error, request_id).SerializeToString())]
    if request_id:
        trailers.append((REQUEST_ID_KEY, request_id))
    if isinstance(error, BusyError):
        trailers.append((PUSHBACK_KEY, str(math.ceil(error.retry_after_seconds * 1000))))
    await context.abort(error.status, message_of(error), tuple(trailers))
    raise asyncio.CancelledError  # abort never returns; this tells the type checker


def is_foreseen(error: BaseException) -> bool:
    """Whether an error may be translated; aborts and cancellations pass through as they are."""
    return isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError)
