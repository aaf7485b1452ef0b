"""A bundle becomes a checkpoint again: what the graphs hold is what was trained, to within their rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.__main__ import main
from export.importers.bundle import import_bundle
from export.language_tags import with_tags, without_tags
from export.writer import ExportOptions, export
from service.errors import BundleError
from tests.export.checkpoints import WORDS
from tests.export.test_ensemble import RNN, make_transformer
from training.checkpoint import Checkpoint
from training.recipe import load_recipe
from training.vocabulary import Vocabulary, VocabularySettings

MODELS = Path(__file__).parents[2] / "models"


def assert_close_to_half_a_step(weights: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == expected.keys()
    for name, weight in expected.items():
        is_exact = weight.dim() == 1 or name.endswith("positions")
        step = 0.0 if is_exact else weight.abs().amax(dim=1, keepdim=True) / 127
        assert ((weights[name] - weight).abs() <= 0.501 * step).all(), name


@pytest.mark.parametrize(
    "model",
    [
        {},
        pytest.param(
            {"tie_embeddings": False, "output_bias": True, "positions": "learned", "norm": "post"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"positions": "rotary", "activation": "swiglu", "normalization": "rms", "num_key_value_heads": 2},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_weights_come_back(tmp_path: Path, model: dict[str, object]) -> None:
    checkpoint = make_transformer(1, **model)
    for weight in checkpoint.weights.values():
        if weight.dim() == 1:
            weight.add_(torch.randn_like(weight) / 10)  # a fresh model's biases are all zero: one array in the graph
    export(checkpoint, tmp_path / "bundle", ExportOptions(precision="int8"))
    assert main(["--from", "bundle", str(tmp_path / "bundle"), str(tmp_path / "model.pt")]) == 0
    found = Checkpoint.load(tmp_path / "model.pt")
    assert found.recipe == checkpoint.recipe
    assert found.source_vocabulary.model == checkpoint.source_vocabulary.model
    assert found.progress["step"] == checkpoint.progress["step"]
    assert_close_to_half_a_step(found.weights, checkpoint.weights)


@pytest.mark.slow
def test_it_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(make_transformer(1), tmp_path / "float", ExportOptions())
    export(RNN, tmp_path / "rnn", ExportOptions(precision="int8"))
    (tmp_path / "there.pt").touch()
    for bundle, output, message in (
        (tmp_path / "float", "new.pt", "float is float32: only int8 graphs tell"),
        (tmp_path / "rnn", "new.pt", "only those of a Transformer are read"),
        (MODELS / "ko-en-software", "there.pt", "there.pt exists"),
    ):
        assert main(["--from", "bundle", str(bundle), str(tmp_path / output)]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new.pt").exists()
    with pytest.raises(BundleError):
        import_bundle(tmp_path)


def test_tags_are_text_again() -> None:
    trained = Vocabulary.train(
        WORDS * 3, VocabularySettings(size=200, kind="bpe", byte_fallback=False), symbols=["⟦de⟧", "⟦0⟧"]
    )
    served = without_tags(trained, ["⟦de⟧"])
    again = with_tags(served, ["⟦de⟧"])
    texts = ["⟦de⟧ ban ⟦0⟧", "⟦de⟧ker"]
    assert again.encode(texts) == trained.encode(texts) != served.encode(texts)
    assert again.pieces() == trained.pieces()
    assert with_tags(trained, []) is trained


@pytest.mark.parametrize("name", ["en-ko-software", "en-mul-software", "ko-en-software"])
def test_the_bundled_models_can_be_trained_further(name: str) -> None:
    checkpoint = import_bundle(MODELS / name)
    recipe = load_recipe(name)
    assert checkpoint.recipe.model == recipe.model
    assert checkpoint.recipe.tags == recipe.tags
    assert checkpoint.progress["target_tokens"] > 1_000_000
