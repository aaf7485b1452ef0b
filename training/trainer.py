"""Training of translators: parallel text for the loop, and checkpoints with two vocabularies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.checkpoint import Checkpoint
from training.data import BatchStream, ParallelData, TextBatch
from training.errors import TrainingError
from training.loop import TrainingLoop
from training.loss import SequenceLoss
from training.model import build_model
from training.process_group import ProcessGroup
from training.recipe import Recipe
from training.transfer import transfer
from training.vocabulary import Vocabulary

NUM_EXAMPLES, NUM_HELD_OUT = 128, 2000


class Trainer(TrainingLoop[TextBatch, Checkpoint]):
    """One run of a translator; see `TrainingLoop`."""

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
        """`train`: its versions; otherwise see `TrainingLoop`."""
        self.recipe = recipe
        self.source_vocabulary, self.target_vocabulary = source_vocabulary, target_vocabulary
        self.development = development
        self.examples = [source for source, _ in train[0].spread(NUM_EXAMPLES)]
        self.held_out = development.spread(NUM_HELD_OUT)
        torch.manual_seed(recipe.seed)
        model = build_model(recipe, source_vocabulary, target_vocabulary)
        processes = ProcessGroup.current()
        stream = BatchStream(train, recipe.data, recipe.seed, rank=processes.rank, num_processes=processes.size)
        objective = SequenceLoss(model)
        super().__init__(recipe.trainer, recipe.seed, model, objective, stream, directory, device, provenance)

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

    def development_batches(self) -> Iterator[TextBatch]:
        """See `TrainingLoop`."""
        turns = self.processes.turns(self.development.iterate_batches(self.recipe.data))
        return (self.development.batch(indices) for indices in turns)

    def make_checkpoint(
        self, weights: dict[str, Tensor], progress: dict[str, Any], trainer: dict[str, Any]
    ) -> Checkpoint:
        """See `TrainingLoop`."""
        vocabularies = self.source_vocabulary, self.target_vocabulary
        return Checkpoint(self.recipe, *vocabularies, weights, progress, trainer, self.examples, self.held_out)

    def load_checkpoint(self, path: Path) -> Checkpoint:
        """See `TrainingLoop`."""
        return Checkpoint.load(path)


def count_parameters(model: nn.Module) -> int:
    """Trainable numbers, tied ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
