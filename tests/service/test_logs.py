"""Log lines."""

from __future__ import annotations

import io
import json
import logging

import pytest

from service import request_context
from service.logs import JsonFormatter, TextFormatter, set_up_logging
from service.request_context import RequestContext
from service.settings import Settings

SECRET = "what somebody wanted translated"


def fail() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        raise ValueError(f"cannot read {SECRET}") from error


def written(formatter: logging.Formatter, message: str = "it broke") -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("service.test")
    logger.addHandler(handler)
    try:
        fail()
    except ValueError:
        logger.exception(message, extra={"request_id": "r-1", "code": "INTERNAL", "client": ""})
    return stream.getvalue()


@pytest.mark.parametrize("kind", [TextFormatter, JsonFormatter])
def test_tracebacks_say_where_but_not_what_a_request_said(kind: type[TextFormatter | JsonFormatter]) -> None:
    line = written(kind(may_hold_text=False))
    assert "in fail" in line
    assert "ValueError" in line
    assert "KeyError" in line
    assert SECRET not in line
    assert SECRET in written(kind(may_hold_text=True))


def test_a_json_line_is_one_object_without_empty_fields() -> None:
    line = written(JsonFormatter(may_hold_text=False))
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert fields["time"].endswith("Z")
    assert fields["exception"].startswith("  File ")
    del fields["time"], fields["exception"]
    assert fields == {
        "level": "error",
        "logger": "service.test",
        "message": "it broke",
        "request_id": "r-1",
        "code": "INTERNAL",
    }


def test_a_text_line_ends_with_the_request_id() -> None:
    assert written(TextFormatter(may_hold_text=False)).splitlines()[0].endswith("ERROR service.test: it broke [r-1]")


def test_lines_carry_the_id_of_the_request_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logging(Settings(log_format="json"))
        request_context.enter(RequestContext(request_id="abc"))
        logging.getLogger("service.anything").info("hello")
        logging.getLogger("service.anything").debug("not asked for")
    finally:
        request_context.enter(RequestContext())
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["request_id"] == "abc"
