"""What HTTP refuses before there is an RPC is counted, logged, and found by its id, as refused RPCs are."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from service.api.server import Server
from tests.service.http.serving import Run, ask, counted

CAT = {"q": "cat", "source": "en", "target": "xx"}


@pytest.mark.parametrize(
    ("path", "body", "status", "reason", "name"),
    [
        ("/translate", {**CAT, "source": ""}, 400, "INVALID_FIELD", "POST /translate"),
        ("/translate", {**CAT, "alternatives": 99}, 400, "INVALID_FIELD", "POST /translate"),
        ("/translate", {**CAT, "q": "\ud800"}, 400, "INVALID_FIELD", "POST /translate"),
        ("/v1/translate", b"{}", 415, "INVALID_FIELD", "POST /v1/translate"),
        ("/suggest", {}, 403, "PERMISSION_DENIED", "POST /suggest"),
        ("/v1/secret", {}, 404, "UNKNOWN_METHOD", "POST /v1/…"),
        ("/translate", None, 405, "UNKNOWN_METHOD", "GET /translate"),
    ],
)
def test_a_refusal_is_counted_logged_and_named(
    server: Server, caplog: pytest.LogCaptureFixture, path: str, body: Any, status: int, reason: str, name: str
) -> None:
    before = counted(server, "seq2serve_rejections_total", reason=reason)
    with caplog.at_level(logging.INFO, logger="service.http"):
        answer = ask(server, path, body, headers={"X-Request-Id": "order-68"})
    assert (answer.status, answer.headers["x-request-id"]) == (status, "order-68")
    assert counted(server, "seq2serve_rejections_total", reason=reason) == before + 1
    [line] = [record for record in caplog.records if record.name == "service.http"]
    assert line.getMessage().startswith(f"{name} {status} {reason} ")
    told = line.__dict__
    assert (told["method"], told["reason"], told["request_id"]) == (name, reason, "order-68")
    assert line.levelname == ("WARNING" if status == 403 else "INFO")


def test_a_body_that_is_too_long_is_a_refusal(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with run(max_message_bytes=1024) as server, caplog.at_level(logging.INFO, logger="service.http"):
        assert ask(server, "/translate", {**CAT, "q": "x" * 2000}).status == 413
        assert counted(server, "seq2serve_rejections_total", reason="INVALID_FIELD") == 1
    [line] = [record for record in caplog.records if record.name == "service.http"]
    assert line.getMessage().startswith("POST /translate 413 INVALID_FIELD ")


def test_an_rpc_that_is_refused_counts_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    before = counted(server, "seq2serve_rejections_total", reason="MODEL_NOT_FOUND")
    with caplog.at_level(logging.INFO):
        assert ask(server, "/translate", {**CAT, "target": "zz"}).status == 400
    assert counted(server, "seq2serve_rejections_total", reason="MODEL_NOT_FOUND") == before + 1
    assert [record.name for record in caplog.records] == ["service.rpc"]


def test_pages_that_there_are_none_of_are_no_refusals(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    before = counted(server, "seq2serve_rejections_total", reason="UNKNOWN_METHOD")
    with caplog.at_level(logging.INFO):
        assert ask(server, "/favicon.ico").status == 404
    assert counted(server, "seq2serve_rejections_total", reason="UNKNOWN_METHOD") == before
    assert caplog.records == []
