"""What Attend tells, compared with PyTorch: the trained model's own forward pass, not what export made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from torch.nn import functional

from export.writer import ExportOptions, export
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.conftest import Serve
from tests.export.test_export import WORDS
from tests.export.test_rnn_export import make_checkpoint
from tests.training.test_rnn import FAMILIES
from training.checkpoint import Checkpoint
from training.vocabulary import BEGIN_ID, END_ID, Vocabulary

RNNS = {"bahdanau": "bahdanau", "luong": "general", "without": "context"}
"""By name of the bundle, the family."""
SOURCE, TARGET = " ".join(WORDS[3:9]), " ".join(WORDS[20:25])


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Checkpoint]]:
    """Recurrent models with random weights, and their bundles."""
    directory = tmp_path_factory.mktemp("recurrent")
    checkpoints = {name: make_checkpoint(**FAMILIES[family]) for name, family in RNNS.items()}
    for name, checkpoint in checkpoints.items():
        export(checkpoint, directory / name, ExportOptions(name=name))
    return directory, checkpoints


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
    maps = [np.array(one.weights).reshape(one.rows, one.columns) for one in response.maps if one.kind == kind]
    return np.stack(maps)


async def test_a_transformers_weights_are_pytorchs(
    serve: Serve, synthetic_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as (_, channel):
        response = await attend(channel, "exact", "red cat sees %s and old bird", "")
    checkpoint = Checkpoint.load(synthetic_run / "averaged.pt")
    source = ids(checkpoint.source_vocabulary, response.source_tokens)
    target = ids(checkpoint.target_vocabulary, response.target_tokens)
    seen: list[torch.Tensor] = []
    original = functional.scaled_dot_product_attention

    def watched(query: Any, key: Any, value: Any, mask: Any, dropout: float, is_causal: bool = False) -> Any:
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -torch.inf)
        elif mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        context = original(query, key, value, mask, dropout, is_causal)
        torch.testing.assert_close(scores.softmax(-1) @ value, context)  # these are the weights that it used
        seen.append(scores.softmax(-1)[0])
        return context

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    with torch.inference_mode():
        inputs = torch.tensor([[BEGIN_ID, *target[:-1]]])
        checkpoint.build_model()(torch.tensor([source]), torch.tensor([len(source)]), inputs)
    assert len(seen) == 6  # two layers of the encoder, then self- and cross-attention of two of the decoder
    for kind, expected in (
        (pb.ATTENTION_KIND_ENCODER_SELF, seen[:2]),
        (pb.ATTENTION_KIND_DECODER_SELF, seen[2::2]),
        (pb.ATTENTION_KIND_CROSS, seen[3::2]),
    ):
        found = weights_of(response, kind)
        np.testing.assert_allclose(found, torch.cat(expected).numpy(), atol=1e-5)
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["bahdanau", "luong"])
async def test_an_rnns_alignment_is_pytorchs(
    serve: Serve, recurrent: tuple[Path, dict[str, Checkpoint]], name: str
) -> None:
    directory, checkpoints = recurrent
    checkpoint = checkpoints[name]
    async with serve(models=directory) as (_, channel):
        response = await attend(channel, name, SOURCE, TARGET)
    source = ids(checkpoint.source_vocabulary, response.source_tokens)
    target = ids(checkpoint.target_vocabulary, response.target_tokens)
    model = checkpoint.build_model()
    with torch.inference_mode():
        state = model.start(torch.tensor([source]), torch.tensor([len(source)]))
        memory = state.memory[0].numpy().copy()
        expected = []
        for token in (BEGIN_ID, *target[:-1]):
            model.step(torch.tensor([token]), state)
            expected.append(state.weights[0, 0].numpy().copy())
    assert target[-1] == END_ID
    assert {one.kind for one in response.maps} == {pb.ATTENTION_KIND_CROSS}
    found = weights_of(response, pb.ATTENTION_KIND_CROSS)
    assert found.shape == (1, len(target), len(source))
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert np.ptp(found[0], axis=1).min() > 0.01  # it does look at something
    assert len(response.averages) == 2
    encodings = np.array([encoding.values for encoding in response.encodings])
    np.testing.assert_allclose(encodings[:, : memory.shape[1]], memory, atol=1e-5)
    assert response.alignment


async def test_a_model_without_attention_has_nothing_to_show(
    serve: Serve, recurrent: tuple[Path, dict[str, Checkpoint]]
) -> None:
    async with serve(models=recurrent[0]) as (_, channel):
        response = await attend(channel, "without", SOURCE, TARGET)
        wanted = pb.ReturnOptions(alignment=True)
        chosen = pb.ModelSelection(model="without")
        request = pb.TranslateRequest(texts=[SOURCE], model_selection=chosen, return_options=wanted)
        translated = await pb_grpc.TranslationServiceStub(channel).Translate(request)
    assert response.source_tokens
    assert response.target_tokens
    for nothing in (response.maps, response.averages, response.alignment, response.encodings):
        assert not nothing
    assert not translated.results[0].hypotheses[0].alignment
