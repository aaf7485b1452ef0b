"""Checkpoints of translators: everything a run needs to go on, and everything export needs to begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from training.checkpoint_files import averaged, read_checkpoint, to_bytes, to_tensor, write_checkpoint
from training.model import build_model
from training.recipe import Recipe, parse_recipe
from training.seq2seq import Seq2Seq
from training.vocabulary import Vocabulary

FORMAT = 1


@dataclass
class Checkpoint:
    """A trained (or half-trained) model with its recipe and vocabularies; see `RunCheckpoint`."""

    recipe: Recipe
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    weights: dict[str, Tensor]
    progress: dict[str, Any]
    trainer: dict[str, Any]
    examples: list[list[int]] = field(default_factory=list)
    """Sources of the training data, ids with end of sentence: what export calibrates and checks with."""
    held_out: list[tuple[list[int], list[int]]] = field(default_factory=list)
    """Pairs of the development data, sources with end of sentence: what export chooses by whose attention aligns."""

    def save(self, path: Path) -> None:
        """See `RunCheckpoint`."""
        write_checkpoint(
            path,
            FORMAT,
            self,
            source_vocabulary=to_tensor(self.source_vocabulary.model),
            target_vocabulary=to_tensor(self.target_vocabulary.model),
            examples=self.examples,
            held_out=self.held_out,
        )

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint; no code in it is executed.

        Raises:
            TrainingError: the file is missing, damaged or of another format.
        """
        content = read_checkpoint(path, FORMAT, f"checkpoint of format {FORMAT}")
        return cls(
            recipe=parse_recipe(content["recipe"], str(path)),
            source_vocabulary=Vocabulary(to_bytes(content["source_vocabulary"])),
            target_vocabulary=Vocabulary(to_bytes(content["target_vocabulary"])),
            weights=content["weights"],
            progress=content["progress"],
            trainer=content["trainer"],
            examples=content.get("examples", []),  # checkpoints of 0.1 have none
            held_out=content.get("held_out", []),  # nor have older ones of these
        )

    @property
    def identity(self) -> tuple[Any, ...]:
        """See `RunCheckpoint`."""
        return self.recipe.model, self.source_vocabulary.model, self.target_vocabulary.model

    def build_model(self) -> Seq2Seq[Any]:
        """The model with these weights, in evaluation mode."""
        model = build_model(self.recipe, self.source_vocabulary, self.target_vocabulary)
        model.load_state_dict(self.weights)
        return model.eval()


def average(paths: Sequence[Path]) -> Checkpoint:
    """The mean of several checkpoints' weights; see `averaged`."""
    return averaged(paths, Checkpoint.load)
