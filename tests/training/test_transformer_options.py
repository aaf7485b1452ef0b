"""The Transformer's options: each by its formula, and what every one of them must leave true."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from training.attention import SelfAttention, attention_weights
from training.errors import TrainingError
from training.feed_forward import FeedForward
from training.model_settings import TransformerSettings
from training.positions import Rotary
from training.recipe import load_recipe, parse_recipe
from training.search import greedy
from training.transformer import Transformer, normalization
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID

SMALL: dict[str, object] = {
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
    "model_size": 32,
    "feed_forward_size": 48,
    "num_heads": 4,
    "dropout": 0.0,
}
OPTIONS: dict[str, dict[str, object]] = {
    "pre": {"norm": "pre"},
    "post": {"norm": "post"},
    "rms": {"normalization": "rms"},
    "rms, post": {"normalization": "rms", "norm": "post"},
    "gelu": {"activation": "gelu"},
    "silu": {"activation": "silu"},
    "swiglu": {"activation": "swiglu"},
    "learned": {"positions": "learned"},
    "rotary": {"positions": "rotary"},
    "grouped": {"num_key_value_heads": 2},
    "multi-query": {"num_key_value_heads": 1},
    "unscaled": {"scale_embeddings": False},
    "deep encoder": {"num_encoder_layers": 3, "num_decoder_layers": 1},
    "all": {"normalization": "rms", "activation": "swiglu", "positions": "rotary", "num_key_value_heads": 2},
}
every_option = pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)


def make_model(changes: dict[str, object]) -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerSettings(**{**SMALL, **changes}), 40, 40, 33, is_vocabulary_shared=True).eval()  # type: ignore[arg-type]


def test_rms_norm_by_hand() -> None:
    norm = normalization(TransformerSettings(model_size=8, num_heads=1, normalization="rms"))
    norm.weight.data = torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0])
    root = math.sqrt((1 + 4 + 4 + 16 + 3) / 8)
    expected = [1 / root, 2 * 2 / root, -2 / root, 0.5 * 4 / root, 1 / root, -1 / root, 0.0, 1 / root]
    values = torch.tensor([1.0, 2.0, -2.0, 4.0, 1.0, -1.0, 0.0, 1.0])
    assert norm(values).tolist() == pytest.approx(expected, rel=1e-5)


def test_swiglu_by_hand() -> None:
    network = FeedForward(2, 1, "swiglu")
    network.inner.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # the gate reads the first number
    network.output.weight.data = torch.tensor([[1.0], [10.0]])
    for linear in (network.inner, network.output):
        torch.nn.init.zeros_(linear.bias)
    gated = 3.0 / (1 + math.exp(-3.0)) * 5.0
    assert network(torch.tensor([3.0, 5.0])).tolist() == pytest.approx([gated, 10 * gated])


@pytest.mark.parametrize(("name", "function"), [("relu", F.relu), ("gelu", F.gelu), ("silu", F.silu)])
def test_activations(name: str, function: object) -> None:
    network, states = FeedForward(4, 6, name), torch.randn(3, 4)  # type: ignore[arg-type]
    torch.testing.assert_close(network(states), network.output(function(network.inner(states))))  # type: ignore[operator]


def test_rotary_turns_each_pair_by_its_angle() -> None:
    turned = Rotary(20, 4)(torch.tensor([[[[1.0, 2.0, 0.0, 0.0]]]]), torch.tensor([7]))
    first, second = 7.0, 7.0 / 100.0
    expected = [math.cos(first), 2 * math.cos(second), math.sin(first), 2 * math.sin(second)]
    assert turned.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_rotary_products_depend_on_distance_alone() -> None:
    torch.manual_seed(1)
    rotary, query, key = Rotary(64, 8), torch.randn(1, 1, 4, 8), torch.randn(1, 1, 4, 8)

    def product(query_position: int, key_position: int) -> torch.Tensor:
        turned = (rotary(query, torch.tensor([query_position])), rotary(key, torch.tensor([key_position])))
        return (turned[0] * turned[1]).sum(-1)

    for distance in (0, 1, 13):
        torch.testing.assert_close(product(distance, 0), product(50 + distance, 50), atol=1e-4, rtol=1e-4)
    assert (product(3, 0) - product(0, 0)).abs().max() > 0.1
    assert (product(3, 0) - product(0, 3)).abs().max() > 0.1


def test_grouped_attention_is_multi_head_attention_with_repeated_keys() -> None:
    torch.manual_seed(2)
    grouped, whole = SelfAttention(32, 4, num_key_value_heads=2), SelfAttention(32, 4)
    for ours, theirs in ((grouped.query_key_value.weight, whole.query_key_value.weight),
                         (grouped.query_key_value.bias, whole.query_key_value.bias)):  # fmt: skip
        query, key, value = torch.split(ours.data, list(grouped.sizes))
        repeated = [part.unflatten(0, (2, 8)).repeat_interleave(2, dim=0).flatten(0, 1) for part in (key, value)]
        theirs.data = torch.cat((query, *repeated))
    whole.output.load_state_dict(grouped.output.state_dict())
    states = torch.randn(2, 5, 32)
    torch.testing.assert_close(grouped(states, is_causal=True), whole(states, is_causal=True))
    (query, key, _), (_, repeated_key, _) = grouped.project(states), whole.project(states)
    assert key.shape == (2, 2, 5, 8)
    torch.testing.assert_close(attention_weights(query, key, None), attention_weights(query, repeated_key, None))


@pytest.mark.parametrize("num_key_value_heads", [0, 2])
def test_only_positions_break_the_symmetry_of_self_attention(num_key_value_heads: int) -> None:
    torch.manual_seed(4)
    order, states = torch.tensor([3, 0, 5, 1, 2, 4]), torch.randn(1, 6, 32)
    without = SelfAttention(32, 4, num_key_value_heads=num_key_value_heads)
    torch.testing.assert_close(without(states[:, order]), without(states)[:, order])
    turning = SelfAttention(32, 4, num_key_value_heads=num_key_value_heads, rotary=Rotary(6, 8))
    assert (turning(states[:, order]) - turning(states)[:, order]).abs().max() > 0.01


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_the_encoder_knows_positions(positions: str) -> None:
    model = make_model({"positions": positions})
    ids, order, length = torch.tensor([[5, 6, 7, 8]]), torch.tensor([2, 0, 3, 1]), torch.tensor([4])
    moved, straight = model.encoder(ids[:, order], length), model.encoder(ids, length)[:, order]
    assert (moved - straight).abs().max() > 0.01


@every_option
def test_a_decoder_position_has_no_gradient_to_later_tokens(changes: dict[str, object]) -> None:
    model = make_model(changes)
    embedded = torch.randn(1, 6, 32, requires_grad=True)
    states = embedded
    for layer in model.decoder.layers:
        states = layer(states, torch.randn(1, 4, 32), None)
    (gradient,) = torch.autograd.grad(states[0, 2, 0], embedded)
    assert torch.all(gradient[0, 3:] == 0)
    assert torch.all(gradient[0, :3].abs().sum(-1) > 0)


@every_option
def test_steps_equal_the_whole(changes: dict[str, object]) -> None:
    model = make_model(changes)
    source, lengths = torch.randint(4, 40, (3, 7)), torch.tensor([7, 4, 2])
    target = torch.cat((torch.full((3, 1), BEGIN_ID), torch.randint(4, 40, (3, 5))), dim=1)
    whole = model(source, lengths, target)
    state = model.start(source, lengths)
    for position in range(target.shape[1]):
        step = model.step(target[:, position], state)
        torch.testing.assert_close(step, whole[:, position], atol=1e-5, rtol=1e-4)


@every_option
def test_every_weight_learns(changes: dict[str, object]) -> None:
    model = make_model(changes).train()
    states = model(torch.tensor([[5, 6, END_ID]]), torch.tensor([3]), torch.tensor([[BEGIN_ID, 7, 8]]))
    model.logits(states).log_softmax(-1)[:, :, 9].sum().backward()
    still = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum()]
    assert not still


@every_option
def test_training_in_bfloat16(changes: dict[str, object]) -> None:
    model = make_model(changes)
    inputs = torch.tensor([[5, 6, 7, END_ID]]), torch.tensor([4]), torch.tensor([[BEGIN_ID, 7, 8]])
    with torch.autocast("cpu", torch.bfloat16):
        found = model(*inputs)
    torch.testing.assert_close(found.float(), model(*inputs), atol=0.15, rtol=0.05)


def test_defaults_have_the_names_that_checkpoints_have() -> None:
    names = set(make_model({}).state_dict())
    assert "encoder.layers.0.self_attention.query_key_value.weight" in names
    assert "decoder.layers.1.cross_attention_residual.norm.bias" in names
    assert not any("position" in name or "stored" in name or "rotary" in name for name in names)
    assert "output.bias" not in names
    assert "output.bias" in make_model({"output_bias": True}).state_dict()
    assert "encoder.embedding.positions" in make_model({"positions": "learned"}).state_dict()


def test_banned_padding_has_its_share_and_is_never_said() -> None:
    model = make_model({"output_bias": True, "is_padding_banned": True})
    model.output.bias.data[PAD_ID] = 50.0
    log_probs = model.log_probs(torch.randn(3, 32))
    assert torch.all(log_probs[:, PAD_ID] == float("-inf"))
    assert torch.all(log_probs[:, 1:].exp().sum(-1) < 1e-6)
    [tokens] = greedy(model, [[5, 6, END_ID]], [10])
    assert PAD_ID not in tokens


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_key_value_heads": 3}, "num_heads must be a multiple of num_key_value_heads"),
        ({"model_size": 36, "num_heads": 3}, "multiple of 8"),
        ({"activation": "tanh"}, "activation"),
        ({"normalization": "batch"}, "normalization"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes: dict[str, object], message: str) -> None:
    content = load_recipe("en-ko-software").to_dict()
    content["model"] |= changes
    with pytest.raises(TrainingError, match=message):
        parse_recipe(content, "test")
