"""Errors as LibreTranslate tells them: one sentence, and one of few statuses."""

from __future__ import annotations

import json
import re

import grpc
from starlette.responses import Response

from service.api.http.error import JSON, HttpError

_STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: 403,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 400,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_CODE = {code.value[0]: status for code, status in _STATUSES.items()}
_FIELD = re.compile(r"^model_selection\.\w+: ")


def error_response(error: HttpError) -> Response:
    """The answer; a status that HTTP itself asks for, such as 413, stays."""
    is_own = error.is_of_http or error.status.code not in _BY_CODE
    status = error.http_status if is_own else _BY_CODE[error.status.code]
    slower = "Slowdown: " if status == 429 else ""
    content = json.dumps({"error": slower + _FIELD.sub("", error.status.message)}, ensure_ascii=False)
    return Response(content.encode(errors="replace"), status, error.headers, JSON)
