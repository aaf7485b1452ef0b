"""Training of captioners: pictures' features for the loop, and checkpoints with one vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.captioning.checkpoint import CaptionCheckpoint
from training.captioning.data import Batch, CaptionData, CaptionStream
from training.captioning.loss import CaptionObjective
from training.captioning.model import Captioner
from training.captioning.settings import CaptionRecipe
from training.errors import TrainingError
from training.loop import TrainingLoop
from training.process_group import ProcessGroup


class CaptionTrainer(TrainingLoop[Batch, CaptionCheckpoint]):
    """One run of a captioner; see `TrainingLoop`."""

    def __init__(
        self,
        recipe: CaptionRecipe,
        train: CaptionData,
        development: CaptionData,
        encoder_weights: dict[str, Tensor],
        examples: Tensor,
        directory: Path,
        device: torch.device,
        provenance: dict[str, str],
    ) -> None:
        """`examples`: pictures for export; otherwise see `TrainingLoop`.

        Raises:
            TrainingError: the recipe asks for what captioners do not have.
        """
        if recipe.trainer.compile:
            raise TrainingError("trainer.compile is for translators: captions have nothing that is compiled")
        self.recipe, self.vocabulary = recipe, train.vocabulary
        self.development, self.examples = development, examples
        torch.manual_seed(recipe.seed)
        model = Captioner(recipe, len(train.vocabulary))
        model.convolutions.load_state_dict(encoder_weights)
        processes = ProcessGroup.current()
        stream = CaptionStream(train, rank=processes.rank, num_processes=processes.size)
        objective = CaptionObjective(model, recipe.attention)
        super().__init__(recipe.trainer, recipe.seed, model, objective, stream, directory, device, provenance)

    def development_batches(self) -> Iterator[Batch]:
        """See `TrainingLoop`."""
        return (self.development.batch(told) for told in self.processes.turns(self.development.fixed()))

    def make_checkpoint(
        self, weights: dict[str, Tensor], progress: dict[str, Any], trainer: dict[str, Any]
    ) -> CaptionCheckpoint:
        """See `TrainingLoop`."""
        return CaptionCheckpoint(self.recipe, self.vocabulary, weights, progress, trainer, self.examples)

    def load_checkpoint(self, path: Path) -> CaptionCheckpoint:
        """See `TrainingLoop`."""
        return CaptionCheckpoint.load(path)
