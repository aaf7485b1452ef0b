"""Checkpoints: everything a run needs to go on, and everything export needs to begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.atomic import new_file
from training.errors import TrainingError
from training.model import build_model
from training.recipe import Recipe, parse_recipe
from training.seq2seq import Seq2Seq
from training.vocabulary import Vocabulary

FORMAT = 1


def read_checkpoint(path: Path, format_: object, what: str) -> dict[str, Any]:
    """What a file of this format holds; no code in it is executed.

    Args:
        path: of the file.
        format_: what it says of itself.
        what: it is, for the message.

    Raises:
        TrainingError: the file is missing, damaged or of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"no checkpoint at {path}") from None
    except Exception as error:  # torch.load raises whatever the damage leads to
        raise TrainingError(f"{path} is not a readable checkpoint: {error}") from error
    if not isinstance(content, dict) or content.get("format") != format_:
        raise TrainingError(f"{path} is not a {what}")
    return content


@dataclass
class Checkpoint:
    """A trained (or half-trained) model with its recipe and vocabularies."""

    recipe: Recipe
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    weights: dict[str, Tensor]
    progress: dict[str, Any]
    """Step, tokens seen, seconds, validation results; what a model card quotes."""
    trainer: dict[str, Any]
    """Optimiser, schedule, place in the data. Empty once averaged."""
    examples: list[list[int]] = field(default_factory=list)
    """Sources of the training data, ids with end of sentence: what export calibrates and checks with."""
    held_out: list[tuple[list[int], list[int]]] = field(default_factory=list)
    """Pairs of the development data, sources with end of sentence: what export chooses by whose attention aligns."""

    def save(self, path: Path) -> None:
        """Write the file whole or not at all: a killed run never leaves half a checkpoint."""
        content = {
            "format": FORMAT,
            "recipe": self.recipe.to_dict(),
            "source_vocabulary": _to_tensor(self.source_vocabulary.model),
            "target_vocabulary": _to_tensor(self.target_vocabulary.model),
            "weights": self.weights,
            "progress": self.progress,
            "trainer": self.trainer,
            "examples": self.examples,
            "held_out": self.held_out,
        }
        with new_file(path) as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint; no code in it is executed.

        Raises:
            TrainingError: the file is missing, damaged or of another format.
        """
        content = read_checkpoint(path, FORMAT, f"checkpoint of format {FORMAT}")
        return cls(
            recipe=parse_recipe(content["recipe"], str(path)),
            source_vocabulary=Vocabulary(_to_bytes(content["source_vocabulary"])),
            target_vocabulary=Vocabulary(_to_bytes(content["target_vocabulary"])),
            weights=content["weights"],
            progress=content["progress"],
            trainer=content["trainer"],
            examples=content.get("examples", []),  # checkpoints of 0.1 have none
            held_out=content.get("held_out", []),  # nor have older ones of these
        )

    def build_model(self) -> Seq2Seq[Any]:
        """The model with these weights, in evaluation mode."""
        model = build_model(self.recipe, self.source_vocabulary, self.target_vocabulary)
        model.load_state_dict(self.weights)
        return model.eval()


def step_checkpoints(directory: Path) -> list[Path]:
    """The step-N.pt files of a run, oldest first."""
    numbered = [(int(match[1]), path) for path in directory.glob("step-*.pt") if (match := _STEP.match(path.name))]
    return [path for _, path in sorted(numbered)]


def average(paths: Sequence[Path]) -> Checkpoint:
    """The mean of several checkpoints' weights (section 6.1 of Vaswani et al. 2017), without trainer state.

    Raises:
        TrainingError: no path is given, or the checkpoints are of different models.
    """
    if not paths:
        raise TrainingError("no checkpoints to average")
    total: dict[str, Tensor] = {}
    identity: tuple[Any, ...] | None = None
    for path in paths:
        latest = Checkpoint.load(path)
        if identity is None:
            identity = _identity(latest)
        elif identity != _identity(latest):
            raise TrainingError(f"{path} is not of the same model as {paths[0]}: settings or vocabularies differ")
        for name, weight in latest.weights.items():
            total[name] = total[name] + weight.double() if name in total else weight.double()
    latest.weights = {name: (weight / len(paths)).float() for name, weight in total.items()}
    latest.progress = latest.progress | {"averaged_checkpoints": len(paths)}
    latest.trainer = {}
    return latest


def _identity(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """What checkpoints must share for a mean of their weights to be a model."""
    shapes = {name: weight.shape for name, weight in checkpoint.weights.items()}
    return checkpoint.recipe.model, checkpoint.source_vocabulary.model, checkpoint.target_vocabulary.model, shapes


_STEP = re.compile(r"step-(\d+)\.pt$")


def _to_tensor(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def _to_bytes(content: Tensor) -> bytes:
    return content.numpy().tobytes()
