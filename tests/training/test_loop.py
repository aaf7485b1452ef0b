"""The training loop with a model of two weights, whose updates can be computed on paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.checkpoint_files import read_checkpoint, step_checkpoints, write_checkpoint
from training.errors import TrainingError
from training.loop import TrainingLoop
from training.objective import CROSS_ENTROPY, Objective
from training.recipe import Recipe, TrainerSettings
from training.stream import Stream

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Numbers:
    values: Tensor
    num_marked: int

    def to(self, device: torch.device) -> Numbers:
        return Numbers(self.values.to(device), self.num_marked)


BATCHES = [Numbers(torch.tensor([1.0, 2.0, 3.0]), 1), Numbers(torch.tensor([5.0]), 2), Numbers(torch.tensor([2.0]), 0)]


class Linear(Objective[Numbers]):
    """The mean of weight[0] * value, and a tenth of what weight[1] costs for each mark."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.weights = {CROSS_ENTROPY: 1.0, "marks": 0.1}

    def forward(self, batch: Numbers, label_smoothing: float) -> dict[str, Tensor]:
        del label_smoothing
        first, second = self.model.weight[0]
        return {CROSS_ENTROPY: (first * batch.values).sum(), "marks": second * batch.num_marked}

    def counts(self, batch: Numbers) -> dict[str, int]:
        return {CROSS_ENTROPY: len(batch.values), "marks": batch.num_marked}


@dataclass
class Listed(Stream[int, Numbers]):
    def plans(self, epoch: int) -> list[int]:
        return [(place + epoch) % len(BATCHES) for place in range(len(BATCHES))]

    def batch(self, plan: int) -> Numbers:
        return BATCHES[plan]


@dataclass
class Saved:
    recipe: Recipe
    weights: dict[str, Tensor]
    progress: dict[str, Any]
    trainer: dict[str, Any]
    vocabulary: str
    identity: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.identity = (self.vocabulary,)

    def save(self, path: Path) -> None:
        write_checkpoint(path, "numbers", self, vocabulary=self.vocabulary)


class NumberTrainer(TrainingLoop[Numbers, Saved]):
    def __init__(self, directory: Path, vocabulary: str = "digits", development: float = 1.0, **settings: Any) -> None:
        chosen = {"max_steps": 6, "warmup_steps": 1, "learning_rate": 0.5, "save_every_steps": 2, "log_every_steps": 3}
        trainer = TrainerSettings(**(chosen | {"validate_every_steps": 2, "clip_norm": 0.0} | settings))
        self.recipe = Recipe(name="numbers", source_language="en", target_language="xx", trainer=trainer)
        self.vocabulary, self.development = vocabulary, development
        model = nn.Linear(2, 1, bias=False)
        nn.init.ones_(model.weight)
        super().__init__(trainer, 1, model, Linear(model), Listed(), directory, CPU)

    def development_batches(self) -> Iterable[Numbers]:
        return self.processes.turns([Numbers(torch.tensor([self.development]), 1)] * 3)

    def make_checkpoint(self, weights: dict[str, Tensor], progress: dict[str, Any], trainer: dict[str, Any]) -> Saved:
        return Saved(self.recipe, weights, progress, trainer, self.vocabulary)

    def load_checkpoint(self, path: Path) -> Saved:
        content = read_checkpoint(path, "numbers", "file of numbers")
        parts = (content[name] for name in ("weights", "progress", "trainer", "vocabulary"))
        return Saved(self.recipe, *parts)


def test_the_means_of_an_update_go_over_all_of_its_batches(tmp_path: Path) -> None:
    trainer = NumberTrainer(tmp_path, gradient_accumulation=3)
    seen: list[Tensor] = []
    trainer.optimizer.register_step_pre_hook(lambda *_: seen.append(trainer.model.weight.grad.clone()))
    assert trainer.train_step(iter(trainer.stream)) == (13.0, 5)
    torch.testing.assert_close(seen[0], torch.tensor([[13 / 5, 0.1]]))


def test_a_batch_without_any_of_a_terms_things_adds_nothing(tmp_path: Path) -> None:
    trainer = NumberTrainer(tmp_path)
    seen: list[Tensor] = []
    trainer.optimizer.register_step_pre_hook(lambda *_: seen.append(trainer.model.weight.grad.clone()))
    trainer.train_step(iter([BATCHES[2]]))
    torch.testing.assert_close(seen[0], torch.tensor([[2.0, 0.0]]))


def test_validation_reports_every_term_and_the_first_chooses(tmp_path: Path) -> None:
    trainer = NumberTrainer(tmp_path, keep_checkpoints=2)
    assert trainer.validate() == {CROSS_ENTROPY: 1.0, "marks": 1.0}
    path = trainer.run()
    assert [file.name for file in step_checkpoints(tmp_path)] == ["step-4.pt", "step-6.pt"]
    assert [one["step"] for one in trainer.validations] == [2, 4, 6]
    # The weights only ever fall, so the last is the best, and the mean of the last two lies between.
    assert trainer.best_loss == trainer.validations[-1][CROSS_ENTROPY]
    mean = trainer.load_checkpoint(path)
    between = sum(one[CROSS_ENTROPY] for one in trainer.validations[1:]) / 2
    assert mean.progress["development_loss"] == pytest.approx(between)
    assert mean.progress["development_marks"] < trainer.validations[0]["marks"]
    assert mean.trainer == {}
    assert trainer.load_checkpoint(tmp_path / "best.pt").progress["step"] == 6


def test_what_gets_worse_runs_out_of_patience(tmp_path: Path) -> None:
    trainer = NumberTrainer(tmp_path, development=-1.0, patience=2, max_steps=100, log_every_steps=1)
    trainer.run()
    assert trainer.step == 6  # the first validation is the best; then two without a gain


def test_a_resumed_run_is_an_uninterrupted_one(tmp_path: Path) -> None:
    straight = NumberTrainer(tmp_path / "straight")
    straight.run()
    NumberTrainer(tmp_path / "run", max_steps=4).run()
    resumed = NumberTrainer(tmp_path / "run")
    assert resumed.resume()
    assert (resumed.step, resumed.stream.epoch, resumed.stream.position) == (4, 1, 1)
    resumed.run()
    assert torch.equal(resumed.model.weight, straight.model.weight)
    assert resumed.validations == straight.validations


def test_checkpoints_that_knew_nothing_of_patience_resume(tmp_path: Path) -> None:
    trainer = NumberTrainer(tmp_path)
    trainer.run()
    path = step_checkpoints(tmp_path)[-1]
    old = trainer.load_checkpoint(path)
    del old.trainer["num_validations_without_gain"]
    old.save(path)
    resumed = NumberTrainer(tmp_path)
    assert resumed.resume()
    assert resumed.num_validations_without_gain == 0


def test_another_model_does_not_resume(tmp_path: Path) -> None:
    NumberTrainer(tmp_path).run()
    with pytest.raises(TrainingError, match=r"step-6.pt holds a model with other settings or vocabularies"):
        NumberTrainer(tmp_path, vocabulary="letters").resume()
