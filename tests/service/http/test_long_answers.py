"""Answers that take long to be written: in few threads, so that nothing else waits for them."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from google.protobuf import json_format

from service.api.http import message_json
from service.api.http.threads import MAX_WAITING, NUM_CONVERSIONS, Threads
from service.api.server import Server
from service.errors import TooManyConversionsError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests.service.http.serving import Run, ask, counted, eventually

CAT = {"texts": ["cat"], "modelSelection": {"model": "exact"}}


def attended(num_weights: int) -> pb.AttendResponse:
    weights = np.random.default_rng(1).random(num_weights, np.float32)
    few = pb.AttentionMap(kind=pb.ATTENTION_KIND_CROSS, layer=-1, rows=1, columns=2, weights=[0.1, 1 / 3])
    return pb.AttendResponse(
        source_tokens=[pb.AttendedToken(piece="▁cat", end=3), pb.AttendedToken(piece="</s>")],
        maps=[pb.AttentionMap(rows=num_weights, columns=1, weights=weights), pb.AttentionMap(), few],
        encodings=[pb.Encoding(values=[1e-30, 0.0, -2.5])],
        model="exact",
    )


async def test_json_is_that_of_protobuf_to_the_last_bit() -> None:
    threads = Threads("test", 1, 1)
    for message in (attended(10), attended(20_000), pb.AttendResponse(), pb.TranslateResponse(model="x")):
        told = await message_json.to_json(message, threads)
        assert json_format.Parse(told, type(message)()) == message
        expected = json_format.MessageToJson(message, always_print_fields_with_no_presence=True)
        assert json.loads(told) == json.loads(expected)
    threads.stop()


async def test_what_is_no_number_is_written_in_words() -> None:
    threads = Threads("test", 1, 1)
    message = pb.Encoding(values=[float("nan"), float("inf"), 1.5])
    assert await message_json.to_json(message, threads) == b'{"values":["NaN","Infinity",1.5]}'
    threads.stop()


async def test_numbers_of_maps_are_not_written_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """json_format took seconds for what a response may hold."""
    seen: list[int] = []
    written = json_format.MessageToDict

    def watched(message: pb.AttendResponse, **options: bool) -> object:
        seen.extend(len(one.weights) for one in message.maps)
        return written(message, **options)

    monkeypatch.setattr(json_format, "MessageToDict", watched)
    threads = Threads("test", 1, 1)
    await message_json.to_json(attended(100), threads)
    threads.stop()
    assert seen == [0, 0, 0]


def test_probes_and_short_answers_do_not_wait_for_long_ones(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    going, writers = threading.Event(), []
    to_json = message_json._to_json

    def held(message: pb.TranslateResponse) -> bytes:
        writers.append(threading.current_thread().name)
        if writers[-1].startswith("http-conversion"):
            assert going.wait(20)
        return to_json(message)

    monkeypatch.setattr(message_json, "_to_json", held)
    monkeypatch.setattr(message_json, "LONG_BYTES", 0)
    allowed = NUM_CONVERSIONS + MAX_WAITING
    with run() as server, ThreadPoolExecutor(allowed) as pool:
        asked = [pool.submit(ask, server, "/v1/translate", CAT) for _ in range(allowed)]
        eventually(lambda: taken(server) == allowed)
        assert [ask(server, path).status for path in ("/livez", "/readyz", "/metrics", "/languages")] == [200] * 4
        assert ask(server, "/detect", {"q": "123"}).status == 200
        refused = ask(server, "/v1/translate", CAT)
        assert (refused.status, refused.reason(), refused.headers["retry-after"]) == (429, "TOO_MANY_CONVERSIONS", "1")
        assert counted(server, "seq2serve_rejections_total", reason="TOO_MANY_CONVERSIONS") == 1
        going.set()
        assert {answer.result().status for answer in asked} == {200}
        eventually(lambda: taken(server) == 0)
        assert ask(server, "/v1/translate", CAT).status == 200


def taken(server: Server) -> int:
    return server._http_threads.conversion._num_taken


async def test_a_place_is_free_when_the_work_is_done_and_not_before() -> None:
    going = threading.Event()
    threads = Threads("test", 1, 0)
    task = asyncio.ensure_future(threads.run(going.wait, 20))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TooManyConversionsError):
        await threads.run(int)
    going.set()
    while threads._num_taken:
        await asyncio.sleep(0.01)
    assert await threads.run(int, "5") == 5
    threads.stop()
