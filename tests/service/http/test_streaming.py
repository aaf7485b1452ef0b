"""TranslateStream as lines of JSON, and what happens when nobody reads them."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from service.api.in_process import MAX_UNREAD_MESSAGES, Call, CallContext
from service.api.server import Server
from service.api.text_translation import StreamedText
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests.service.http.serving import ask, counted, eventually, handled, num_unfinished

STREAM = "/v1/translate:stream"
TEXT = {"text": "big cat. cat dog.", "modelSelection": {"model": "exact"}}
LONG = {**TEXT, "text": "cat dog bird.\n" * 400, "decoding": {"minTargetTokens": 20, "maxTargetTokens": 20}}


def test_lines_grow_into_the_result(server: Server) -> None:
    answer = ask(server, STREAM, TEXT, headers={"X-Request-Id": "mine"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.headers["x-request-id"] == "mine"
    *deltas, result = [json.loads(line) for line in answer.body.splitlines()]
    text = result["result"]["hypotheses"][0]["text"]
    assert (
        "".join(one["delta"]["text"] for one in deltas)
        == text
        == ask(server, "/v1/translate", {"texts": [TEXT["text"]], "modelSelection": TEXT["modelSelection"]}).json[
            "results"
        ][0]["hypotheses"][0]["text"]
    )
    assert len(deltas) > 1


def test_a_refusal_before_the_first_line_has_its_own_status(server: Server) -> None:
    answer = ask(server, STREAM, {**TEXT, "modelSelection": {"model": "none"}})
    assert (answer.status, answer.reason()) == (404, "MODEL_NOT_FOUND")


def test_a_failure_on_the_way_is_the_last_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    model = server.models.get("exact", "")

    async def break_off(*_: object) -> AsyncIterator[StreamedText]:
        yield StreamedText("ka")
        raise OSError("no such file")

    monkeypatch.setattr(model, "stream", break_off)
    monkeypatch.setattr(model, "translating", lambda _: model)
    answer = ask(server, STREAM, TEXT)
    first, last = [json.loads(line) for line in answer.body.splitlines()]
    assert (answer.status, first["delta"]) == (200, {"text": "ka"})
    assert last["error"]["code"] == 13
    assert last["error"]["details"][0]["reason"] == "INTERNAL"


def test_who_goes_before_the_first_line_frees_the_row(server: Server, brake: threading.Event) -> None:
    before = handled(server, "Translate", "CANCELLED")
    brake.clear()
    body = json.dumps({"texts": ["cat"], "modelSelection": {"model": "exact"}})
    connection = http.client.HTTPConnection(server.http_address)
    connection.request("POST", "/v1/translate", body, {"Content-Type": "application/json"})
    eventually(lambda: num_unfinished(server) == 1)
    connection.close()
    eventually(lambda: handled(server, "Translate", "CANCELLED") == before + 1)
    brake.set()
    eventually(lambda: num_unfinished(server) == 0)


def test_who_stops_reading_in_the_middle_frees_the_rows(server: Server) -> None:
    discarded = discarded_tokens(server)
    for _ in range(10):  # between two sentences there is nothing to discard
        stop_in_the_middle(server)
        if discarded_tokens(server) > discarded:
            return
    pytest.fail("no token was discarded, whenever the reader left")


def stop_in_the_middle(server: Server) -> None:
    before = handled(server, "TranslateStream", "CANCELLED", "server_stream")
    connection = http.client.HTTPConnection(server.http_address)
    connection.request("POST", STREAM, json.dumps(LONG), {"Content-Type": "application/json"})
    assert b"delta" in connection.getresponse().readline()
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    eventually(lambda: num_unfinished(server) == 0)
    eventually(lambda: handled(server, "TranslateStream", "CANCELLED", "server_stream") == before + 1)
    ask(server, "/v1/translate", {"texts": ["cat"], "modelSelection": {"model": "exact"}})  # steps bring the figures


def discarded_tokens(server: Server) -> float:
    return counted(server, "seq2serve_discarded_tokens_total", model="exact", reason="cancelled")


async def test_a_handler_waits_for_a_reader_and_ends_with_it() -> None:
    sent, ended = [], threading.Event()

    async def chatter(_: object, context: CallContext) -> None:
        try:
            while True:
                await context.write(pb.TranslateStreamResponse())
                sent.append(1)
        finally:
            ended.set()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    handler: Any = chatter
    async with aclosing(Call(handler, None, (), None, loop).responses()) as responses:
        await anext(responses)
        async with asyncio.timeout(5):
            while len(sent) <= MAX_UNREAD_MESSAGES:
                await asyncio.sleep(0.01)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(sent) == 1 + MAX_UNREAD_MESSAGES
    assert await asyncio.to_thread(ended.wait, 5)
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    loop.close()
