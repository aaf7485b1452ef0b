"""Training of captioners: steps, validation, checkpoints, exact resume."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.atomic import remove_partial_files
from training.captioning.checkpoint import CaptionCheckpoint, averaged
from training.captioning.data import Batch, CaptionData
from training.captioning.loss import caption_loss
from training.captioning.model import Captioner
from training.captioning.settings import CaptionRecipe
from training.checkpoint import step_checkpoints
from training.errors import TrainingError
from training.optimizer import build_optimizer, build_schedule
from training.progress import Progress


class CaptionTrainer:
    """One run in one directory. Construct, optionally `resume()`, then `run()`."""

    def __init__(
        self,
        recipe: CaptionRecipe,
        train: CaptionData,
        development: CaptionData,
        encoder_weights: dict[str, Tensor],
        examples: Tensor,
        directory: Path,
        provenance: dict[str, str],
    ) -> None:
        """`examples`: pictures for export; `provenance`: what a model card should say of data and code."""
        torch.manual_seed(recipe.seed)
        self.recipe, self.settings = recipe, recipe.trainer
        self.train, self.development = train, development
        self.examples, self.directory, self.provenance = examples, directory, provenance
        self.model = Captioner(recipe, len(train.vocabulary))
        self.model.convolutions.load_state_dict(encoder_weights)
        self.optimizer = build_optimizer(self.model, self.settings)
        self.schedule = build_schedule(self.optimizer, self.settings)
        self.step = self.epoch = self.position = self.num_target_tokens = 0
        self.seconds, self.best_loss = 0.0, math.inf
        self.validations: list[dict[str, float]] = []
        directory.mkdir(parents=True, exist_ok=True)
        remove_partial_files(directory)

    def resume(self) -> bool:
        """Go on from the newest checkpoint in the directory, if there is one.

        Raises:
            TrainingError: it is of another model.
        """
        found = step_checkpoints(self.directory)
        if not found:
            return False
        checkpoint = CaptionCheckpoint.load(found[-1])
        is_same = checkpoint.recipe.decoder == self.recipe.decoder and checkpoint.recipe.picture == self.recipe.picture
        if not is_same or checkpoint.vocabulary.model != self.train.vocabulary.model:
            raise TrainingError(f"{found[-1]} holds another model than the recipe's; use a new --output")
        self.model.load_state_dict(checkpoint.weights)
        state, progress = checkpoint.trainer, checkpoint.progress
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.position, self.best_loss = state["epoch"], state["position"], state["best_loss"]
        self.step, self.num_target_tokens = progress["step"], progress["target_tokens"]
        self.seconds, self.validations = progress["seconds"], progress["validations"]
        return True

    def run(self) -> Path:
        """Train until max_steps; returns the path of the averaged checkpoint."""
        settings = self.settings
        batches = self._batches()
        with Progress(self.directory / "tensorboard", self.step, settings.max_steps, is_shown=True) as progress:
            while self.step < settings.max_steps:
                self._run_interval(batches, progress)
        return self._finish()

    def train_step(self, batch: Batch) -> tuple[float, int]:
        """One update; returns the summed cross-entropy in nats and the number of target tokens."""
        self.model.train()
        self.model.convolutions.eval()
        state = np.random.SeedSequence((self.recipe.seed, self.step)).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))  # the same dropout wherever a run was interrupted
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            loss = caption_loss(self.model, batch, self.settings.label_smoothing)
        loss.total(self.recipe.attention).backward()  # type: ignore[no-untyped-call]
        if self.settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.num_target_tokens += loss.num_tokens
        return float(loss.captions.detach()), loss.num_tokens

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Of the development captions: nats per token, and what guided words pay to the cells they mean, in nats."""
        self.model.eval()
        captions = astray = 0.0
        num_tokens = num_guided = 0
        for told in self.development.fixed():
            loss = caption_loss(self.model, self.development.batch(told), label_smoothing=0.0)
            captions, num_tokens = captions + float(loss.captions), num_tokens + loss.num_tokens
            astray, num_guided = astray + float(loss.astray), num_guided + loss.num_guided
        return {"loss": captions / max(1, num_tokens), "astray": astray / max(1, num_guided)}

    def _batches(self) -> Iterator[Batch]:
        """From where the run stands on, without end."""
        for epoch in itertools.count(self.epoch):
            told = self.train.epoch(epoch)
            for position in range(self.position if epoch == self.epoch else 0, len(told)):
                batch = self.train.batch(told[position])
                self.epoch, self.position = epoch, position + 1
                yield batch
            self.epoch, self.position = epoch + 1, 0

    def _run_interval(self, batches: Iterator[Batch], progress: Progress) -> None:
        settings = self.settings
        until = min(settings.max_steps, (self.step // settings.log_every_steps + 1) * settings.log_every_steps)
        started, total, num_tokens = time.perf_counter(), 0.0, 0
        while self.step < until:
            loss, count = self.train_step(next(batches))
            total, num_tokens = total + loss, num_tokens + count
            progress.advance()
            if self.step % settings.validate_every_steps == 0:
                self._record_validation(progress)
            if self.step % settings.save_every_steps == 0:
                self._save()
        elapsed = time.perf_counter() - started
        self.seconds += elapsed
        learning_rate = float(self.schedule.get_last_lr()[0])
        progress.log_training(self.step, self.epoch, total / num_tokens, num_tokens / elapsed, learning_rate)

    def _record_validation(self, progress: Progress) -> None:
        found = self.validate()
        self.validations.append({"step": self.step, **found})
        progress.log_validation(self.step, found["loss"])
        if found["loss"] < self.best_loss:
            self.best_loss = found["loss"]
            self._checkpoint(with_trainer=False).save(self.directory / "best.pt")

    def _checkpoint(self, with_trainer: bool = True) -> CaptionCheckpoint:
        trainer = {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
            "position": self.position,
            "best_loss": self.best_loss,
        }
        progress = {
            "step": self.step,
            "epoch": self.epoch,
            "target_tokens": self.num_target_tokens,
            "seconds": self.seconds,
            "validations": list(self.validations),
            "provenance": self.provenance,
        }
        weights = {name: weight.detach() for name, weight in self.model.state_dict().items()}
        vocabulary = self.train.vocabulary
        return CaptionCheckpoint(
            self.recipe, vocabulary, weights, progress, trainer if with_trainer else {}, self.examples
        )

    def _save(self) -> None:
        self._checkpoint().save(self.directory / f"step-{self.step}.pt")
        for stale in step_checkpoints(self.directory)[: -self.settings.keep_checkpoints]:
            stale.unlink()

    def _finish(self) -> Path:
        if not step_checkpoints(self.directory) or self.step % self.settings.save_every_steps:
            self._save()
        path = self.directory / "averaged.pt"
        mean = averaged(step_checkpoints(self.directory))
        self.model.load_state_dict(mean.weights)
        mean.progress = mean.progress | {"development": self.validate()}
        mean.save(path)
        print(f"{path}: development loss {mean.progress['development']['loss']:.4f} (best {self.best_loss:.4f})")
        return path
