from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.__main__ import main
from export.parity import decode_with_engine, run_engine, teacher_forced_log_probs
from export.trained import CheckpointEnsemble
from export.writer import ExportOptions, export
from service.bundle.bundle import Bundle
from service.bundle.manifest import Precision
from service.bundle.runtime import Runtime
from service.request import DecodingOptions
from tests.export.checkpoints import WORDS, random_sources
from tests.export.recurrent import LONGEST
from tests.export.recurrent import make_checkpoint as make_rnn
from tests.training.recurrent import FAMILIES
from training.checkpoint import Checkpoint
from training.ensemble import Ensemble, mean_log_probs
from training.model import build_model
from training.recipe import parse_recipe
from training.search import BeamSettings, beam_search, greedy, next_log_probs
from training.vocabulary import BEGIN_ID, END_ID, Vocabulary, VocabularySettings

RNN = make_rnn(**FAMILIES["bahdanau"])
SENTENCES = tuple(" ".join(WORDS[start : start + length]) for start, length in ((0, 1), (7, 3), (20, 6), (40, 4)))
SOURCE, TARGET = [*range(5, 11), END_ID], [BEGIN_ID, 20, 21, 22, END_ID]


def make_transformer(seed: int, scale: float = 2.5, **model: object) -> Checkpoint:
    """Random weights over the vocabulary of `RNN`, for longer texts."""
    torch.manual_seed(seed)
    content = RNN.recipe.to_dict()
    shape = {"num_encoder_layers": 1, "num_decoder_layers": 1, "model_size": 32, "feed_forward_size": 64}
    content["model"] = {"family": "transformer", "num_heads": 4, **shape, **model}
    content["data"] |= {"max_source_tokens": 2 * LONGEST, "max_target_tokens": 2 * LONGEST}
    recipe = parse_recipe(content, "test")
    weights = build_model(recipe, RNN.source_vocabulary, RNN.target_vocabulary).state_dict()
    for name, weight in weights.items():
        if ".layers." in name and weight.dim() > 1:
            weight.mul_(scale)
    return Checkpoint(recipe, RNN.source_vocabulary, RNN.target_vocabulary, weights, dict(RNN.progress), {})


def explain(bundle: Bundle) -> list[np.ndarray]:
    inputs = {
        "source_ids": np.array([SOURCE]),
        "source_lengths": np.array([len(SOURCE)]),
        "target_ids": np.array([TARGET]),
    }
    return list(bundle.explain.run(None, inputs))


def test_probabilities_are_averaged() -> None:
    parts = [torch.tensor([0.9, 0.1, 0.0]).log(), torch.tensor([0.5, 0.1, 0.4]).log()]
    torch.testing.assert_close(mean_log_probs(parts).exp(), torch.tensor([0.7, 0.1, 0.2]))
    # As improbable as float32 cannot say: the logarithm still can.
    assert float(mean_log_probs([torch.tensor(-500.0), torch.tensor(-500.0)])) == pytest.approx(-500.0)


def test_step_by_step_equals_teacher_forcing() -> None:
    members = [make_transformer(1), RNN]
    model = CheckpointEnsemble.of(members).build_model()
    source, lengths = torch.tensor([[5, 6, 7, END_ID], [9, 8, END_ID, 0]]), torch.tensor([4, 3])
    target = torch.tensor([[BEGIN_ID, 20, 21], [BEGIN_ID, 30, 31]])
    forced = model.log_probs(model(source, lengths, target))
    state = model.start(source, lengths)
    stepped = [model.log_probs(model.step(target[:, position], state)) for position in range(3)]
    torch.testing.assert_close(torch.stack(stepped, 1), forced, atol=1e-5, rtol=1e-5)
    apart = [member.build_model() for member in members]
    probabilities = [one.log_probs(one(source, lengths, target)).exp() for one in apart]
    torch.testing.assert_close(forced.exp(), sum(probabilities) / 2)


