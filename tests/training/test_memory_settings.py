from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.test_training import losses, make_trainer
from training.activation_checkpointing import recompute_layers
from training.checkpoint import Checkpoint
from training.checkpoint_files import step_checkpoints
from training.data import ParallelData
from training.loss import sequence_loss
from training.model import build_model
from training.recipe import load_recipe
from training.vocabulary import Vocabulary


def test_recomputed_layers_give_the_same_losses_and_gradients(prepared: Path) -> None:
    recipe = load_recipe(str(prepared / "recipe.yaml"), ("model.dropout=0.2",))
    vocabulary = Vocabulary.load(prepared / "source.model")
    data = ParallelData.read(prepared / "train.tsv", vocabulary, vocabulary, recipe.data)
    batch = data.batch(data.batches(recipe.data, seed=1)[0])
    seen = []
    for is_recomputed in (False, True):
        torch.manual_seed(3)
        model = build_model(recipe, vocabulary, vocabulary)
        if is_recomputed:
            recompute_layers(model)
        names = list(model.state_dict())
        num_saved = 0

        def count(saved: torch.Tensor) -> torch.Tensor:
            nonlocal num_saved
            num_saved += saved.numel()
            return saved

        with torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
            loss = sequence_loss(model, batch, label_smoothing=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        seen.append((loss.detach(), [parameter.grad for parameter in model.parameters()], names, num_saved))
    (loss, gradients, names, num_saved), (same_loss, same_gradients, same_names, num_less) = seen
    torch.testing.assert_close(same_loss, loss)
    torch.testing.assert_close(same_gradients, gradients)
    assert same_names == names
    assert num_less < num_saved / 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler uses parts of PyTorch that warn
def test_a_compiled_model_gives_the_same_losses(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Traced with its gradients for shapes of any size, but without the C++ compiler, which takes most of a minute.
    monkeypatch.setattr(nn.Module, "compile", functools.partialmethod(nn.Module.compile, backend="aot_eager"))
    plain = make_trainer(prepared, tmp_path / "plain", "model.dropout=0.0")
    settings = ("model.dropout=0.0", "trainer.compile=true", "trainer.activation_checkpointing=true")
    compiled = make_trainer(prepared, tmp_path / "set", *settings)
    assert losses(compiled, 4) == pytest.approx(losses(plain, 4), rel=1e-4)
    compiled._save()
    weights = Checkpoint.load(step_checkpoints(tmp_path / "set")[0]).weights
    assert weights.keys() == plain.model.state_dict().keys()


def test_a_run_may_change_to_recomputed_layers(prepared: Path, tmp_path: Path) -> None:
    expected = losses(make_trainer(prepared, tmp_path / "plain"), 6)
    first = make_trainer(prepared, tmp_path / "run")
    assert losses(first, 3) == expected[:3]
    first._save()
    second = make_trainer(prepared, tmp_path / "run", "trainer.activation_checkpointing=true")
    assert second.resume()
    assert losses(second, 3) == pytest.approx(expected[3:], rel=1e-5)
