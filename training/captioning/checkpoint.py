"""Checkpoints of captioners: everything a run needs to go on, and everything export needs to begin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from training.captioning.model import Captioner
from training.captioning.settings import CaptionRecipe, parse_caption_recipe
from training.checkpoint_files import read_checkpoint, to_bytes, to_tensor, write_checkpoint
from training.vocabulary import Vocabulary

FORMAT = "captions 1"


@dataclass
class CaptionCheckpoint:
    """A trained (or half-trained) captioner with its recipe and vocabulary; see `RunCheckpoint`."""

    recipe: CaptionRecipe
    vocabulary: Vocabulary
    weights: dict[str, Tensor]
    progress: dict[str, Any]
    trainer: dict[str, Any]
    examples: Tensor
    """Pictures of the development scenes, (N, H, W, 3) uint8: what export checks with."""

    def save(self, path: Path) -> None:
        """See `RunCheckpoint`."""
        write_checkpoint(path, FORMAT, self, vocabulary=to_tensor(self.vocabulary.model), examples=self.examples)

    @classmethod
    def load(cls, path: Path) -> CaptionCheckpoint:
        """Read a checkpoint; no code in it is executed.

        Raises:
            TrainingError: the file is missing, damaged or of another format.
        """
        content = read_checkpoint(path, FORMAT, "checkpoint of captions")
        return cls(
            recipe=parse_caption_recipe(content["recipe"], str(path)),
            vocabulary=Vocabulary(to_bytes(content["vocabulary"])),
            weights=content["weights"],
            progress=content["progress"],
            trainer=content["trainer"],
            examples=content["examples"],
        )

    @property
    def identity(self) -> tuple[Any, ...]:
        """See `RunCheckpoint`."""
        return self.recipe.encoder, self.recipe.decoder, self.recipe.picture, self.vocabulary.model

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
