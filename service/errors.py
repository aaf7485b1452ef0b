"""One error tree. Each class carries its gRPC status and a reason; the API edge translates in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc

DEADLINE_SLACK_SECONDS = 0.05
"""Clients give up at their own deadline, which is over a little before ours: who goes that short before it is late."""


def is_over(remaining_seconds: float | None) -> bool:
    """Whether a deadline has passed for whoever set it; None: there is none."""
    return remaining_seconds is not None and remaining_seconds < DEADLINE_SLACK_SECONDS


@dataclass(frozen=True)
class FieldViolation:
    """What is wrong with one request field, named as in the proto: `decoding.beam_size`."""

    field: str
    description: str


class ServiceError(Exception):
    """A request, or the service, failed in a known way. The message is for the client."""

    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    """Machine-readable; UPPER_SNAKE_CASE as in google.rpc.ErrorInfo."""


class InvalidRequestError(ServiceError):
    """One or more fields of the request are wrong; repeating it cannot help."""

    status = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__("; ".join(f"{violation.field}: {violation.description}" for violation in violations))
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, description: str) -> InvalidRequestError:
        """One wrong field."""
        return cls([FieldViolation(field, description)])


class ModelNotFoundError(ServiceError):
    """No served model has that name or translates that language pair."""

    status = grpc.StatusCode.NOT_FOUND
    reason = "MODEL_NOT_FOUND"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class ServiceNotFoundError(ServiceError):
    """The health service knows nothing of that name."""

    status = grpc.StatusCode.NOT_FOUND
    reason = "SERVICE_NOT_FOUND"


class UnsupportedError(ServiceError):
    """The model, or this version of the service, cannot do what was asked."""

    status = grpc.StatusCode.UNIMPLEMENTED
    reason = "UNSUPPORTED"


class SpanLostError(ServiceError):
    """A protected span did not come through, and the request said that it must."""

    status = grpc.StatusCode.FAILED_PRECONDITION
    reason = "PROTECTED_SPAN_LOST"


class BusyError(ServiceError):
    """A limit is reached for now; the client may retry after `retry_after_seconds`."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "BUSY"

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(f"{message}; retry after {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds


class QueueFullError(BusyError):
    """Too many sentences are waiting already."""

    reason = "QUEUE_FULL"

    def __init__(self, limit: int, retry_after_seconds: float) -> None:
        super().__init__(f"{limit} sentences are waiting already", retry_after_seconds)


class TooManyRpcsError(BusyError):
    """The server answers as many RPCs as it may."""

    reason = "TOO_MANY_RPCS"


class TooManyExplanationsError(BusyError):
    """As many requests for scores, attention and alignments are under way for the model as may."""

    reason = "TOO_MANY_EXPLANATIONS"

    def __init__(self, limit: int, retry_after_seconds: float) -> None:
        super().__init__(
            f"{limit} requests for scores, attention or alignments are under way already", retry_after_seconds
        )


class TooManyConnectionsError(BusyError):
    """The HTTP port has as many connections as it may."""

    reason = "TOO_MANY_CONNECTIONS"


class TooManyConversionsError(BusyError):
    """As many long messages are read and written for the HTTP port as may."""

    reason = "TOO_MANY_CONVERSIONS"


class QuotaExceededError(BusyError):
    """The client has used what it may use."""

    reason = "QUOTA_EXCEEDED"

    def __init__(self, quota: str, message: str, retry_after_seconds: float) -> None:
        super().__init__(message, retry_after_seconds)
        self.quota = quota
        """The setting of the clients file, such as max_concurrent_requests."""


class UnauthenticatedError(ServiceError):
    """The service does not know who asks."""

    status = grpc.StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class PermissionDeniedError(ServiceError):
    """The client may not do this."""

    status = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class UnknownMethodError(ServiceError):
    """No service here has that method."""

    status = grpc.StatusCode.UNIMPLEMENTED
    reason = "UNKNOWN_METHOD"


class DeadlineExceededError(ServiceError):
    """The request's deadline passed before its translation was done."""

    status = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class UnavailableError(ServiceError):
    """The service is loading or shutting down; another replica may answer."""

    status = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class ShuttingDownError(UnavailableError):
    """The service takes no more work, or could not finish what it had taken."""

    reason = "SHUTTING_DOWN"

    def __init__(self, message: str = "the service is shutting down") -> None:
        super().__init__(message)


class ModelUnloadedError(UnavailableError):
    """The model was unloaded before the request could run."""

    reason = "MODEL_UNLOADED"


class BundleRefusedError(ServiceError):
    """A bundle was asked to be loaded that cannot be served; what was served before still is."""

    status = grpc.StatusCode.FAILED_PRECONDITION
    reason = "BUNDLE_REFUSED"


class MemoryBudgetError(ServiceError):
    """A model does not fit into the memory that models may use."""

    status = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MEMORY_BUDGET"


class EngineError(ServiceError):
    """The model failed while running; the request was not to blame."""

    reason = "ENGINE_FAILURE"


class BundleError(Exception):
    """A model directory cannot be served; the message says what to do."""


class SettingsError(Exception):
    """The service was started with settings that cannot work; the message names the setting."""


class DeviceError(Exception):
    """The accelerator refused something; the message says what, and of memory, how much was asked."""
