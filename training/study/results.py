"""What a study found of one system, and the table of it all."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.checkpoint import Checkpoint
from training.protected_spans import protect_pair
from training.study.quality import Quality
from training.study.settings import System
from training.study.training import read_log


@dataclass(frozen=True)
class Point:
    """A validation during training."""

    step: int
    target_tokens: int
    seconds: float
    """Of this system's training and validation up to here."""
    loss: float
    """Of the development text, in nats per target token."""


@dataclass(frozen=True)
class Result:
    """One system."""

    system: System
    num_parameters: int
    num_target_tokens: int
    """Seen in training."""
    seconds: float
    """Of training and validation."""
    curve: tuple[Point, ...]
    quality: Quality
    served_tokens_per_second: float
    tokens_per_character: float
    """Of the development text's targets in this system's vocabulary, end of sentence included."""

    @property
    def loss_per_character(self) -> float:
        """The lowest development loss in nats per character, which does not depend on how text is cut into tokens."""
        return self.best_loss * self.tokens_per_character

    @property
    def best_loss(self) -> float:
        """The lowest development loss."""
        return min(point.loss for point in self.curve)

    @property
    def training_tokens_per_second(self) -> float:
        """Target tokens, validation included in the time."""
        return self.num_target_tokens / self.seconds

    def seconds_to(self, loss_per_character: float) -> float | None:
        """Training time until the development loss was that low; None if it never was."""
        loss = loss_per_character / self.tokens_per_character
        return next((point.seconds for point in self.curve if point.loss <= loss * (1 + 1e-9)), None)


def collect(
    system: System,
    directory: Path,
    development: Sequence[tuple[str, str]],
    quality: Quality,
    served_tokens_per_second: float,
) -> Result:
    """The result of a trained system.

    Args:
        system: which.
        directory: of the study's training.
        development: the pairs of the development text.
        quality: measured.
        served_tokens_per_second: measured.
    """
    latest = Checkpoint.load(directory / system.name / "averaged.pt")
    log = [row for row in read_log(directory / "training.csv") if row["system"] == system.name]
    rows = {int(row["step"]): row for row in log}
    read = [protect_pair(*pair, latest.recipe.protected_spans)[1] for pair in development]
    num_tokens = sum(len(ids) + 1 for ids in latest.target_vocabulary.encode(read))
    curve = tuple(
        Point(step, int(rows[step]["target_tokens"]), float(rows[step]["seconds"]), validation["loss"])
        for validation in latest.progress["validations"]
        if (step := int(validation["step"])) in rows
    )
    return Result(
        system,
        sum(parameter.numel() for parameter in latest.build_model().parameters()),
        latest.progress["target_tokens"],
        latest.progress["seconds"],
        curve,
        quality,
        served_tokens_per_second,
        num_tokens / sum(len(target) for _, target in development),
    )


def write_csv(results: Sequence[Result], path: Path) -> None:
    """One row for each system, one column for each number."""
    lengths = list(results[0].quality.by_length)
    fields = [
        "system",
        "parameters",
        "development_loss",
        "loss_per_character",
        "bleu",
        "chrf2",
        *(f"bleu_{length}" for length in lengths),
    ]
    speeds = ["target_tokens", "training_seconds", "training_tokens_per_second", "served_tokens_per_second"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*fields, *speeds])
        for result in results:
            by_length = [f"{result.quality.by_length[length].bleu:.2f}" for length in lengths]
            losses = [f"{result.best_loss:.4f}", f"{result.loss_per_character:.4f}"]
            scores = [*losses, f"{result.quality.all.bleu:.2f}", f"{result.quality.all.chrf:.2f}"]
            rates = (result.seconds, result.training_tokens_per_second, result.served_tokens_per_second)
            numbers = [result.num_target_tokens, *(f"{rate:.0f}" for rate in rates)]
            writer.writerow([result.system.name, result.num_parameters, *scores, *by_length, *numbers])
