"""Checkpoints of captioners: everything a run needs to go on, and everything export needs to begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.atomic import new_file
from training.captioning.model import Captioner
from training.captioning.settings import CaptionRecipe, parse_caption_recipe
from training.checkpoint import read_checkpoint
from training.vocabulary import Vocabulary

FORMAT = "captions 1"


@dataclass
class CaptionCheckpoint:
    """A trained (or half-trained) captioner with its recipe and vocabulary."""

    recipe: CaptionRecipe
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    progress: dict[str, Any]
    """Step, tokens seen, seconds, validation results, provenance; what a model card quotes."""
    trainer: dict[str, Any]
    """Optimiser, schedule, place in the data. Empty once averaged."""
    examples: Tensor
    """Pictures of the development scenes, (N, H, W, 3) uint8: what export checks with."""

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        content = {
            "format": FORMAT,
            "recipe": self.recipe.to_dict(),
            "vocabulary": torch.frombuffer(bytearray(self.vocabulary.model), dtype=torch.uint8),
            "weights": self.weights,
            "progress": self.progress,
            "trainer": self.trainer,
            "examples": self.examples,
        }
        with new_file(path) as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: Path) -> CaptionCheckpoint:
        """Read a checkpoint; no code in it is executed.

        Raises:
            TrainingError: the file is missing, damaged or of another format.
        """
        content = read_checkpoint(path, FORMAT, "checkpoint of captions")
        return cls(
            recipe=parse_caption_recipe(content["recipe"], str(path)),
            vocabulary=Vocabulary(content["vocabulary"].numpy().tobytes()),
            weights=content["weights"],
            progress=content["progress"],
            trainer=content["trainer"],
            examples=content["examples"],
        )

    def build_model(self) -> Captioner:
        """The model with these weights, in evaluation mode."""
        model = Captioner(self.recipe, len(self.vocabulary))
        model.load_state_dict(self.weights)
        return model.eval()

    @property
    def tag_ids(self) -> dict[str, int]:
        """By language, the id of the tag that its captions begin with."""
        pieces = self.vocabulary.pieces()
        return {language: pieces.index(tag) for language, tag in self.recipe.tags.items()}


def averaged(paths: Sequence[Path]) -> CaptionCheckpoint:
    """The mean of several checkpoints' weights, of one run, without trainer state."""
    checkpoints = [CaptionCheckpoint.load(path) for path in paths]
    last = checkpoints[-1]
    last.weights = {
        name: torch.stack([checkpoint.weights[name].double() for checkpoint in checkpoints])
        .mean(dim=0)
        .to(weight.dtype)
        for name, weight in last.weights.items()
    }
    last.progress = last.progress | {"averaged_checkpoints": len(checkpoints)}
    last.trainer = {}
    return last
