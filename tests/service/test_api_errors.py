"""What the service answers to mistakes, over real gRPC."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from service.api.status import DETAILS_KEY
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.messages import EXACT, LONG, option


def details(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo, list[str]]:
    """The ErrorInfo and the names of the fields at fault."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
    assert status.message == error.details()
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    for detail in status.details:
        detail.Unpack(request)
    return info, [violation.field for violation in request.field_violations]


WRONG_FIELDS = {
    "no texts": (pb.TranslateRequest(), "texts"),
    "too many texts": (pb.TranslateRequest(texts=["cat"] * 5), "texts"),
    "text too long": (pb.TranslateRequest(texts=["cat", "x" * 101]), "texts[1]"),
    "beam size": (option(beam_size=9), "decoding.beam_size"),
    "more hypotheses than beams": (option(beam_size=2, num_hypotheses=3), "decoding.num_hypotheses"),
    "hypotheses of a greedy search": (option(num_hypotheses=2), "decoding.num_hypotheses"),
    "a beam that samples": (option(beam_size=2, temperature=1.0), "decoding.beam_size"),
    "alternatives that sample": (option(return_alternatives=True, temperature=1.0), "decoding.return_alternatives"),
    "repetition penalty": (option(repetition_penalty=0.5), "decoding.repetition_penalty"),
    "ngram size": (option(no_repeat_ngram_size=65), "decoding.no_repeat_ngram_size"),
    "an empty forbidden phrase": (option(forbidden_phrases=["gol", " "]), "decoding.forbidden_phrases[1]"),
    "too many forbidden phrases": (option(forbidden_phrases=["gol"] * 33), "decoding.forbidden_phrases"),
    "a long term": (option(terminology=[pb.Term(source="cat", target="x" * 201)]), "decoding.terminology[0].target"),
    "terms without a beam": (
        option(terminology=[pb.Term(source="cat", target="hun")], beam_size=1),
        "decoding.terminology",
    ),
    "a term that the vocabulary cannot write": (
        option(terminology=[pb.Term(source="cat", target="한")]),
        "decoding.terminology.target",
    ),
    "terms longer than the translation": (
        option(terminology=[pb.Term(source="cat", target="hun hun hun")], max_target_tokens=2),
        "decoding.terminology",
    ),
    "beam size zero": (option(beam_size=0), "decoding.beam_size"),
    "hypotheses": (option(num_hypotheses=2), "decoding.num_hypotheses"),
    "length penalty": (option(length_penalty=5.5), "decoding.length_penalty"),
    "length normalization": (option(length_normalization=9), "decoding.length_normalization"),
    "max tokens": (option(max_target_tokens=33), "decoding.max_target_tokens"),
    "max tokens zero": (option(max_target_tokens=0), "decoding.max_target_tokens"),
    "min tokens": (option(max_target_tokens=4, min_target_tokens=5), "decoding.min_target_tokens"),
    "temperature": (option(temperature=10.5), "decoding.temperature"),
    "temperature not a number": (option(temperature=math.nan), "decoding.temperature"),
    "top k": (option(top_k=-1), "decoding.top_k"),
    "top p": (option(top_p=1.5), "decoding.top_p"),
    "top p zero": (option(top_p=0.0), "decoding.top_p"),
    "prefix": (option(target_prefix="hun " * 40), "decoding.target_prefix"),
    "language code": (
        pb.TranslateRequest(texts=["cat"], model_selection=pb.ModelSelection(source_language_code="no such!")),
        "model_selection.source_language_code",
    ),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
async def test_a_wrong_field_is_named(serve: Serve, case: str) -> None:
    request, field = WRONG_FIELDS[case]
    async with serve(max_texts=4, max_text_characters=100) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(request)
        # The service goes on.
        assert (await stub.Translate(pb.TranslateRequest(texts=["cat"]))).results
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    info, fields = details(raised.value)
    assert (info.reason, info.domain) == ("INVALID_FIELD", "seq2serve")
    assert fields == [field]
    assert field in (raised.value.details() or "")


async def test_every_wrong_option_is_told_at_once(serve: Serve) -> None:
    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(option(beam_size=17, top_p=2.0))
    assert details(raised.value)[1] == ["decoding.beam_size", "decoding.top_p"]


@pytest.mark.parametrize(
    ("selection", "field"),
    [
        (pb.ModelSelection(model="nobody"), "model_selection.model"),
        (pb.ModelSelection(source_language_code="fr"), "model_selection.source_language_code"),
        (pb.ModelSelection(target_language_code="ko"), "model_selection.target_language_code"),
    ],
)
async def test_unknown_models_and_languages_are_not_found(
    serve: Serve, selection: pb.ModelSelection, field: str
) -> None:
    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Translate(
                pb.TranslateRequest(texts=["cat"], model_selection=selection)
            )
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    assert (raised.value.details() or "").startswith(field)
    assert details(raised.value)[0].reason == "MODEL_NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "content", "field"),
    [
        # Field 2 of TranslateRequest, twice: "cat" and a byte that is not UTF-8.
        ("Translate", b"\x12\x03cat\x12\x01\xff", "texts[1]"),
        # Field 2 of TranslateStreamRequest.
        ("TranslateStream", b"\x12\x01\xff", "text"),
        # Field 10 of DecodingOptions inside field 3.
        ("Translate", b"\x12\x03cat\x1a\x03\x52\x01\xff", "decoding.target_prefix"),
        ("Translate", b"\x12\x7f", "TranslateRequest"),
    ],
)
async def test_what_is_not_utf8_or_not_protobuf_is_named(serve: Serve, method: str, content: bytes, field: str) -> None:
    path = f"/seq2serve.v1.TranslationService/{method}"
    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            if method == "Translate":
                await channel.unary_unary(path)(content)
            else:
                async for _ in channel.unary_stream(path)(content):
                    pass
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(raised.value)[1] == [field]


