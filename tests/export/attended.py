"""What Attend tells, compared with PyTorch: the trained model's own forward pass, not what export made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import torch

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from training.checkpoint import Checkpoint
from training.vocabulary import BEGIN_ID, END_ID, Vocabulary


async def attend(channel: grpc.aio.Channel, model: str, source: str, target: str) -> pb.AttendResponse:
    request = pb.AttendRequest(
        model_selection=pb.ModelSelection(model=model), source=source, target=target, return_encodings=True
    )
    response: pb.AttendResponse = await pb_grpc.TranslationServiceStub(channel).Attend(request)
    return response


def ids(vocabulary: Vocabulary, tokens: Any) -> list[int]:
    pieces = vocabulary.pieces()
    return [pieces.index(token.piece) for token in tokens]


def weights_of(response: pb.AttendResponse, kind: pb.AttentionKind) -> np.ndarray:
    """(layers × heads, rows, columns)."""
    maps = [np.array(one.weights).reshape(one.rows, one.columns) for one in response.maps if one.kind == kind]
    return np.stack(maps)


async def check_recurrent(
    serve: Serve, directory: Path, checkpoint: Checkpoint, words: list[str], has_attention: bool
) -> None:
    """Attend of a served recurrent model is what PyTorch's steps look at; without attention, there is nothing."""
    async with serve(models=directory) as (_, channel):
        response = await attend(channel, "", " ".join(words[:6]), " ".join(words[6:11]))
        wanted = pb.ReturnOptions(alignment=True)
        request = pb.TranslateRequest(texts=[" ".join(words[:6])], return_options=wanted)
        translated = await pb_grpc.TranslationServiceStub(channel).Translate(request)
    source = ids(checkpoint.source_vocabulary, response.source_tokens)
    target = ids(checkpoint.target_vocabulary, response.target_tokens)
    assert source[-1] == target[-1] == END_ID
    for found in (response.maps, response.averages, response.alignment, translated.results[0].hypotheses[0].alignment):
        assert bool(found) == has_attention
    if has_attention:
        _check_weights(response, *_looked_at(checkpoint, source, target))


def _looked_at(checkpoint: Checkpoint, source: list[int], target: list[int]) -> tuple[list[Any], np.ndarray]:
    """Where each step of PyTorch's model looks, and what it finds there."""
    model = checkpoint.build_model()
    weights: list[Any] = []
    with torch.inference_mode():
        state = model.start(torch.tensor([source]), torch.tensor([len(source)]))
        memory = state.memory[0].numpy().copy()
        for token in (BEGIN_ID, *target[:-1]):
            model.step(torch.tensor([token]), state)
            row = state.weights[0, 0].numpy()
            # A model that pads sources looks at ends of sentence, too, which stand for the one that there is.
            weights.append([*row[: len(source) - 1], row[len(source) - 1 :].sum()])
    return weights, memory


def _check_weights(response: pb.AttendResponse, expected: list[Any], memory: np.ndarray) -> None:
    assert {one.kind for one in response.maps} == {pb.ATTENTION_KIND_CROSS}
    assert [(one.layer, one.head) for one in response.averages] == [(0, -1), (-1, -1)]
    [found] = weights_of(response, pb.ATTENTION_KIND_CROSS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert np.ptp(found, axis=1).min() > 0.01  # it does look at something
    if response.encodings:
        encodings = np.array([encoding.values for encoding in response.encodings])
        np.testing.assert_allclose(encodings[:, : memory.shape[1]], memory, atol=1e-5)
