"""Parallel examples and the batches made of them.

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

from training.bucketing import bucketed_batches
from training.encoding import Reading, encoded, iterate_pairs
from training.packing import Packing
from training.recipe import DataSettings, Recipe
from training.sequences import Sequences
from training.stream import Stream
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, Vocabulary

AS_IT_IS = Reading()


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


@dataclass(frozen=True)
class PackedBatch:
    """Examples end to end: `source` (1, N), `target_input` and `target_output` (1, M), and where each stands."""

    source: Tensor
    source_packing: Packing
    target_input: Tensor
    target_output: Tensor
    target_packing: Packing

    @property
    def num_target_tokens(self) -> int:
        """Target tokens, end of sentence included."""
        return self.target_output.shape[1]

    def to(self, device: torch.device) -> PackedBatch:
        """The same batch on `device`."""
        return PackedBatch(
            self.source.to(device, non_blocking=True),
            self.source_packing.to(device),
            self.target_input.to(device, non_blocking=True),
            self.target_output.to(device, non_blocking=True),
            self.target_packing.to(device),
        )


TextBatch = Batch | PackedBatch


class ParallelData:
    """Aligned source and target ids; sources end with end of sentence, targets carry neither end nor beginning."""

    def __init__(
        self, sources: Sequences | Sequence[Sequence[int]], targets: Sequences | Sequence[Sequence[int]]
    ) -> None:
        self.sources = sources if isinstance(sources, Sequences) else Sequences.of(sources)
        self.targets = targets if isinstance(targets, Sequences) else Sequences.of(targets)

    @classmethod
    def read(
        cls,
        path: Path,
        source_vocabulary: Vocabulary,
        target_vocabulary: Vocabulary,
        settings: DataSettings,
        reading: Reading = AS_IT_IS,
    ) -> ParallelData:
        """A prepared TSV file, through the ids kept beside it; pairs longer than the settings allow are left out.

        Raises:
            TrainingError: the file is missing or holds no pair that fits.
        """
        return cls(*encoded(path, source_vocabulary, target_vocabulary, settings, reading))

    def __len__(self) -> int:
        return len(self.sources)

    def spread(self, number: int) -> list[tuple[list[int], list[int]]]:
        """Ids of up to so many pairs from all over the data."""
        places = np.unique(np.linspace(0, len(self) - 1, number, dtype=np.int64))
        return [(self.sources[int(place)].tolist(), self.targets[int(place)].tolist()) for place in places]

    def iterate_batches(self, settings: DataSettings, seed: int | None = None) -> Iterator[NDArray[np.int64]]:
        """As `batches`, one after another: the order of all examples is never in memory."""
        generator = None if seed is None else np.random.default_rng(seed)
        return bucketed_batches(self.sources.lengths, self.targets.lengths, settings.batch_tokens, generator)

    def batches(self, settings: DataSettings, seed: int | None = None) -> list[NDArray[np.int64]]:
        """Example indices of each batch, length-bucketed within the token budget.

        Args:
            settings: the token budget.
            seed: decides the order; the same seed gives the same batches. None: shortest first, for validation.
        """
        return list(self.iterate_batches(settings, seed))

    def packed_batch(self, indices: NDArray[np.int64]) -> PackedBatch:
        """The examples at `indices`, end to end."""
        sources = [self.sources[int(index)] for index in indices]
        targets = [self.targets[int(index)] for index in indices]
        begin, end = np.array([BEGIN_ID], np.int32), np.array([END_ID], np.int32)
        inputs = [part for target in targets for part in (begin, target)]
        outputs = [part for target in targets for part in (target, end)]
        return PackedBatch(
            _joined(sources),
            Packing.of([len(source) for source in sources]),
            _joined(inputs),
            _joined(outputs),
            Packing.of([len(target) + 1 for target in targets]),
        )

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


def read_texts(
    recipe: Recipe, directory: Path, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary
) -> tuple[list[ParallelData], ParallelData]:
    """The versions of the training text, and the development text, of a directory of prepared text.

    Raises:
        TrainingError: a file is missing or holds no pair that fits.
    """

    def read(name: str, version: int | None) -> ParallelData:
        reading = Reading(recipe.protected_spans, recipe.augmentation, recipe.seed, version)
        return ParallelData.read(directory / name, source_vocabulary, target_vocabulary, recipe.data, reading)

    versions = [read("train.tsv", version) for version in range(recipe.augmentation.num_versions)]
    return versions, read("development.tsv", None)


@dataclass
class BatchStream(Stream[tuple[ParallelData, NDArray[np.int64]], TextBatch]):
    """Endless training batches; epochs take turns at the versions of the data."""

    versions: Sequence[ParallelData]
    settings: DataSettings
    seed: int

    def plans(self, epoch: int) -> Iterator[tuple[ParallelData, NDArray[np.int64]]]:
        """See `Stream`: the data and the examples' indices."""
        data = self.versions[epoch % len(self.versions)]
        return ((data, indices) for indices in data.iterate_batches(self.settings, seed=self.seed + epoch))

    def batch(self, plan: tuple[ParallelData, NDArray[np.int64]]) -> TextBatch:
        """See `Stream`."""
        data, indices = plan
        return data.packed_batch(indices) if self.settings.is_packed else data.batch(indices)


def pad(sequences: Sequence[NDArray[np.int32]]) -> Tensor:
    """Sequences of unequal length -> (B, longest), filled up with the padding id."""
    padded = np.full((len(sequences), max(len(sequence) for sequence in sequences)), PAD_ID, dtype=np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded)


def _joined(sequences: Sequence[NDArray[np.int32]]) -> Tensor:
    """(1, N)."""
    return torch.from_numpy(np.concatenate(sequences).astype(np.int64))[None]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The (source, target) texts of a prepared TSV file, all in memory: for small files.

    Raises:
        TrainingError: the file is missing, or a line has fewer than two columns.
    """
    return list(iterate_pairs(path))
