"""The training loop: steps, validation, checkpoints, early stopping, exact resume."""

from __future__ import annotations

import itertools
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor, nn

from training.activation_checkpointing import recompute_layers
from training.atomic import remove_partial_files
from training.checkpoint_files import AnyCheckpoint, averaged, step_checkpoints
from training.errors import TrainingError
from training.objective import CROSS_ENTROPY, Objective, weighted_means
from training.optimizer import build_optimizer, build_schedule
from training.process_group import ProcessGroup
from training.progress import Progress
from training.recipe import TrainerSettings
from training.stream import AnyBatch, Stream


@dataclass(frozen=True)
class Interval:
    """Where a run stood after some steps."""

    step: int
    num_target_tokens: int
    """Since the run began."""
    seconds: float
    """Of training and validation since the run began."""
    loss: float
    """Cross-entropy over the interval, in nats per target token, with label smoothing."""


class TrainingLoop(ABC, Generic[AnyBatch, AnyCheckpoint]):
    """One run in one directory. Construct, optionally `resume()`, then `run()`.

    What is trained comes in here and through the three abstract methods, and nothing else of it is known.
    Every process of a run has its own loop; they take turns at the batches and do the same updates of the same weights.
    """

    def __init__(
        self,
        settings: TrainerSettings,
        seed: int,
        model: nn.Module,
        objective: Objective[AnyBatch],
        stream: Stream[Any, AnyBatch],
        directory: Path,
        device: torch.device,
        provenance: dict[str, str] | None = None,
    ) -> None:
        """`objective`: around `model`; `provenance`: what model cards should say of data and code, in every checkpoint.

        Raises:
            TrainingError: the processes cannot share the batches of an update evenly.
        """
        self.processes = ProcessGroup.current()
        if settings.gradient_accumulation % self.processes.size:
            raise TrainingError(
                f"trainer.gradient_accumulation {settings.gradient_accumulation} is no multiple of the number of "
                f"processes, {self.processes.size}, which share the batches of an update"
            )
        self.settings, self.seed = settings, seed
        self.directory, self.device = directory, device
        self.provenance = dict(provenance or {})
        self.model = model.to(device)
        if settings.activation_checkpointing:
            recompute_layers(model)
        if settings.compile:
            model.compile(dynamic=True)
        self.objective = objective
        self.parallel_objective = self.processes.parallel(objective)
        self.optimizer = build_optimizer(model, settings)
        self.schedule = build_schedule(self.optimizer, settings)
        self.stream = stream
        self.step = self.num_target_tokens = 0
        self.seconds, self.best_loss = 0.0, math.inf
        self.num_validations_without_gain = 0
        self.validations: list[dict[str, float]] = []
        directory.mkdir(parents=True, exist_ok=True)
        if self.processes.is_first:
            remove_partial_files(directory)

    @abstractmethod
    def development_batches(self) -> Iterable[AnyBatch]:
        """This process's share of the text or pictures to validate with; the same whenever it is asked."""

    @abstractmethod
    def make_checkpoint(
        self, weights: dict[str, Tensor], progress: dict[str, Any], trainer: dict[str, Any]
    ) -> AnyCheckpoint:
        """These, and whatever else this kind of checkpoint holds."""

    @abstractmethod
    def load_checkpoint(self, path: Path) -> AnyCheckpoint:
        """Read what `make_checkpoint` made.

        Raises:
            TrainingError: the file is damaged or of another kind.
        """

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
        checkpoint = self.load_checkpoint(path)
        if checkpoint.identity != self._checkpoint(with_trainer=False).identity:
            raise TrainingError(
                f"{path} holds a model with other settings or vocabularies than the recipe's; use a new --output"
            )
        if checkpoint.recipe.trainer.optimizer != self.settings.optimizer:
            raise TrainingError(f"{path} holds the state of another trainer.optimizer; use a new --output")
        self.model.load_state_dict(checkpoint.weights)
        state, progress = checkpoint.trainer, checkpoint.progress
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.stream.epoch, self.stream.position = state["epoch"], state["position"]
        self.best_loss = state["best_loss"]
        self.num_validations_without_gain = state.get("num_validations_without_gain", 0)  # captioners had none once
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

    def train_step(self, batches: Iterator[AnyBatch]) -> tuple[float, int]:
        """One update of the weights from this process's share of its batches, and the gradients of the others.

        Returns the summed cross-entropy (nats) and the number of target tokens of all processes.
        """
        self.model.train()
        group = list(itertools.islice(batches, self.settings.gradient_accumulation // self.processes.size))
        counts = self.processes.sums(self.objective.total_counts(group), self.device)
        total = self._add_gradients(group, counts)
        if self.settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        num_tokens = int(counts[CROSS_ENTROPY])
        self.step += 1
        self.num_target_tokens += num_tokens
        return total, num_tokens

    def _add_gradients(self, group: list[AnyBatch], counts: dict[str, float]) -> float:
        total = torch.zeros((), device=self.device)
        for turn, batch in enumerate(group):
            self._seed_dropout(turn)
            is_last = turn == len(group) - 1
            with nullcontext() if is_last else self.processes.without_sync(self.parallel_objective):
                with self._autocast():
                    sums = self.parallel_objective(batch.to(self.device), self.settings.label_smoothing)
                # Gradients are averaged over the processes; a recipe means their sum.
                loss = weighted_means(sums, counts, self.objective.weights, scale=self.processes.size)
                loss.backward()  # type: ignore[no-untyped-call]
            total += sums[CROSS_ENTROPY].detach()
        return self.processes.sum(float(total), self.device)

    def _seed_dropout(self, turn: int) -> None:
        """The same masks for a batch, whatever the number of processes and wherever a run was interrupted."""
        place = turn * self.processes.size + self.processes.rank
        number = self.step * self.settings.gradient_accumulation + place
        state = np.random.SeedSequence((self.seed, number)).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The mean of each term of the objective over the development batches, without label smoothing."""
        self.model.eval()
        sums, counts = (dict.fromkeys(self.objective.weights, 0.0) for _ in range(2))
        for batch in self.development_batches():
            with self._autocast():
                found = self.objective(batch.to(self.device), 0.0)
            for name, number in self.objective.counts(batch).items():
                sums[name] += float(found[name])
                counts[name] += number
        sums, counts = self.processes.sums(sums, self.device), self.processes.sums(counts, self.device)
        return {name: sums[name] / max(1.0, counts[name]) for name in sums}

    def _autocast(self) -> torch.autocast:
        is_mixed = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_mixed)

    def _run_interval(self, batches: Iterator[AnyBatch], progress: Progress) -> Interval:
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
        found = self.validate()
        loss = found[CROSS_ENTROPY]
        self.validations.append({"step": self.step, **found})
        progress.log_validation(self.step, loss)
        if loss < self.best_loss:
            self.best_loss, self.num_validations_without_gain = loss, 0
            if self.processes.is_first:
                self._checkpoint(with_trainer=False).save(self.directory / "best.pt")
        else:
            self.num_validations_without_gain += 1

    def _is_out_of_patience(self) -> bool:
        return 0 < self.settings.patience <= self.num_validations_without_gain

    def _checkpoint(self, with_trainer: bool = True) -> AnyCheckpoint:
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
        return self.make_checkpoint(weights, progress, trainer if with_trainer else {})

    def _save(self) -> None:
        if not self.processes.is_first:
            return
        self._checkpoint().save(self.directory / f"step-{self.step}.pt")
        for stale in step_checkpoints(self.directory)[: -self.settings.keep_checkpoints]:
            stale.unlink()

    def finish(self) -> Path:
        """Average the last checkpoints; returns the path of the result."""
        path = self.directory / "averaged.pt"
        mean = self._average() if self.processes.is_first else None
        self.processes.copy_from_first(self.model)
        found = self.validate()
        if mean:
            mean.progress = mean.progress | {f"development_{name}": value for name, value in found.items()}
            mean.save(path)
            best = f" (best single checkpoint {self.best_loss:.4f})" if math.isfinite(self.best_loss) else ""
            print(f"{path}: development loss {found[CROSS_ENTROPY]:.4f}{best}")
        return path

    def _average(self) -> AnyCheckpoint:
        if not step_checkpoints(self.directory) or self.step % self.settings.save_every_steps:
            self._save()
        mean = averaged(step_checkpoints(self.directory), self.load_checkpoint)
        self.model.load_state_dict(mean.weights)
        return mean