async def test_a_deadline_stops_the_work(serve: Serve) -> None:
    async with serve(max_rows=1) as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Translate(
                pb.TranslateRequest(texts=["\n".join(["cat dog bird"] * 1000)], model_selection=EXACT), timeout=0.2
            )
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.sleep(0.3)
        assert all(model.worker.num_unfinished == 0 for model in server.models.all())


async def test_a_full_queue_tells_when_to_come_back(serve: Serve) -> None:
    async with serve(max_rows=1, max_waiting=1) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        slow = pb.DecodingOptions(min_target_tokens=32, max_target_tokens=32)
        request = pb.TranslateRequest(texts=["cat"], decoding=slow, model_selection=EXACT)
        calls = [stub.Translate(request) for _ in range(30)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert refused
    assert len(refused) < 30
    for error in refused:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers = dict(error.trailing_metadata() or ())
        assert int(trailers["grpc-retry-pushback-ms"]) > 0
        status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in status.details)
        assert retry.retry_delay.ToMilliseconds() >= 100


async def test_a_second_config_in_a_batch_is_refused(serve: Serve) -> None:
    async def requests() -> AsyncIterator[pb.BatchTranslateRequest]:
        for _ in range(2):
            yield pb.BatchTranslateRequest(config=pb.BatchConfig(model_selection=EXACT))

    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            async for _ in pb_grpc.TranslationServiceStub(channel).BatchTranslate(requests()):
                pass
    assert details(raised.value)[1] == ["config"]


async def test_score_refuses_what_the_model_cannot_read(serve: Serve) -> None:
    pairs = [pb.TextPair(source="cat", target="katu"), pb.TextPair(source=LONG, target="")]
    async with serve() as (_, channel):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await pb_grpc.TranslationServiceStub(channel).Score(pb.ScoreRequest(pairs=pairs))
    assert details(raised.value)[1] == ["pairs[1].source", "pairs[1].target"]
