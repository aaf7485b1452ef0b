"""What went wrong, as HTTP tells it."""

from __future__ import annotations

import math

import grpc
from google.protobuf import json_format
from google.rpc import status_pb2
from starlette.responses import Response

from service.api.in_process import CallFailedError
from service.api.status import status_of
from service.errors import BusyError, ServiceError

JSON = "application/json"
REQUEST_ID_HEADER = "X-Request-Id"
_INTERNAL = 500
# As google/rpc/code.proto says.
_STATUSES = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: _INTERNAL,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: _INTERNAL,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: _INTERNAL,
}
_BY_CODE = {code.value[0]: status for code, status in _STATUSES.items()}


class HttpError(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: status_pb2.Status,
        http_status: int | None = None,
        retry_after_seconds: float | None = None,
        error: ServiceError | None = None,
    ) -> None:
        """What is told.

        Args:
            status: in gRPC's words.
            http_status: where HTTP has a better one than that of the gRPC code. The connection is closed after it.
            retry_after_seconds: when to come back.
            error: what went wrong, where no RPC has counted it.
        """
        super().__init__(status.message)
        self.status = status
        self.error = error
        self.is_of_http = http_status is not None
        self.http_status = http_status or _BY_CODE.get(status.code, _INTERNAL)
        self.headers = {"Cache-Control": "no-store"}
        if self.is_of_http:
            self.headers["Connection"] = "close"
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(math.ceil(retry_after_seconds))
        if status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]:
            self.headers["WWW-Authenticate"] = "Bearer"

    @classmethod
    def of(cls, error: ServiceError, http_status: int | None = None) -> HttpError:
        """Of an error that no handler raised."""
        retry = error.retry_after_seconds if isinstance(error, BusyError) else None
        return cls(status_of(error), http_status, retry, error)

    @classmethod
    def of_call(cls, error: CallFailedError) -> HttpError:
        """Of an RPC."""
        failure = cls(error.status, None, error.retry_after_seconds)
        failure.headers[REQUEST_ID_HEADER] = error.request_id
        return failure


def status_json(status: status_pb2.Status) -> str:
    """A google.rpc.Status as JSON, on one line."""
    return json_format.MessageToJson(status, indent=None, ensure_ascii=False)


def status_response(failure: HttpError) -> Response:
    """The answer of the JSON API."""
    return Response(status_json(failure.status), failure.http_status, failure.headers, JSON)