@pytest.mark.slow
def test_two_families_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members = [make_transformer(3), RNN]
    a, b, sentences = (tmp_path / name for name in ("a.pt", "b.pt", "sentences"))
    for member, path in zip(members, (a, b), strict=True):
        member.save(path)
    sentences.write_text("\n".join(SENTENCES))
    assert main([str(a), str(b), "--name", "both", "--sentences", str(sentences), str(tmp_path / "bundle")]) == 0
    assert "both 1, float32" in capsys.readouterr().out
    card = (tmp_path / "bundle/MODEL_CARD.md").read_text()
    assert "the mean of the probabilities of 2 models" in card
    assert "- member 2, 0 steps: family: rnn" in card
    bundle = Bundle.load(tmp_path / "bundle", Runtime.start("cpu"))
    assert bundle.manifest.parity.max_log_prob_difference < 1e-4
    model = CheckpointEnsemble.of(members).build_model()
    sources = random_sources(16, len(RNN.source_vocabulary), LONGEST - 1, seed=2)
    expected = greedy(model, sources, [16] * len(sources))
    assert decode_with_engine(bundle, sources, 16) == expected
    assert all(expected != greedy(member, sources, [16] * len(sources)) for member in model.models)
    [found] = run_engine(bundle, sources[:1], DecodingOptions(12, beam_size=3, num_hypotheses=3))
    beams = beam_search(next_log_probs(model, sources[0]), BeamSettings(3, 12, 3))
    assert [translation.token_ids for translation in found] == [beam.token_ids for beam in beams]
    # One decoder layer each: the maps of four heads and of an attention side by side.
    assert explain(bundle)[3].shape[1:3] == (1, 4 + 1)


def test_a_model_with_itself_is_that_model(tmp_path: Path) -> None:
    options = ExportOptions(sentences=SENTENCES)
    manifest = export(CheckpointEnsemble.of([RNN, RNN]), tmp_path / "bundle", options)
    bundle, model = Bundle.load(tmp_path / "bundle", Runtime.start("cpu")), RNN.build_model()
    sources = random_sources(12, len(RNN.source_vocabulary), LONGEST - 1, seed=5)
    assert decode_with_engine(bundle, sources, 20) == greedy(model, sources, [20] * len(sources))
    log_probs, _, _, weights = explain(bundle)
    np.testing.assert_allclose(log_probs[0], teacher_forced_log_probs(model, SOURCE, TARGET[1:-1]), atol=1e-5)
    np.testing.assert_array_equal(weights[:, :, 0], weights[:, :, 1])
    names = ["memory", "keys", "hidden_0"]
    assert [array.name for array in manifest.state] == [f"member_{index}_{name}" for index in (0, 1) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_other_precisions(precision: Precision, tmp_path: Path) -> None:
    other = RNN if precision == "float16" else make_transformer(7, scale=1.5, norm="post", num_heads=2)
    members = CheckpointEnsemble.of([make_transformer(6, scale=1.5), other])
    manifest = export(members, tmp_path / "bundle", ExportOptions(precision=precision, sentences=SENTENCES))
    assert manifest.parity.identical_translations == manifest.parity.num_sentences == len(SENTENCES)
    assert manifest.parity.mean_quantization_difference is not None
    assert 0 < manifest.parity.mean_quantization_difference < 0.5
    assert {array.dtype for array in manifest.state if "_self_" in array.name} == {precision}


def test_members_of_other_languages_or_vocabularies_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped, other = make_transformer(9), make_transformer(9)
    content = swapped.recipe.to_dict() | {"source_language": "xx", "target_language": "en"}
    swapped.recipe = parse_recipe(content, "test")
    settings = VocabularySettings(size=14, kind="bpe", byte_fallback=False)
    other.source_vocabulary = Vocabulary.train(["one two three"] * 9, settings)
    for name, checkpoint in (("a", RNN), ("swapped", swapped), ("other", other)):
        checkpoint.save(tmp_path / f"{name}.pt")
    for name, message in (
        ("swapped", "member 2 translates xx to en, the first en to xx"),
        ("other", "member 2 has another source vocabulary than the first"),
    ):
        assert main([str(tmp_path / "a.pt"), str(tmp_path / f"{name}.pt"), str(tmp_path / "bundle")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_an_ensemble_keeps_its_members_apart() -> None:
    model = Ensemble([make_transformer(1).build_model(), make_transformer(1).build_model()])
    with torch.no_grad():
        model.models[0].output.weight.zero_()
    assert float(model.models[1].output.weight.detach().abs().sum()) > 0
