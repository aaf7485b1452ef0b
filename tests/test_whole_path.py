"""Train, export, serve over real gRPC, translate."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import grpc
import pytest

from service.bundle.manifest import load_manifest
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests import synthetic
from tests.conftest import Serve
from training.checkpoint import Checkpoint
from training.translate import translate


async def translate_over_grpc(channel: grpc.aio.Channel, texts: list[str], model: str) -> list[str]:
    stub = pb_grpc.TranslationServiceStub(channel)
    request = pb.TranslateRequest(texts=texts, model_selection=pb.ModelSelection(model=model))
    response = await stub.Translate(request)
    return [result.hypotheses[0].text for result in response.results]


@pytest.mark.parametrize("model", ["exact", "small"])
async def test_the_served_model_has_learned_the_language(serve: Serve, model: str) -> None:
    sources = synthetic.sentences(100, seed=99)
    async with serve() as (_, channel):
        translations = await translate_over_grpc(channel, sources, model)
    num_right = sum(
        translation == synthetic.translate(source) for source, translation in zip(sources, translations, strict=True)
    )
    assert num_right >= 95


async def test_the_server_says_what_pytorch_says(serve: Serve, synthetic_run: Path) -> None:
    checkpoint = Checkpoint.load(synthetic_run / "averaged.pt")
    sources = synthetic.sentences(100, seed=98)
    sources += [synthetic.with_placeholders(source, seed) for seed, source in enumerate(sources[:28])]
    expected = translate(checkpoint, sources)
    async with serve() as (_, channel):
        assert await translate_over_grpc(channel, sources, "exact") == expected


def test_the_bundle_is_close_to_pytorch(models: Path) -> None:
    parity = load_manifest(models / "exact").parity
    assert parity.identical_translations == parity.num_sentences > 0
    assert parity.max_log_prob_difference < 1e-4
    assert parity.max_attention_difference < 1e-5
    quantized = load_manifest(models / "small").parity
    assert quantized.mean_quantization_difference is not None
    assert 0 < quantized.mean_quantization_difference < 0.1


@pytest.mark.parametrize("model", ["exact", "small"])
async def test_a_translation_is_the_same_alone_and_among_64_others(serve: Serve, model: str) -> None:
    generator = random.Random(1)
    # Words put together at random, known and unknown: some of these the model finds hard.
    sources = synthetic.sentences(40, seed=97) + ["xyz cat q", "cat cat cat cat", "zzz", "r e d"] * 6
    async with serve() as (_, channel):
        alone = [(await translate_over_grpc(channel, [source], model))[0] for source in sources]

        async def arrive(source: str) -> str:
            await asyncio.sleep(generator.random() * 0.2)
            return (await translate_over_grpc(channel, [source], model))[0]

        together = await asyncio.gather(*(arrive(source) for source in sources))
    assert list(together) == alone
