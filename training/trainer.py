"""The training loop: steps, validation, checkpoints, early stopping, exact resume."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.checkpoint import Checkpoint, average, step_checkpoints
from training.data import Batch, BatchStream, ParallelData
from training.errors import TrainingError
from training.loss import sequence_loss
from training.model import build_model
from training.optimizer import build_optimizer, build_schedule
from training.recipe import Recipe
from training.vocabulary import Vocabulary

NUM_EXAMPLES = 128


@dataclass(frozen=True)
class Interval:
    """Where a run stood after some steps."""

    step: int
    num_target_tokens: int
    """Since the run began."""
    seconds: float
    """Of training and validation since the run began."""
    loss: float
    """Over the interval, in nats per target token, with label smoothing."""


class Trainer:
    """One run in one directory. Construct, optionally `resume()`, then `run()`."""

    def __init__(
        self,
        recipe: Recipe,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary,
        train: ParallelData,
        development: ParallelData,
        directory: Path,
        device: torch.device,
        provenance: dict[str, str] | None = None,
    ) -> None:
        """`provenance`: what a model card should say of data and code; stored in every checkpoint."""
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.settings = recipe.trainer
        self.source_vocabulary, self.target_vocabulary = source_vocabulary, target_vocabulary
        self.development = development
        self.directory = directory
        self.device = device
        self.provenance = provenance or {}
        self.model = build_model(recipe, source_vocabulary, target_vocabulary).to(device)
        self.optimizer = build_optimizer(self.model, self.settings)
        self.schedule = build_schedule(self.optimizer, self.settings)
        self.stream = BatchStream(train, recipe.data, recipe.seed)
        places = np.unique(np.linspace(0, len(train) - 1, NUM_EXAMPLES, dtype=np.int64))
        self.examples = [train.sources[int(place)].tolist() for place in places]
        self.step = 0
        self.num_target_tokens = 0
        self.seconds = 0.0
        self.best_loss = math.inf
        self.num_validations_without_gain = 0
        self.validations: list[dict[str, float]] = []
        directory.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """Continue from the newest checkpoint in the directory, if there is one.

        Raises:
            TrainingError: the checkpoint is of another model.
        """
        found = step_checkpoints(self.directory)
        if not found:
            return False
        checkpoint = Checkpoint.load(found[-1])
        if checkpoint.recipe.model != self.recipe.model:
            raise TrainingError(f"{found[-1]} holds a model with other settings than the recipe; use a new --output")
        self.model.load_state_dict(checkpoint.weights)
        state = checkpoint.trainer
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.stream.epoch, self.stream.position = state["epoch"], state["position"]
        self.best_loss = state["best_loss"]
        self.num_validations_without_gain = state["num_validations_without_gain"]
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["cuda_random"] is not None:
            torch.cuda.set_rng_state(state["cuda_random"], self.device)
        progress = checkpoint.progress
        self.step, self.num_target_tokens = progress["step"], progress["target_tokens"]
        self.seconds, self.validations = progress["seconds"], progress["validations"]
        return True

    def run(self) -> Path:
        """Train until max_steps or until patience is out; returns the path of the averaged checkpoint."""
        for _ in self.intervals():
            pass
        return self.finish()

    def intervals(self) -> Iterator[Interval]:
        """Train until max_steps or until patience is out, one logging interval after the other; then call `finish`."""
        batches = iter(self.stream)
        with (
            SummaryWriter(str(self.directory / "tensorboard")) as board,
            tqdm(total=self.settings.max_steps, initial=self.step, unit="step", mininterval=5.0) as bar,
        ):
            while self.step < self.settings.max_steps and not self._is_out_of_patience():
                yield self._log_interval(batches, board, bar)

    def train_step(self, batches: Iterator[Batch]) -> tuple[float, int]:
        """One update of the weights; returns the summed loss (nats) and the number of target tokens."""
        self.model.train()
        group = list(itertools.islice(batches, self.settings.gradient_accumulation))
        num_tokens = sum(batch.num_target_tokens for batch in group)
        total = 0.0
        for batch in group:
            loss = self._loss(batch.to(self.device), self.settings.label_smoothing)
            (loss / num_tokens).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if self.settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.num_target_tokens += num_tokens
        return total, num_tokens

    @torch.no_grad()
    def validate(self) -> float:
        """Cross-entropy of the development text, without smoothing, in nats per target token."""
        self.model.eval()
        total, num_tokens = 0.0, 0
        for indices in self.development.batches(self.recipe.data):
            batch = self.development.batch(indices).to(self.device)
            total += float(self._loss(batch, label_smoothing=0.0))
            num_tokens += batch.num_target_tokens
        return total / num_tokens

    def _loss(self, batch: Batch, label_smoothing: float) -> torch.Tensor:
        is_mixed = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_mixed):
            return sequence_loss(self.model, batch, label_smoothing)

    def _log_interval(self, batches: Iterator[Batch], board: SummaryWriter, bar: tqdm[Any]) -> Interval:
        settings = self.settings
        until = min(settings.max_steps, (self.step // settings.log_every_steps + 1) * settings.log_every_steps)
        started, total, num_tokens = time.perf_counter(), 0.0, 0
        while self.step < until:
            loss, count = self.train_step(batches)
            total, num_tokens = total + loss, num_tokens + count
            bar.update()
            if self.step % settings.validate_every_steps == 0:
                self._record_validation(board)
            if self.step % settings.save_every_steps == 0:
                self._save()
        elapsed = time.perf_counter() - started
        self.seconds += elapsed
        rate = num_tokens / elapsed
        learning_rate = self.schedule.get_last_lr()[0]
        bar.set_postfix_str(f"loss {total / num_tokens:.3f} | {rate:,.0f} tokens/s | epoch {self.stream.epoch + 1}")
        board.add_scalar("train/loss", total / num_tokens, self.step)
        board.add_scalar("train/tokens_per_second", rate, self.step)
        board.add_scalar("train/learning_rate", learning_rate, self.step)
        return Interval(self.step, self.num_target_tokens, self.seconds, total / num_tokens)

    def _record_validation(self, board: SummaryWriter) -> None:
        loss = self.validate()
        self.validations.append({"step": self.step, "loss": loss})
        board.add_scalar("development/loss", loss, self.step)
        board.add_scalar("development/perplexity", math.exp(min(loss, 50.0)), self.step)
        tqdm.write(f"step {self.step}: development loss {loss:.4f}, perplexity {math.exp(min(loss, 50.0)):.2f}")
        if loss < self.best_loss:
            self.best_loss, self.num_validations_without_gain = loss, 0
            self._checkpoint(with_trainer=False).save(self.directory / "best.pt")
        else:
            self.num_validations_without_gain += 1

    def _is_out_of_patience(self) -> bool:
        return 0 < self.settings.patience <= self.num_validations_without_gain

    def _checkpoint(self, with_trainer: bool = True) -> Checkpoint:
        trainer = {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.stream.epoch,
            "position": self.stream.position,
            "best_loss": self.best_loss,
            "num_validations_without_gain": self.num_validations_without_gain,
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        progress = {
            "step": self.step,
            "epoch": self.stream.epoch,
            "target_tokens": self.num_target_tokens,
            "seconds": self.seconds,
            "validations": list(self.validations),
            "provenance": self.provenance,
        }
        weights = {name: weight.detach().cpu() for name, weight in self.model.state_dict().items()}
        return Checkpoint(
            self.recipe,
            self.source_vocabulary,
            self.target_vocabulary,
            weights,
            progress,
            trainer if with_trainer else {},
            self.examples,
        )

    def _save(self) -> None:
        self._checkpoint().save(self.directory / f"step-{self.step}.pt")
        for stale in step_checkpoints(self.directory)[: -self.settings.keep_checkpoints]:
            stale.unlink()

    def finish(self) -> Path:
        """Average the last checkpoints; returns the path of the result."""
        if not step_checkpoints(self.directory) or self.step % self.settings.save_every_steps:
            self._save()
        averaged = average(step_checkpoints(self.directory))
        self.model.load_state_dict(averaged.weights)
        loss = self.validate()
        averaged.progress = averaged.progress | {"development_loss": loss}
        path = self.directory / "averaged.pt"
        averaged.save(path)
        best = f" (best single checkpoint {self.best_loss:.4f})" if math.isfinite(self.best_loss) else ""
        print(f"{path}: development loss {loss:.4f}{best}")
        return path


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers, tied ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
