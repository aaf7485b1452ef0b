"""Parallel examples in memory and the batches made of them.

B batch, S source length, T target length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.errors import TrainingError
from training.recipe import DataSettings
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, Vocabulary


@dataclass(frozen=True)
class Batch:
    """Padded examples: `source` (B, S) with `source_lengths` (B,), `target_input` and `target_output` (B, T)."""

    source: Tensor
    source_lengths: Tensor
    target_input: Tensor
    target_output: Tensor

    @property
    def num_target_tokens(self) -> int:
        """Real target tokens, end of sentence included."""
        return int((self.target_output != PAD_ID).sum())

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return Batch(
            self.source.to(device, non_blocking=True),
            self.source_lengths.to(device, non_blocking=True),
            self.target_input.to(device, non_blocking=True),
            self.target_output.to(device, non_blocking=True),
        )


class Sequences:
    """Many id sequences in one flat array, so that millions of them cost no Python objects."""

    def __init__(self, sequences: Sequence[Sequence[int]]) -> None:
        self.lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=np.int64, count=len(sequences))
        self._ends = np.cumsum(self.lengths)
        total = int(self._ends[-1]) if len(sequences) else 0
        ids = (token for sequence in sequences for token in sequence)
        self._ids: NDArray[np.int32] = np.fromiter(ids, dtype=np.int32, count=total)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        end = int(self._ends[index])
        return self._ids[end - int(self.lengths[index]) : end]


class ParallelData:
    """Aligned source and target ids; sources end with end of sentence, targets carry neither end nor beginning."""

    def __init__(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> None:
        self.sources = Sequences(sources)
        self.targets = Sequences(targets)

    @classmethod
    def read(
        cls, path: Path, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary, settings: DataSettings
    ) -> ParallelData:
        """Read a prepared TSV file; pairs longer than the settings allow are left out.

        Raises:
            TrainingError: the file is missing or holds no pair that fits.
        """
        pairs = read_pairs(path)
        sources = source_vocabulary.encode([source for source, _ in pairs])
        targets = target_vocabulary.encode([target for _, target in pairs])
        fitting = [
            ([*source, END_ID], target)
            for source, target in zip(sources, targets, strict=True)
            if source
            and target
            and len(source) < settings.max_source_tokens
            and len(target) < settings.max_target_tokens
        ]
        if not fitting:
            raise TrainingError(f"{path} holds no pair within data.max_source_tokens and data.max_target_tokens")
        return cls([source for source, _ in fitting], [target for _, target in fitting])

    def __len__(self) -> int:
        return len(self.sources)

    def batches(self, settings: DataSettings, seed: int | None = None) -> list[NDArray[np.int64]]:
        """Example indices of each batch, length-bucketed within the token budget.

        Args:
            settings: the token budget.
            seed: decides the order; the same seed gives the same batches. None: shortest first, for validation.
        """
        source_lengths, target_lengths = self.sources.lengths, self.targets.lengths + 1
        order = np.arange(len(self))
        generator = np.random.default_rng(seed)
        if seed is not None:
            generator.shuffle(order)
        order = order[np.lexsort((source_lengths[order], target_lengths[order]))]
        batches, start, longest = [], 0, 0
        for end, index in enumerate(order):
            longest_with = max(longest, int(source_lengths[index]), int(target_lengths[index]))
            if end > start and longest_with * (end - start + 1) > settings.batch_tokens:
                batches.append(order[start:end])
                start, longest_with = end, max(int(source_lengths[index]), int(target_lengths[index]))
            longest = longest_with
        batches.append(order[start:])
        if seed is not None:
            generator.shuffle(batches)
        return batches

    def batch(self, indices: NDArray[np.int64]) -> Batch:
        """The examples at `indices`, padded."""
        sources = [self.sources[int(index)] for index in indices]
        targets = [self.targets[int(index)] for index in indices]
        begin, end = np.array([BEGIN_ID], np.int32), np.array([END_ID], np.int32)
        return Batch(
            pad(sources),
            torch.tensor([len(source) for source in sources]),
            pad([np.concatenate((begin, target)) for target in targets]),
            pad([np.concatenate((target, end)) for target in targets]),
        )


@dataclass
class BatchStream:
    """Endless training batches; `epoch` and `position` say where it stands, so that a run can resume."""

    data: ParallelData
    settings: DataSettings
    seed: int
    epoch: int = 0
    position: int = 0

    def __iter__(self) -> Iterator[Batch]:
        while True:
            batches = self.data.batches(self.settings, seed=self.seed + self.epoch)
            while self.position < len(batches):
                self.position += 1
                yield self.data.batch(batches[self.position - 1])
            self.epoch, self.position = self.epoch + 1, 0


def pad(sequences: Sequence[NDArray[np.int32]]) -> Tensor:
    """Sequences of unequal length -> (B, longest), filled up with the padding id."""
    padded = np.full((len(sequences), max(len(sequence) for sequence in sequences)), PAD_ID, dtype=np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded)


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The (source, target) texts of a prepared TSV file.

    Raises:
        TrainingError: the file is missing, or a line has fewer than two columns.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is missing: run `python -m training prepare` first")
    pairs = []
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) < 2:
                raise TrainingError(f"{path}:{number}: expected source, tab, target")
            pairs.append((columns[0], columns[1]))
    return pairs
