"""The model that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.runner import OnnxRunner
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve

MODELS = Path(__file__).parents[1] / "models"
EXAMPLES = {
    "I am a student.": {"나는 학생입니다.", "저는 학생입니다."},
    "The file could not be opened.": {"파일을 열 수 없습니다.", "파일을 열 수 없음.", "파일을 열 수 없었습니다."},
}


@pytest.mark.parametrize("source", EXAMPLES)
async def test_it_translates_what_the_readme_shows(serve: Serve, source: str) -> None:
    async with serve(models=MODELS) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        response = await stub.Translate(pb.TranslateRequest(texts=[source]))
    assert response.results[0].hypotheses[0].text in EXAMPLES[source]


async def test_it_is_the_same_alone_and_in_a_batch(serve: Serve) -> None:
    texts = [
        "Open the file.",
        "The password is wrong. Try again, or ask the administrator of your network for a new one.",
        "Save",
        "I am hungry.",
        "Could not connect to %s: %s",
        "Where is the station?",
        "Select the language in which the messages of the program are shown.",
    ] * 8
    async with serve(models=MODELS) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        together = await stub.Translate(pb.TranslateRequest(texts=texts))
        alone = [(await stub.Translate(pb.TranslateRequest(texts=[text]))).results[0] for text in texts[:7]]
    assert [result.hypotheses[0].text for result in together.results[:7]] == [
        result.hypotheses[0].text for result in alone
    ]


async def test_a_forbidden_word_does_not_come_with_a_particle_either(serve: Serve) -> None:
    decoding = pb.DecodingOptions(forbidden_phrases=["파일"], beam_size=4, num_hypotheses=4)
    async with serve(models=MODELS) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        response = await stub.Translate(pb.TranslateRequest(texts=["The file could not be opened."], decoding=decoding))
    assert len(response.results[0].hypotheses) == 4
    assert not [found.text for found in response.results[0].hypotheses if "파일" in found.text]


def test_sources_of_like_length_are_encoded_with_little_padding() -> None:
    bundle = Bundle.load(MODELS / "en-ko-software", Runtime.start("cpu"))
    sources = [(*[10] * length, 3) for length in (3, 120, 4, 118, 119, 5)]
    encoded = OnnxRunner(bundle).encode(sources)
    assert [source.length for source in encoded] == [len(source) for source in sources]
    assert [source.num_padding for source in encoded] == [2, 0, 1, 2, 1, 0]
