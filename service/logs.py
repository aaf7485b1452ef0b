"""Log lines: for people or as JSON, each with the id of the request it belongs to, none with the text of a request."""

from __future__ import annotations

import json
import logging
import time
import traceback
from types import TracebackType
from typing import Any

from service import request_context
from service.settings import Settings

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
EXTRA_FIELDS = ("method", "code", "reason", "seconds", "client", "trace_id", "request")
"""What lines of RPCs say of them; see `service.api.rpc`."""


def set_up_logging(settings: Settings) -> None:
    """Write the process's log to standard error as the settings say."""
    handler = logging.StreamHandler()
    may_hold_text = settings.log_request_text == "yes"
    formatter = JsonFormatter if settings.log_format == "json" else TextFormatter
    handler.setFormatter(formatter(may_hold_text))
    handler.addFilter(_add_request_id)
    # What it reports as errors are clients' faults, and what our own code raises never gets there.
    logging.getLogger("grpc._cython.cygrpc").setLevel(logging.CRITICAL)
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # every form that is none
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)


def _add_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id = request_context.current().request_id
    return True


class _Formatter(logging.Formatter):
    """Exceptions without what they say: that may quote a request."""

    def __init__(self, may_hold_text: bool) -> None:
        super().__init__()
        self._may_hold_text = may_hold_text

    def formatException(self, ei: _ExceptionInfo) -> str:  # noqa: N802
        if self._may_hold_text:
            return super().formatException(ei)
        lines: list[str] = []
        error = ei[1]
        while error is not None:
            lines = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n", *lines]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "".join(lines).rstrip()


class TextFormatter(_Formatter):
    """One line for people; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """`2026-01-01 12:00:00,000 INFO service.api: message [request id]`."""
        request_id = getattr(record, "request_id", "")
        mark = f" [{request_id}]" if request_id else ""
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}{mark}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(_Formatter):
    """One JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """With time (RFC 3339, UTC), level, logger, message, request_id, and what the line has more."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
        }
        fields.update({name: getattr(record, name) for name in EXTRA_FIELDS if hasattr(record, name)})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in fields.items() if value != ""}, ensure_ascii=False)
