from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from training.attention import CrossAttention, SelfAttention, attention, attention_weights, length_mask
from training.model_settings import TransformerSettings
from training.positions import sinusoidal_positions
from training.search import greedy
from training.transformer import Transformer
from training.vocabulary import BEGIN_ID, END_ID

SMALL = {
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
    "model_size": 32,
    "feed_forward_size": 64,
    "num_heads": 4,
    "dropout": 0.0,
}


def make_model(**changes: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerSettings(**{**SMALL, **changes}), 40, 40, 33, is_vocabulary_shared=True).eval()  # type: ignore[arg-type]


def test_attention_weights_are_the_softmax_of_scaled_products() -> None:
    query = torch.tensor([[[[1.0, 0.0]]]])
    key = torch.tensor([[[[2.0, 0.0], [0.0, 5.0]]]])
    scores = [2 / math.sqrt(2), 0.0]
    total = sum(math.exp(score) for score in scores)
    expected = [math.exp(score) / total for score in scores]
    assert attention_weights(query, key, None).flatten().tolist() == pytest.approx(expected)


def test_attention_in_bfloat16_is_that_of_float32_rounded_once() -> None:
    torch.manual_seed(1)
    query, key, value = (torch.randn(2, 4, 5, 8, dtype=torch.bfloat16) for _ in range(3))
    mask = length_mask(torch.tensor([5, 2]), 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attention(query, key, value, mask, 0.0)
    expected = attention_weights(query.float(), key.float(), mask) @ value.float()
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=2**-7, atol=1e-5)


def test_masked_positions_get_no_weight_and_rows_sum_to_one() -> None:
    torch.manual_seed(1)
    query, key = torch.randn(2, 4, 3, 8), torch.randn(2, 4, 5, 8)
    weights = attention_weights(query, key, length_mask(torch.tensor([5, 2]), 5))
    assert torch.all(weights[1, :, :, 2:] == 0)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 3))


def test_self_attention_equals_pytorchs() -> None:
    torch.manual_seed(2)
    ours, theirs = SelfAttention(32, 4), nn.MultiheadAttention(32, 4, batch_first=True)
    theirs.in_proj_weight.data = ours.query_key_value.weight.data
    theirs.in_proj_bias.data = ours.query_key_value.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.output.weight.data, ours.output.bias.data
    states = torch.randn(3, 6, 32)
    lengths = torch.tensor([6, 4, 1])
    mask = length_mask(lengths, 6)
    expected, _ = theirs(states, states, states, key_padding_mask=~mask[:, 0, 0])
    torch.testing.assert_close(ours(states, mask), expected)


def test_cross_attention_equals_pytorchs() -> None:
    torch.manual_seed(3)
    ours, theirs = CrossAttention(32, 4), nn.MultiheadAttention(32, 4, batch_first=True)
    theirs.in_proj_weight.data = torch.cat((ours.query.weight.data, ours.key_value.weight.data))
    theirs.in_proj_bias.data = torch.cat((ours.query.bias.data, ours.key_value.bias.data))
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.output.weight.data, ours.output.bias.data
    states, memory = torch.randn(2, 3, 32), torch.randn(2, 5, 32)
    expected, _ = theirs(states, memory, memory)
    torch.testing.assert_close(ours(states, *ours.project_memory(memory)), expected)


def test_self_attention_without_positions_is_permutation_equivariant() -> None:
    torch.manual_seed(4)
    attention, states = SelfAttention(32, 4), torch.randn(1, 6, 32)
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    torch.testing.assert_close(attention(states[:, order]), attention(states)[:, order])


def test_the_encoder_knows_positions() -> None:
    model = make_model()
    ids, order = torch.tensor([[5, 6, 7, 8]]), torch.tensor([2, 0, 3, 1])
    length = torch.tensor([4])
    moved, straight = model.encoder(ids[:, order], length), model.encoder(ids, length)[:, order]
    assert (moved - straight).abs().max() > 0.01


def test_sinusoids_follow_the_papers_formula() -> None:
    table = sinusoidal_positions(50, 16)
    for position, index in ((0, 0), (7, 3), (49, 7)):
        angle = position / 10_000 ** (2 * index / 16)
        assert table[position, 2 * index].item() == pytest.approx(math.sin(angle), abs=1e-6)
        assert table[position, 2 * index + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_steps_equal_the_whole(norm: str) -> None:
    model = make_model(norm=norm)
    source, lengths = torch.randint(4, 40, (3, 7)), torch.tensor([7, 4, 2])
    target = torch.cat((torch.full((3, 1), BEGIN_ID), torch.randint(4, 40, (3, 5))), dim=1)
    whole = model(source, lengths, target)
    caches = model.decoder.start(model.encoder(source, lengths))
    for position in range(target.shape[1]):
        state = model.decoder.step(target[:, position], position, caches, lengths)
        torch.testing.assert_close(state, whole[:, position], atol=1e-5, rtol=1e-4)


def test_padding_changes_nothing() -> None:
    model = make_model()
    source, target = torch.randint(4, 40, (1, 4)), torch.tensor([[BEGIN_ID, 9, 8]])
    padded = torch.cat((source, torch.zeros(1, 5, dtype=torch.long)), dim=1)
    length = torch.tensor([4])
    torch.testing.assert_close(model(padded, length, target), model(source, length, target), atol=1e-5, rtol=1e-4)


def test_greedy_is_the_argmax_at_every_step() -> None:
    model = make_model()
    source = [5, 6, 7, END_ID]
    (tokens,) = greedy(model, [source], [12])
    inputs = torch.tensor([[BEGIN_ID, *tokens]])
    best = model.logits(model(torch.tensor([source]), torch.tensor([4]), inputs))[0].argmax(-1).tolist()
    expected = [*tokens, END_ID] if len(tokens) < 12 else [*tokens, best[-1]]
    assert best == expected


def test_tied_embeddings_are_one_matrix() -> None:
    model = make_model()
    assert model.output.weight is model.encoder.embedding.tokens.weight is model.decoder.embedding.tokens.weight
    untied = make_model(tie_embeddings=False)
    assert untied.output.weight is not untied.decoder.embedding.tokens.weight
