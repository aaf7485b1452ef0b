"""What must be true of every answer, whatever was asked."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from bench.fuzzing.calls import CALL_SECONDS, Call, Outcome

DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "seq2serve"
REPOSITORY = str(Path(__file__).resolve().parents[2])
SECRETS = (REPOSITORY, "/usr", "/home", "/tmp", "site-packages", "Traceback", ".py")  # noqa: S108 - looked for, not used
"""What answers never hold, unless it was in the request."""

NEVER = frozenset({grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS})

CORE_STATUSES = (
    (grpc.StatusCode.RESOURCE_EXHAUSTED, re.compile(r"\w+: Received message larger than max|Received message larger")),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, re.compile(r"received .*metadata size exceeds")),
)
"""Statuses that gRPC's core makes before our code sees the RPC: they carry no details."""
_LOG_FAULT = re.compile(r"^.*(?:ERROR|CRITICAL|Exception occurred|never awaited|never retrieved).*$", re.MULTILINE)
_LOG_VARIES = re.compile(r"^[\d-]+ [\d:,]+ |\('127.0.0.1', \d+\)")
_LOG_OF_CORE = ("Failed sending error status from server", "ExecuteBatchError raised in core", "Invalid encoding on b")
"""gRPC's own, of clients that have left and of headers that are not UTF-8."""


def problems(call: Call, outcome: Outcome) -> list[str]:
    """What is wrong with the outcome of a call; texts of the requests are left out, so that like problems are alike."""
    if outcome.is_stuck:
        return [f"had not ended after {CALL_SECONDS:.0f} s"]
    found = []
    if _is_clients_own(call, outcome):
        return []
    if outcome.code in NEVER:
        found.append(f"status {outcome.code.name}: {outcome.message}")
    if outcome.code is grpc.StatusCode.OK:
        found += _unreadable(call, outcome)
    elif call.method.is_ours and not any(
        outcome.code is code and message.search(outcome.message) for code, message in CORE_STATUSES
    ):
        found += _without_details(outcome)
    told = outcome.message + "".join(_text(value) for _, value in outcome.trailers)
    return found + leaks(told.encode(errors="replace"), b"".join(call.requests) + call.method.path.encode())


def leaks(answer: bytes, asked: bytes) -> list[str]:
    """What an answer tells of the machine."""
    secrets = (secret for secret in SECRETS if secret.encode() in answer and secret.encode() not in asked)
    return [f"the answer holds {secret!r}: {answer[:300].decode(errors='replace')}" for secret in secrets]


def faults_in_log(log: str) -> Counter[str]:
    """What a server wrote that was surprised, without times and ports."""
    lines = (_LOG_VARIES.sub("", line) for line in _LOG_FAULT.findall(log))
    return Counter(line for line in lines if not any(known in line for known in _LOG_OF_CORE))


def _unreadable(call: Call, outcome: Outcome) -> list[str]:
    if not outcome.responses and not call.method.is_response_stream:
        return ["status OK without a response"]
    try:
        for response in outcome.responses:
            GetMessageClass(call.method.response).FromString(response)
    except DecodeError:
        return ["a response that does not parse"]
    return []


def _is_clients_own(call: Call, outcome: Outcome) -> bool:
    """Whether the status was made on our side, as it may be where a call is cut off or sends a stream."""
    is_late = outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED and call.deadline_seconds is not None
    is_cut = call.deadline_seconds is not None or call.cancel_after_seconds is not None
    return is_late or (outcome.is_lost and (is_cut or call.is_streamed))


def _without_details(outcome: Outcome) -> list[str]:
    content = dict(outcome.trailers).get(DETAILS_KEY)
    if not isinstance(content, bytes):
        return [f"status {outcome.code.name} without details: {outcome.message}"]
    status = status_pb2.Status.FromString(content)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(request)
    found = []
    if info.domain != DOMAIN or not info.reason:
        found.append(f"status {outcome.code.name} without ErrorInfo")
    if status.code != outcome.code.value[0]:
        found.append(f"status {outcome.code.name}, details of {status.code}")
    if outcome.code is grpc.StatusCode.INVALID_ARGUMENT and not all(
        [request.field_violations, *(violation.field for violation in request.field_violations)]
    ):
        found.append("status INVALID_ARGUMENT that names no field")
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
