from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from tests.training.recurrent import FAMILIES, SMALL
from training.model_settings import RnnSettings
from training.recurrent_attention import AdditiveScore, DotScore, GeneralScore, LocalWindow, RecurrentAttention
from training.recurrent_cells import GruCell, LstmCell
from training.rnn import Rnn
from training.search import greedy
from training.vocabulary import BEGIN_ID, END_ID


def make_model(**changes: object) -> Rnn:
    torch.manual_seed(0)
    return Rnn(RnnSettings(**{**SMALL, **changes}), 40, 40, is_vocabulary_shared=True).eval()  # type: ignore[arg-type]


def test_the_gru_cell_equals_pytorchs() -> None:
    torch.manual_seed(1)
    ours, theirs = GruCell(5, 7), nn.GRUCell(5, 7)
    theirs.weight_ih.data, theirs.bias_ih.data = ours.input.weight.data, ours.input.bias.data
    theirs.weight_hh.data, theirs.bias_hh.data = ours.hidden.weight.data, ours.hidden.bias.data
    inputs, hidden = torch.randn(3, 5), torch.randn(3, 7)
    torch.testing.assert_close(ours(inputs, [hidden])[0], theirs(inputs, hidden))


def test_the_lstm_cell_equals_pytorchs() -> None:
    torch.manual_seed(1)
    ours, theirs = LstmCell(5, 7), nn.LSTMCell(5, 7)
    theirs.weight_ih.data, theirs.bias_ih.data = ours.input.weight.data, ours.input.bias.data
    theirs.weight_hh.data, theirs.bias_hh.data = ours.hidden.weight.data, ours.hidden.bias.data
    inputs, hidden, cell = torch.randn(3, 5), torch.randn(3, 7), torch.randn(3, 7)
    for one, other in zip(ours(inputs, [hidden, cell]), theirs(inputs, (hidden, cell)), strict=True):
        torch.testing.assert_close(one, other)


def test_additive_scores_by_hand() -> None:
    score = AdditiveScore(1, 1, 2)
    score.query.weight.data = torch.tensor([[1.0], [2.0]])
    score.key.weight.data, score.key.bias.data = torch.tensor([[3.0], [-1.0]]), torch.tensor([0.5, 0.0])
    score.energy.weight.data = torch.tensor([[2.0, -1.0]])
    found = score(torch.tensor([[[0.3]]]), score.keys(torch.tensor([[[0.1], [-0.2]]])))
    expected = [2 * math.tanh(0.3 + 3 * s + 0.5) - math.tanh(0.6 - s) for s in (0.1, -0.2)]
    assert found.flatten().tolist() == pytest.approx(expected)


def test_multiplicative_scores_by_hand() -> None:
    query, memory = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0, -1.0], [0.5, 4.0]]])
    assert DotScore()(query, memory).flatten().tolist() == [1.0, 8.5]
    general = GeneralScore(2, 2)
    general.key.weight.data = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    # query · W memory: (1, 2) · (-1, 6) and (1, 2) · (4, 1)
    assert general(query, general.keys(memory)).flatten().tolist() == [11.0, 6.0]


@pytest.mark.parametrize("score", ["additive", "general", "dot"])
def test_global_weights_sum_to_one_over_real_positions(score: str) -> None:
    torch.manual_seed(2)
    attention = RecurrentAttention(score, 6, 6)  # type: ignore[arg-type]
    query, memory = torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    context, weights = attention(query, attention.score.keys(memory), memory, torch.tensor([5, 2]))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3))
    assert torch.all(weights[1, :, 2:] == 0)
    torch.testing.assert_close(context[1], weights[1, :, :2] @ memory[1, :2])


def test_local_weights_by_hand() -> None:
    window = LocalWindow(2, width=2)
    window.hidden.weight.data = torch.eye(2)
    window.position.weight.data = torch.tensor([[1.0, -2.0]])
    query = torch.tensor([[[0.4, -0.3]]])
    predicted = 8 / (1 + math.exp(-(math.tanh(0.4) + 2 * math.tanh(0.3))))
    distances = window.distances(query, torch.tensor([8]), 8)
    assert distances.flatten().tolist() == pytest.approx([s - predicted for s in range(8)], abs=1e-5)
    attention = RecurrentAttention("dot", 2, 2, local_window=2)
    attention.window = window
    memory = torch.randn(1, 8, 2)
    _, weights = attention(query, memory, memory, torch.tensor([8]))
    inside = [s for s in range(8) if abs(s - predicted) <= 2]
    scores = {s: math.exp(float(query[0, 0] @ memory[0, s])) for s in inside}
    total = sum(scores.values())
    expected = [
        scores[s] / total * math.exp(-((s - predicted) ** 2) / (2 * 1.0**2)) if s in scores else 0.0 for s in range(8)
    ]
    assert weights.flatten().tolist() == pytest.approx(expected, abs=1e-6)
    assert 0 < len(inside) < 8


