"""Many id sequences in one flat array, in memory or mapped from a file, so that they cost no Python objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

LENGTH_TYPE = np.dtype("<u4")
END_TYPE = np.dtype("<u8")


@dataclass(frozen=True)
class Sequences:
    """`ids` of all sequences one after another; sequence i has `lengths[i]` of them and stops before `ends[i]`."""

    ids: NDArray[Any]
    lengths: NDArray[Any]
    ends: NDArray[Any]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Sequences:
        """Copy lists of ids into one array."""
        lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=LENGTH_TYPE, count=len(sequences))
        ids = (token for sequence in sequences for token in sequence)
        return cls(np.fromiter(ids, dtype=np.int32, count=int(lengths.sum())), lengths, np.cumsum(lengths))

    @classmethod
    def map(cls, directory: Path, name: str, id_type: str) -> Sequences:
        """Map what a `SequenceWriter` wrote; nothing is read before it is asked for.

        Raises:
            OSError, ValueError: a file is missing or empty, or they do not fit together.
        """
        types = {"ids": np.dtype(id_type), "lengths": LENGTH_TYPE, "ends": END_TYPE}
        # Plain arrays over the maps: a memmap is slow to index.
        ids, lengths, ends = (
            np.asarray(np.memmap(directory / f"{name}.{part}", kind, mode="r")) for part, kind in types.items()
        )
        if len(lengths) != len(ends) or int(ends[-1]) != len(ids):
            raise ValueError(f"{name}.ids, {name}.lengths and {name}.ends do not fit together")
        return cls(ids, lengths, ends)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[Any]:
        end = int(self.ends[index])
        return self.ids[end - int(self.lengths[index]) : end]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))


class SequenceWriter:
    """Appends sequences to the files that `Sequences.map` reads: NAME.ids, NAME.lengths, NAME.ends."""

    def __init__(self, directory: Path, name: str, id_type: str) -> None:
        self._ids, self._lengths, self._ends = (
            (directory / f"{name}.{part}").open("wb") for part in ("ids", "lengths", "ends")
        )
        self._id_type = np.dtype(id_type)
        self._num_ids = 0

    def append(self, sequences: Sequence[Sequence[int]]) -> None:
        """Write a chunk; memory is needed for this chunk alone."""
        chunk = Sequences.of(sequences)
        _write(self._ids, chunk.ids.astype(self._id_type))
        _write(self._lengths, chunk.lengths)
        _write(self._ends, (chunk.ends + self._num_ids).astype(END_TYPE))
        self._num_ids += len(chunk.ids)

    def __enter__(self) -> SequenceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._ids, self._lengths, self._ends):
            file.close()


def _write(file: BinaryIO, values: NDArray[Any]) -> None:
    file.write(values.tobytes())
