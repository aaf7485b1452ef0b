"""Sentences end to end give what sentences side by side give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch._dynamo.testing import CompileCounter

from tests.export.checkpoints import make_checkpoint, random_sources
from training.attention import attention
from training.data import BatchStream, PackedBatch, ParallelData
from training.errors import TrainingError
from training.loss import sequence_loss
from training.model_settings import TransformerSettings
from training.packing import PackedMask, Packing
from training.recipe import DataSettings, load_recipe, parse_recipe
from training.trainer import Trainer
from training.transformer import Transformer

SHAPES: list[dict[str, object]] = [
    {},
    {"norm": "post", "num_key_value_heads": 1},
    {"positions": "rotary", "normalization": "rms"},
    {"positions": "learned", "activation": "swiglu"},
]


def _pairs(size: int) -> ParallelData:
    sources = random_sources(9, size, 20, seed=1)
    return ParallelData(sources, [source[:-1] or [5] for source in random_sources(9, size, 25, seed=2)])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_packed_loss_and_gradients_are_those_of_padding(shape: dict[str, object]) -> None:
    checkpoint = make_checkpoint(5, num_encoder_layers=2, num_decoder_layers=2, model_size=32, num_heads=4, **shape)
    data, everything = _pairs(len(checkpoint.source_vocabulary)), np.arange(9)
    padded, packed = data.batch(everything), data.packed_batch(everything)
    assert packed.num_target_tokens == padded.num_target_tokens
    found = []
    for batch in (padded, packed):
        model = checkpoint.build_model()
        loss = sequence_loss(model, batch, label_smoothing=0.1)
        loss.backward()
        found.append((loss.item(), {name: weight.grad for name, weight in model.named_parameters()}))
    (expected, expected_gradients), (actual, gradients) = found
    assert actual == pytest.approx(expected, rel=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=1e-4, atol=1e-4)


def test_a_packed_sentence_sees_no_other() -> None:
    checkpoint = make_checkpoint(6, num_encoder_layers=1, num_decoder_layers=1, model_size=32, num_heads=4)
    model, data = checkpoint.build_model(), _pairs(len(checkpoint.source_vocabulary))

    def states(*indices: int) -> torch.Tensor:
        batch = data.packed_batch(np.array(indices))
        with torch.no_grad():
            return model(batch.source, batch.source_packing, batch.target_input, batch.target_packing)[0]

    alone = states(3)
    torch.testing.assert_close(states(8, 3)[-len(alone) :], alone)
    torch.testing.assert_close(states(3, 8, 1)[: len(alone)], alone)


def test_packing_counts_positions_and_offsets() -> None:
    packing = Packing.of([3, 1, 2])
    assert packing.offsets.tolist() == [0, 3, 4, 6]
    assert packing.offsets.dtype == torch.int32  # what the flash kernel reads
    assert packing.positions.tolist() == [0, 1, 2, 0, 0, 1]
    assert packing.longest == 3


@pytest.mark.parametrize("is_causal", [False, True])
def test_the_flash_kernel_is_asked_for_where_there_may_be_a_gpu(is_causal: bool) -> None:
    # Tensors without numbers take the way of a GPU: what can be seen is that shapes and types suit the operator.
    sources, targets = Packing.of([4, 7, 2]).to(torch.device("meta")), Packing.of([4, 7, 2]).to(torch.device("meta"))
    query, key, value = (
        torch.empty(1, 4, 13, 8, device="meta", dtype=torch.bfloat16, requires_grad=True) for _ in range(3)
    )
    with torch.profiler.profile() as profiled:
        context = attention(query, key, value, PackedMask(targets, sources), 0.0, is_causal)
        context.sum().backward()
    names = {event.name for event in profiled.events()}
    assert {"aten::_flash_attention_forward", "aten::_flash_attention_backward"} <= names
    assert context.shape == query.shape
    assert query.grad is not None
    assert query.grad.shape == query.shape


def test_packed_shapes_of_any_size_are_compiled_once() -> None:
    settings = TransformerSettings(
        num_encoder_layers=1, num_decoder_layers=1, model_size=32, feed_forward_size=32, num_heads=4
    )
    with torch.device("meta"):
        model = Transformer(settings, 100, 100, 65, is_vocabulary_shared=True).bfloat16()
    counter = CompileCounter()
    model.compile(dynamic=True, fullgraph=True, backend=counter)
    for source_lengths, target_lengths in (([4, 9, 2], [5, 5, 60]), ([30, 3], [2, 2]), ([8, 8, 8, 8], [7, 6, 5, 4])):
        ids = [
            torch.zeros(1, sum(lengths), dtype=torch.long, device="meta")
            for lengths in (source_lengths, target_lengths)
        ]
        packings = [Packing.of(lengths).to(torch.device("meta")) for lengths in (source_lengths, target_lengths)]
        model(ids[0], packings[0], ids[1], packings[1]).sum().backward()
    assert counter.frame_count == 1


def test_a_recipe_chooses_packed_batches(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(7, num_encoder_layers=1, num_decoder_layers=1, model_size=32, num_heads=4)
    content = checkpoint.recipe.to_dict()
    content["data"] |= {"is_packed": True, "batch_tokens": 100}
    content["trainer"] |= {"compile": False}
    recipe, vocabulary = parse_recipe(content, "test"), checkpoint.source_vocabulary
    data = _pairs(len(vocabulary))
    trainer = Trainer(recipe, vocabulary, vocabulary, [data], data, tmp_path, torch.device("cpu"))
    stream = iter(trainer.stream)
    losses = [total / count for total, count in (trainer.train_step(stream) for _ in range(30))]
    assert losses[-1] < losses[0]
    assert trainer.validate()["loss"] > 0
    assert isinstance(next(iter(BatchStream([data], DataSettings(is_packed=True), seed=1))), PackedBatch)
    assert isinstance(trainer.model, Transformer)


def test_recurrent_models_cannot_be_packed() -> None:
    content = load_recipe("en-ko-software").to_dict()
    content["model"] = {"family": "rnn"}
    content["data"] |= {"is_packed": True}
    with pytest.raises(TrainingError, match="is_packed is for Transformers"):
        parse_recipe(content, "test")
