"""Training the systems of a study: in turns, so that whatever slows the machine slows all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import torch

from training.build_vocabularies import build_vocabularies
from training.data import read_texts
from training.loop import Interval
from training.provenance import describe_provenance
from training.study.settings import Study, System
from training.trainer import Trainer
from training.vocabulary import Vocabulary

LOG_FIELDS = ("system", "step", "target_tokens", "seconds", "loss")


def train(study: Study, data: Path, output: Path, device: torch.device) -> None:
    """Train all systems, a logging interval of each in turn; goes on where `output` has checkpoints.

    Args:
        study: what to train.
        data: prepared text; gets the vocabulary of those systems that have none of their own.
        output: gets a directory for each system, and training.csv with how far each was after every interval.
        device: where.
    """
    trainers = {system.name: _trainer(study, system, data, output / system.name, device) for system in study.systems}
    output.mkdir(parents=True, exist_ok=True)
    log = output / "training.csv"
    _keep_until(log, {name: trainer.step for name, trainer in trainers.items()})
    running: dict[str, Iterator[Interval]] = {name: trainer.intervals() for name, trainer in trainers.items()}
    while running:
        for name in list(running):
            interval = next(running[name], None)
            if interval is None:
                trainers[name].finish()
                del running[name]
            else:
                _append(log, name, interval)


def read_log(path: Path) -> list[dict[str, str]]:
    """The rows of training.csv; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _trainer(study: Study, system: System, data: Path, directory: Path, device: torch.device) -> Trainer:
    recipe = study.recipe_of(system)
    vocabularies = directory / "vocabulary" if system.vocabulary else data
    if not (vocabularies / "target.model").is_file():
        build_vocabularies(recipe, data, vocabularies)
    source, target = (Vocabulary.load(vocabularies / f"{side}.model") for side in ("source", "target"))
    texts = read_texts(recipe, data, source, target)
    trainer = Trainer(recipe, source, target, *texts, directory, device, describe_provenance(data))
    trainer.resume()
    return trainer


def _keep_until(log: Path, steps: dict[str, int]) -> None:
    """Drop what an interrupted run did after its last checkpoints, for it is done again."""
    rows = [row for row in read_log(log) if int(row["step"]) <= steps.get(row["system"], 0)]
    with log.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, LOG_FIELDS)
        writer.writeheader()
        writer.writerows(rows)


def _append(log: Path, name: str, interval: Interval) -> None:
    with log.open("a", encoding="utf-8", newline="") as file:
        numbers = (interval.step, interval.num_target_tokens, round(interval.seconds, 3), round(interval.loss, 5))
        csv.writer(file).writerow((name, *numbers))
