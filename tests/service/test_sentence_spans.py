"""Where the sentences of a text and their translations are, over real gRPC."""

from __future__ import annotations

from itertools import pairwise

import pytest

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.service.messages import EXACT, LONG

TEXT = " red cat.\n\nthe big dog sees a bird 🙂. Go %s on.  "
WANTED = pb.ReturnOptions(sentences=True)


@pytest.mark.parametrize("text", [TEXT, LONG, "cat", " \n", ""], ids=["several", "long", "one", "white", "empty"])
async def test_spans_are_what_was_translated_one_by_one(serve: Serve, text: str) -> None:
    decoding = pb.DecodingOptions(beam_size=3, num_hypotheses=3)
    async with serve() as (server, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        request = pb.TranslateRequest(texts=[text], model_selection=EXACT, decoding=decoding, return_options=WANTED)
        hypotheses = (await stub.Translate(request)).results[0].hypotheses
        parts = [part.text for part in server.models.get("exact", "").segment(text).segments]
        alone = pb.TranslateRequest(texts=parts or ["cat"], model_selection=EXACT, decoding=decoding)
        choices = [{one.text for one in result.hypotheses} for result in (await stub.Translate(alone)).results]
    for hypothesis in hypotheses:
        assert [text[span.source_begin : span.source_end] for span in hypothesis.sentences] == parts
        for span, texts in zip(hypothesis.sentences, choices, strict=bool(parts)):
            assert hypothesis.text[span.target_begin : span.target_end] in texts
        between = [(span.target_end, after.target_begin) for span, after in pairwise(hypothesis.sentences)]
        assert not "".join(hypothesis.text[begin:end] for begin, end in between).strip()


async def test_a_stream_tells_the_sentence_that_grows(serve: Serve) -> None:
    async with serve() as (_, channel):
        request = pb.TranslateStreamRequest(text=TEXT, model_selection=EXACT, return_options=WANTED)
        stream = pb_grpc.TranslationServiceStub(channel).TranslateStream(request)
        responses = [response async for response in stream]
    text, grown = "", {}
    for response in responses[:-1]:
        text += response.delta.text
        if not response.HasField("sentence"):
            assert not response.delta.text.strip()
        else:
            assert response.sentence.target_end == len(text)
            grown[response.sentence.source_begin] = response.sentence
    assert list(grown.values()) == list(responses[-1].result.hypotheses[0].sentences)
    assert not responses[-1].HasField("sentence")


async def test_nobody_is_told_who_did_not_ask(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        plain = await stub.Translate(pb.TranslateRequest(texts=[TEXT], model_selection=EXACT))
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text=TEXT, model_selection=EXACT))
        responses = [response async for response in stream]
    assert not plain.results[0].hypotheses[0].sentences
    assert not any(response.HasField("sentence") for response in responses)
