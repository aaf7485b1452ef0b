"""The training loop: steps, validation, checkpoints, early stopping, exact resume."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.activation_checkpointing import recompute_layers
from training.atomic import remove_partial_files
from training.checkpoint import Checkpoint, average, step_checkpoints
from training.data import Batch, BatchStream, ParallelData
from training.errors import TrainingError
from training.loss import SequenceLoss, sequence_loss
from training.model import build_model
from training.optimizer import build_optimizer, build_schedule
from training.process_group import ProcessGroup
from training.progress import Progress
from training.recipe import Recipe
from training.transfer import transfer
from training.vocabulary import Vocabulary

NUM_EXAMPLES, NUM_HELD_OUT = 128, 2000


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
    """One run in one directory. Construct, optionally `resume()`, then `run()`.

    Every process of a run has its own; they take turns at the batches and do the same updates of the same weights.
    """

    def __init__(
        self,
        recipe: Recipe,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary,
        train: Sequence[ParallelData],
        development: ParallelData,
        directory: Path,
        device: torch.device,
        provenance: dict[str, str] | None = None,
    ) -> None:
        """`train`: its versions; `provenance`: what a model card should say of data and code, in every checkpoint.

        Raises:
            TrainingError: the processes cannot share the batches of an update evenly.
        """
        self.processes = ProcessGroup.current()
        if recipe.trainer.gradient_accumulation % self.processes.size:
            raise TrainingError(
                f"trainer.gradient_accumulation {recipe.trainer.gradient_accumulation} is no multiple of the number of "
                f"processes, {self.processes.size}, which share the batches of an update"
            )
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.settings = recipe.trainer
        self.source_vocabulary, self.target_vocabulary = source_vocabulary, target_vocabulary
        self.development = development
        self.directory = directory
        self.device = device
        self.provenance = dict(provenance or {})
        self.model = build_model(recipe, source_vocabulary, target_vocabulary).to(device)
        if self.settings.activation_checkpointing:
            recompute_layers(self.model)
        if self.settings.compile:
            self.model.compile(dynamic=True)
        self.loss = self.processes.parallel(SequenceLoss(self.model))
        self.optimizer = build_optimizer(self.model, self.settings)
        self.schedule = build_schedule(self.optimizer, self.settings)
        self.stream = BatchStream(
            train, recipe.data, recipe.seed, rank=self.processes.rank, num_processes=self.processes.size
        )
        self.examples = [source for source, _ in train[0].spread(NUM_EXAMPLES)]
        self.held_out = development.spread(NUM_HELD_OUT)
        self.step = 0
        self.num_target_tokens = 0
        self.seconds = 0.0
        self.best_loss = math.inf
        self.num_validations_without_gain = 0
        self.validations: list[dict[str, float]] = []
        directory.mkdir(parents=True, exist_ok=True)
        if self.processes.is_first:
            remove_partial_files(directory)

    def initialize(self, checkpoint: Checkpoint) -> None:
        """Begin with the weights of a trained model instead of random ones: fine-tuning, transfer.

        Raises:
            TrainingError: its model has other settings, or no piece in common.
        """
        if checkpoint.recipe.model != self.recipe.model:
            raise TrainingError("--initialize-from holds a model with other settings than the recipe's section model")
        transfer(checkpoint, self.model, self.source_vocabulary, self.target_vocabulary)
        earlier, progress = checkpoint.progress.get("provenance", {}).get("initialized_from"), checkpoint.progress
        self.provenance["initialized_from"] = (
            f"{checkpoint.recipe.name} after {progress['step']:,} steps, {progress['target_tokens']:,} target tokens"
            + (f", which began with {earlier}" if earlier else "")
        )

    def resume(self) -> bool:
        """Continue from the newest checkpoint in the directory, if there is one.

        Raises:
            TrainingError: the checkpoint is of another model, or not every process finds it.
        """
        found = step_checkpoints(self.directory)
        if found:
            self._restore(found[-1])
        if self.processes.sum(self.step, self.device) != self.step * self.processes.size:
            raise TrainingError(f"the processes find different checkpoints: {self.directory} must be shared by all")
        return bool(found)

    def _restore(self, path: Path) -> None:
        checkpoint = Checkpoint.load(path)
        if checkpoint.recipe.model != self.recipe.model:
            raise TrainingError(f"{path} holds a model with other settings than the recipe; use a new --output")
        if checkpoint.recipe.trainer.optimizer != self.settings.optimizer:
            raise TrainingError(f"{path} holds the state of another trainer.optimizer; use a new --output")
        self.model.load_state_dict(checkpoint.weights)
        state = checkpoint.trainer
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.stream.epoch, self.stream.position = state["epoch"], state["position"]
        self.best_loss = state["best_loss"]
        self.num_validations_without_gain = state["num_validations_without_gain"]
        progress = checkpoint.progress
        self.step, self.num_target_tokens = progress["step"], progress["target_tokens"]
        self.seconds, self.validations = progress["seconds"], progress["validations"]
        self.provenance = progress.get("provenance", {}) | self.provenance

    def run(self) -> Path:
        """Train until max_steps or until patience is out; returns the path of the averaged checkpoint."""
        for _ in self.intervals():
            pass
        return self.finish()

    def intervals(self) -> Iterator[Interval]:
        """Train until max_steps or until patience is out, one logging interval after the other; then call `finish`."""
        batches = iter(self.stream)
        directory, max_steps = self.directory / "tensorboard", self.settings.max_steps
        with Progress(directory, self.step, max_steps, is_shown=self.processes.is_first) as progress:
            while self.step < max_steps and not self._is_out_of_patience():
                yield self._run_interval(batches, progress)

    def train_step(self, batches: Iterator[Batch]) -> tuple[float, int]:
        """One update of the weights from this process's share of its batches, and the gradients of the others.

        Returns the summed loss (nats) and the number of target tokens of all processes.
        """
        self.model.train()
        group = list(itertools.islice(batches, self.settings.gradient_accumulation // self.processes.size))
        num_tokens = int(self.processes.sum(sum(batch.num_target_tokens for batch in group), self.device))
        total = self._add_gradients(group, num_tokens)
        if self.settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.num_target_tokens += num_tokens
        return total, num_tokens

    def _add_gradients(self, group: list[Batch], num_tokens: int) -> float:
        total = torch.zeros((), device=self.device)
        for turn, batch in enumerate(group):
            self._seed_dropout(turn)
            is_last = turn == len(group) - 1
            with nullcontext() if is_last else self.processes.without_sync(self.loss):
                with self._autocast():
                    loss = self.loss(batch.to(self.device), self.settings.label_smoothing)
                # Gradients are averaged over the processes; a recipe means their sum.
                (loss * (self.processes.size / num_tokens)).backward()
            total += loss.detach()
        return self.processes.sum(float(total), self.device)

    def _seed_dropout(self, turn: int) -> None:
        """The same masks for a batch, whatever the number of processes and wherever a run was interrupted."""
        place = turn * self.processes.size + self.processes.rank
        number = self.step * self.settings.gradient_accumulation + place
        state = np.random.SeedSequence((self.recipe.seed, number)).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))

    @torch.no_grad()
    def validate(self) -> float:
        """Cross-entropy of the development text, without smoothing, in nats per target token."""
        self.model.eval()
        total, num_tokens = 0.0, 0
        batches = self.development.iterate_batches(self.recipe.data)
        for indices in itertools.islice(batches, self.processes.rank, None, self.processes.size):
            batch = self.development.batch(indices).to(self.device)
            with self._autocast():
                total += float(sequence_loss(self.model, batch, label_smoothing=0.0))
            num_tokens += batch.num_target_tokens
        return self.processes.sum(total, self.device) / self.processes.sum(num_tokens, self.device)

    def _autocast(self) -> torch.autocast:
        is_mixed = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_mixed)

    def _run_interval(self, batches: Iterator[Batch], progress: Progress) -> Interval:
        settings = self.settings
        until = min(settings.max_steps, (self.step // settings.log_every_steps + 1) * settings.log_every_steps)
        started, total, num_tokens = time.perf_counter(), 0.0, 0
        while self.step < until:
            loss, count = self.train_step(batches)
            total, num_tokens = total + loss, num_tokens + count
            progress.advance()
            if self.step % settings.validate_every_steps == 0:
                self._record_validation(progress)
            if self.step % settings.save_every_steps == 0:
                self._save()
        elapsed = time.perf_counter() - started
        self.seconds += elapsed
        learning_rate = float(self.schedule.get_last_lr()[0])
        progress.log_training(self.step, self.stream.epoch, total / num_tokens, num_tokens / elapsed, learning_rate)
        return Interval(self.step, self.num_target_tokens, self.seconds, total / num_tokens)

    def _record_validation(self, progress: Progress) -> None:
        loss = self.validate()
        self.validations.append({"step": self.step, "loss": loss})
        progress.log_validation(self.step, loss)
        if loss < self.best_loss:
            self.best_loss, self.num_validations_without_gain = loss, 0
            if self.processes.is_first:
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
            self.held_out,
        )

    def _save(self) -> None:
        if not self.processes.is_first:
            return
        self._checkpoint().save(self.directory / f"step-{self.step}.pt")
        for stale in step_checkpoints(self.directory)[: -self.settings.keep_checkpoints]:
            stale.unlink()

    def finish(self) -> Path:
        """Average the last checkpoints; returns the path of the result."""
        path = self.directory / "averaged.pt"
        averaged = self._average() if self.processes.is_first else None
        self.processes.copy_from_first(self.model)
        loss = self.validate()
        if averaged:
            averaged.progress = averaged.progress | {"development_loss": loss}
            averaged.save(path)
            best = f" (best single checkpoint {self.best_loss:.4f})" if math.isfinite(self.best_loss) else ""
            print(f"{path}: development loss {loss:.4f}{best}")
        return path

    def _average(self) -> Checkpoint:
        if not step_checkpoints(self.directory) or self.step % self.settings.save_every_steps:
            self._save()
        averaged = average(step_checkpoints(self.directory))
        self.model.load_state_dict(averaged.weights)
        return averaged


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers, tied ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
