"""Fills every model's rows, so that a process shows the memory that it may come to hold."""

from __future__ import annotations

import asyncio

import grpc

from bench.sentences import sentences
from service.pb.seq2serve.v1 import model_service_pb2 as model_pb
from service.pb.seq2serve.v1 import model_service_pb2_grpc as model_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc

NUM_TEXTS = 500
NUM_REQUESTS = 64
TEXTS_PER_REQUEST = 4
BEAM_SIZE = 4
LONG_CHARACTERS = 150


async def fill(address: str) -> str:
    """Translate long sentences with beams on every model of text at once; returns all models' names and versions."""
    texts = [text for text in sentences(NUM_TEXTS) if len(text) > LONG_CHARACTERS]
    async with grpc.aio.insecure_channel(address) as channel:
        models = await model_grpc.ModelServiceStub(channel).ListModels(  # type: ignore[no-untyped-call]
            model_pb.ListModelsRequest()
        )
        stub = pb_grpc.TranslationServiceStub(channel)  # type: ignore[no-untyped-call]
        requests = [
            pb.TranslateRequest(
                model_selection=_selection(model),
                texts=[texts[(index + offset) % len(texts)] for offset in range(TEXTS_PER_REQUEST)],
                decoding=pb.DecodingOptions(beam_size=BEAM_SIZE),
            )
            for model in models.models
            if model.task == model_pb.MODEL_TASK_TRANSLATE
            for index in range(NUM_REQUESTS)
        ]
        await asyncio.gather(*(stub.Translate(request) for request in requests))
    return ", ".join(f"{model.name} {model.version} {model.precision}" for model in models.models)


def _selection(model: model_pb.Model) -> pb.ModelSelection:
    """Its first language pair, where it has several."""
    return pb.ModelSelection(
        model=model.name,
        source_language_code=model.source_language_code,
        target_language_code=model.target_language_code,
    )