@pytest.mark.parametrize("family", FAMILIES)
def test_steps_equal_the_whole(family: str) -> None:
    model = make_model(**FAMILIES[family])
    source, lengths = torch.randint(4, 40, (3, 7)), torch.tensor([7, 4, 2])
    target = torch.cat((torch.full((3, 1), BEGIN_ID), torch.randint(4, 40, (3, 5))), dim=1)
    whole = model(source, lengths, target)
    state = model.start(source, lengths)
    for position in range(target.shape[1]):
        torch.testing.assert_close(model.step(target[:, position], state), whole[:, position])


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_and_neighbours_change_nothing(family: str) -> None:
    model = make_model(**FAMILIES[family])
    sources = [[5, 6, 7, 8, END_ID], [9, END_ID], [10, 11, 12, END_ID]]
    together = greedy(model, sources, [6, 6, 6])
    assert together == [greedy(model, [source], [6])[0] for source in sources]
    target = torch.tensor([[BEGIN_ID, 9, 8]])
    alone = model(torch.tensor([sources[1]]), torch.tensor([2]), target)
    padded = model(torch.tensor([[*sources[1], 0, 0, 0]]), torch.tensor([2]), target)
    torch.testing.assert_close(padded, alone)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_learns(family: str) -> None:
    model = make_model(**FAMILIES[family])
    source, lengths = torch.randint(4, 40, (3, 7)), torch.tensor([7, 4, 3])
    target = torch.randint(4, 40, (3, 5))
    model.logits(model(source, lengths, target)).log_softmax(-1)[..., 5].sum().backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []
    still = [name for name, parameter in model.named_parameters() if torch.all(parameter.grad == 0)]
    assert still == []


def test_without_attention_only_the_summary_reaches_the_decoder() -> None:
    model = make_model(decoder="context")
    encoded = model.encoder(torch.randint(4, 40, (1, 6)), torch.tensor([6]))
    other = encoded._replace(memory=torch.randn_like(encoded.memory))
    target = torch.randn(1, 3, 12)
    assert torch.equal(model.decoder(target, model.begin(encoded)), model.decoder(target, model.begin(other)))
    attentive = make_model()
    encoded = attentive.encoder(torch.randint(4, 40, (1, 6)), torch.tensor([6]))
    other = encoded._replace(memory=torch.randn_like(encoded.memory))
    readouts = [attentive.decoder(target, attentive.begin(source)) for source in (encoded, other)]
    assert not torch.allclose(*readouts, atol=1e-3)


def test_the_encoder_reads_in_both_directions() -> None:
    source = torch.randint(4, 40, (1, 6))
    for is_bidirectional, sees in itertools.product((True, False), (0, 5)):
        model = make_model(is_bidirectional=is_bidirectional)
        changed = source.clone()
        changed[0, sees] = 4 if source[0, sees] != 4 else 5
        first, second = (model.encoder(ids, torch.tensor([6])).memory for ids in (source, changed))
        place = 5 - sees  # at the other end
        reaches = not torch.equal(first[0, place], second[0, place])
        assert reaches == (is_bidirectional or sees == 0)


def test_input_feeding_sees_earlier_attention() -> None:
    model = make_model(decoder="luong", score="general", is_input_feeding=True)
    state = model.start(torch.randint(4, 40, (1, 6)), torch.tensor([6]))
    assert state.fed is not None
    assert torch.all(state.fed == 0)
    readout = model.step(torch.tensor([BEGIN_ID]), state)
    torch.testing.assert_close(state.fed, readout)


def test_sources_padded_as_the_model_was_trained() -> None:
    model = make_model(padded_source_tokens=6)
    short = model.encoder(torch.tensor([[7, 8, END_ID, 0]]), torch.tensor([3]))
    written_out = model.encoder(torch.tensor([[7, 8, END_ID, END_ID, END_ID, END_ID]]), torch.tensor([6]))
    assert short.lengths.tolist() == [6]
    torch.testing.assert_close(short.memory, written_out.memory)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder": "context", "is_input_feeding": True}, "luong"),
        ({"decoder": "bahdanau", "score": "dot"}, "additive"),
        ({"decoder": "luong", "score": "dot"}, "is_memory_projected"),
        ({"initial_state": "copied"}, "copied"),
        ({"tie_embeddings": True, "readout_size": 9}, "readout_size"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RnnSettings(**settings)  # type: ignore[arg-type]


def test_tied_embeddings_are_one_matrix() -> None:
    model = make_model(tie_embeddings=True, embedding_size=8)
    assert model.output.weight is model.embedding.weight is model.encoder.embedding.weight
