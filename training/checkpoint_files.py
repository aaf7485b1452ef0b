"""The files of a run: what checkpoints of every kind of model have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from training.atomic import new_file
from training.errors import TrainingError
from training.recipe import TrainerSettings

_STEP = re.compile(r"step-(\d+)\.pt$")


class RunRecipe(Protocol):
    """What a checkpoint's recipe has in any case."""

    @property
    def trainer(self) -> TrainerSettings:
        """The optimisation."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        ...


class RunCheckpoint(Protocol):
    """What the training loop asks of a checkpoint, whatever else is in it."""

    weights: dict[str, Tensor]
    progress: dict[str, Any]
    """Step, tokens seen, seconds, validation results, provenance; what a model card quotes."""
    trainer: dict[str, Any]
    """Optimiser, schedule, place in the data. Empty once averaged."""

    @property
    def recipe(self) -> RunRecipe:
        """How it was trained."""
        ...

    @property
    def identity(self) -> tuple[Any, ...]:
        """What checkpoints of one model share: settings and vocabularies. Only then are weights interchangeable."""
        ...

    def save(self, path: Path) -> None:
        """Write the file whole or not at all: a killed run never leaves half a checkpoint."""
        ...


AnyCheckpoint = TypeVar("AnyCheckpoint", bound=RunCheckpoint)


def write_checkpoint(path: Path, format_: object, checkpoint: RunCheckpoint, **own: object) -> None:
    """Write a file of this format, whole or not at all; `own` is what only this kind of checkpoint holds."""
    content = {
        "format": format_,
        "recipe": checkpoint.recipe.to_dict(),
        "weights": checkpoint.weights,
        "progress": checkpoint.progress,
        "trainer": checkpoint.trainer,
        **own,
    }
    with new_file(path) as file:
        torch.save(content, file)


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


def to_tensor(content: bytes) -> Tensor:
    """How a checkpoint holds bytes, such as a vocabulary: (N,) uint8."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def to_bytes(content: Tensor) -> bytes:
    """What `to_tensor` was given."""
    return content.numpy().tobytes()


def step_checkpoints(directory: Path) -> list[Path]:
    """The step-N.pt files of a run, oldest first."""
    numbered = [(int(match[1]), path) for path in directory.glob("step-*.pt") if (match := _STEP.match(path.name))]
    return [path for _, path in sorted(numbered)]


def averaged(paths: Sequence[Path], load: Callable[[Path], AnyCheckpoint]) -> AnyCheckpoint:
    """The mean of several checkpoints' weights (section 6.1 of Vaswani et al. 2017), without trainer state.

    Raises:
        TrainingError: no path is given, or the checkpoints are of different models.
    """
    if not paths:
        raise TrainingError("no checkpoints to average")
    total: dict[str, Tensor] = {}
    identity: tuple[Any, ...] | None = None
    for path in paths:
        latest = load(path)
        found = latest.identity, {name: weight.shape for name, weight in latest.weights.items()}
        if identity is None:
            identity = found
        elif identity != found:
            raise TrainingError(f"{path} is not of the same model as {paths[0]}: settings or vocabularies differ")
        for name, weight in latest.weights.items():
            total[name] = total[name] + weight.double() if name in total else weight.double()
    latest.weights = {name: (total[name] / len(paths)).to(weight.dtype) for name, weight in latest.weights.items()}
    latest.progress = latest.progress | {"averaged_checkpoints": len(paths)}
    latest.trainer = {}
    return latest
