"""Links of TranslateStream, and what bounds explain runs, over real gRPC."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from service.api import alignment
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.messages import EXACT, detail
from tests.service.waiting import eventually

TEXT = "red bird eats book\n\n old big tree sees house likes new cat 🙂 \ndog"
WANTED = pb.ReturnOptions(alignment=True)
ALIGNED = pb.TranslateRequest(texts=["big dog"], model_selection=EXACT, return_options=WANTED)


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is cleared, every explanation for an alignment waits in its thread."""
    going, explain = threading.Event(), alignment.explain
    going.set()

    def held(*arguments: Any) -> Any:
        assert going.wait(20)
        return explain(*arguments)

    monkeypatch.setattr(alignment, "explain", held)
    yield going
    going.set()


def stream(channel: grpc.aio.Channel, text: str = TEXT, **decoding: Any) -> Any:
    options = pb.DecodingOptions(**decoding)
    request = pb.TranslateStreamRequest(text=text, decoding=options, model_selection=EXACT, return_options=WANTED)
    return pb_grpc.TranslationServiceStub(channel).TranslateStream(request)


def places(links: Any) -> list[tuple[int, int, int, int]]:
    return [(one.source_begin, one.source_end, one.target_begin, one.target_end) for one in links]


@pytest.mark.parametrize(
    "decoding",
    [{}, {"beam_size": 4, "num_hypotheses": 2}, {"temperature": 2.0, "seed": 3, "num_hypotheses": 3}],
    ids=["greedy", "beam", "samples"],
)
async def test_streamed_links_add_up_to_those_of_the_result(serve: Serve, decoding: dict[str, Any]) -> None:
    async with serve() as (_, channel):
        responses = [response async for response in stream(channel, **decoding)]
        request = pb.TranslateRequest(
            texts=[TEXT],
            model_selection=EXACT,
            return_options=WANTED,
            decoding=pb.DecodingOptions(**decoding),
        )
        plain = await pb_grpc.TranslationServiceStub(channel).Translate(request)
    result = responses[-1].result
    text = "".join(response.delta.text for response in responses)
    streamed = [link for response in responses for link in response.alignment]
    hypotheses = plain.results[0].hypotheses
    assert [one.text for one in result.hypotheses] == [one.text for one in hypotheses]
    for found, expected in zip(result.hypotheses, hypotheses, strict=True):
        assert places(found.alignment) == places(expected.alignment)
        weights = [link.weight for link in expected.alignment]
        assert [link.weight for link in found.alignment] == pytest.approx(weights, abs=1e-4)
    assert "".join(text[link.target_begin : link.target_end] for link in streamed) == "".join(text.split())
    if text == result.hypotheses[0].text:
        assert streamed == list(result.hypotheses[0].alignment)
    else:
        assert "temperature" in decoding  # samples of several sentences are ranked at the end


async def test_links_never_run_ahead_of_the_text_and_never_hold_it_up(serve: Serve, hold: threading.Event) -> None:
    async with serve() as (_, channel):
        hold.clear()
        call, text = stream(channel), ""
        while "\n\n" not in text:  # the first sentence is whole, and nothing was explained yet
            response = await call.read()
            assert not response.alignment
            text += response.delta.text
        hold.set()
        while not response.HasField("result"):
            response = await call.read()
            text += response.delta.text
            assert all(link.target_end <= len(text) for link in response.alignment)


async def test_a_stream_that_does_not_ask_explains_nothing(serve: Serve, hold: threading.Event) -> None:
    async with serve() as (_, channel):
        hold.clear()
        request = pb.TranslateStreamRequest(text=TEXT, model_selection=EXACT)
        responses = [response async for response in pb_grpc.TranslationServiceStub(channel).TranslateStream(request)]
    assert not any(response.alignment for response in responses)


async def test_a_flood_is_refused_with_a_hint_and_translation_goes_on(serve: Serve, hold: threading.Event) -> None:
    async with serve(max_explain_requests=3) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        hold.clear()
        flood = [asyncio.ensure_future(stub.Translate(ALIGNED)) for _ in range(3)]
        explainer = server.models.get("exact", "")._explainer
        await eventually(lambda: explainer.num_requests == 3)

        async def batch() -> AsyncIterator[pb.BatchTranslateRequest]:
            yield pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT, return_options=WANTED))

        pair = pb.TextPair(source="cat", target="katu")
        for refused in (
            stub.Translate(ALIGNED),
            stub.Attend(pb.AttendRequest(source="cat", model_selection=EXACT)),
            stub.Score(pb.ScoreRequest(pairs=[pair], model_selection=EXACT)),
            stream(channel).read(),
            stub.BatchTranslate(batch()).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await refused
            assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "TOO_MANY_EXPLANATIONS"
            assert detail(raised.value, error_details_pb2.RetryInfo).retry_delay.ToNanoseconds() >= 1e8
        plain = pb.TranslateRequest(texts=["cat"] * 20, model_selection=EXACT)
        assert len((await stub.Translate(plain)).results) == 20
        hold.set()
        assert all(answer.results[0].hypotheses[0].alignment for answer in await asyncio.gather(*flood))
        await eventually(lambda: explainer.num_requests == 0)


async def test_items_of_a_batch_are_not_refused_for_their_number(serve: Serve) -> None:
    async def requests() -> AsyncIterator[pb.BatchTranslateRequest]:
        items = [pb.BatchItem(id=str(index), text="big dog") for index in range(30)]
        config = pb.BatchConfig(model_selection=EXACT, return_options=WANTED)
        yield pb.BatchTranslateRequest(config=config, items=items)

    async with serve(max_explain_requests=1) as (server, channel):
        call = pb_grpc.TranslationServiceStub(channel).BatchTranslate(requests())
        responses = [response async for response in call]
        await eventually(lambda: server.models.get("exact", "")._explainer.num_requests == 0)
    assert len(responses) == 30
    assert all(response.result.hypotheses[0].alignment for response in responses)


@pytest.mark.parametrize("kind", ["translate", "stream"])
async def test_draining_ends_what_is_being_explained(serve: Serve, hold: threading.Event, kind: str) -> None:
    async with serve(drain_seconds=0.3) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        hold.clear()
        call = stub.Translate(ALIGNED) if kind == "translate" else last(stream(channel))
        running = asyncio.ensure_future(call)
        model = server.models.get("exact", "")
        await eventually(lambda: model._explainer.num_requests == 1)
        await eventually(lambda: not model.worker.num_unfinished)
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < 10
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await running
        hold.set()
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert detail(raised.value, error_details_pb2.ErrorInfo).reason == "SHUTTING_DOWN"


async def test_who_goes_leaves_nothing_behind(serve: Serve, hold: threading.Event) -> None:
    async with serve() as (server, channel):
        hold.clear()
        call = stream(channel)
        await call.read()
        explainer = server.models.get("exact", "")._explainer
        await eventually(lambda: bool(explainer._under_way))
        call.cancel()
        await eventually(lambda: not explainer.num_requests and not explainer._under_way)
        hold.set()
        assert (await pb_grpc.TranslationServiceStub(channel).Translate(ALIGNED)).results


async def last(call: Any) -> Any:
    responses = [response async for response in call]
    return responses[-1]
