"""Where decoder state lives: one preallocated buffer per state array, one row per running hypothesis.

Running rows are dense: rows 0 … n - 1 of every buffer are the batch, without a copy. When a row retires, the last row
moves into its place.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from service.bundle.state_spec import DTYPES, SOURCE, TARGET, StateArray
from service.engine.batch import Array, Batch, EncodedSource


class KVCache:
    """Buffers for `max_rows` rows and what each running row holds.

    Attributes:
        arrays: by state name, shape as the spec says with `max_rows` rows and full capacity.
        token_ids: (max_rows,) the last token of each row.
        positions: (max_rows,) its position in the target, from 0.
        source_lengths: (max_rows,).
    """

    def __init__(self, spec: tuple[StateArray, ...], max_rows: int, source_capacity: int, target_capacity: int) -> None:
        self.spec = spec
        self.max_rows = max_rows
        self.source_capacity = source_capacity
        self.target_capacity = target_capacity
        self.arrays: dict[str, Array] = {
            array.name: np.zeros(array.buffer_shape(max_rows, source_capacity, target_capacity), DTYPES[array.dtype])
            for array in spec
        }
        self.token_ids = np.zeros(max_rows, np.int64)
        self.positions = np.zeros(max_rows, np.int32)
        self.source_lengths = np.zeros(max_rows, np.int32)
        self._owners: list[int] = []
        self._batches: dict[int, Batch] = {}

    @property
    def num_rows(self) -> int:
        """Rows in use: 0 … num_rows - 1."""
        return len(self._owners)

    @property
    def num_free_rows(self) -> int:
        """Rows that can still be added."""
        return self.max_rows - self.num_rows

    @property
    def num_bytes(self) -> int:
        """Memory of all buffers."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def usage_ratio(self) -> float:
        """Target positions held, over all there is room for."""
        return float(self.positions[: self.num_rows].sum()) / (self.max_rows * self.target_capacity)

    def add(self, owner: int, source: EncodedSource, begin_id: int) -> int:
        """Give a source a row; returns the row. `owner` is whoever holds it, for `check_integrity`.

        Raises:
            ValueError: no row is free, or the source is longer than the buffers.
        """
        if not self.num_free_rows:
            raise ValueError("no free row")
        if not 0 < source.length <= self.source_capacity:
            raise ValueError(f"source of {source.length} tokens does not fit {self.source_capacity}")
        row = self.num_rows
        for array in self.spec:
            if array.is_from_encoder:
                self._fill(array, row, source)
        self.token_ids[row] = begin_id
        self.positions[row] = 0
        self.source_lengths[row] = source.length
        self._owners.append(owner)
        return row

    def advance(self, row: int, token_id: int) -> None:
        """Append a token: the next step reads it.

        Raises:
            ValueError: the row is full.
        """
        if self.positions[row] + 1 >= self.target_capacity:
            raise ValueError(f"row {row} is full at {self.target_capacity} positions")
        self.token_ids[row] = token_id
        self.positions[row] += 1

    def retire(self, row: int) -> int | None:
        """Free a row; the last row moves into its place. Returns the owner of the row that moved, if any."""
        last = self.num_rows - 1
        if not 0 <= row <= last:
            raise ValueError(f"row {row} is not in use")
        owner = self._owners.pop()
        if row == last:
            return None
        for array in self.spec:
            self._move(array, last, row)
        for buffer in (self.token_ids, self.positions, self.source_lengths):
            buffer[row] = buffer[last]
        self._owners[row] = owner
        return owner

    def batch(self) -> Batch:
        """The running rows, as views; the same object whenever that many rows run."""
        num_rows = self.num_rows
        if num_rows not in self._batches:
            self._batches[num_rows] = Batch(
                self.token_ids[:num_rows],
                self.positions[:num_rows],
                self.source_lengths[:num_rows],
                {name: array[:num_rows] for name, array in self.arrays.items()},
            )
        return self._batches[num_rows]

    def check_integrity(self, rows_by_owner: Mapping[int, int]) -> None:
        """Recount: every owner's row is the one it believes it has, and every number is within bounds.

        Raises:
            AssertionError: the books are wrong.
        """
        assert {owner: row for row, owner in enumerate(self._owners)} == dict(rows_by_owner)
        assert 0 <= self.num_rows <= self.max_rows
        used = slice(0, self.num_rows)
        assert (self.positions[used] >= 0).all()
        assert (self.positions[used] < self.target_capacity).all()
        assert (self.source_lengths[used] > 0).all()
        assert (self.source_lengths[used] <= self.source_capacity).all()

    def _fill(self, array: StateArray, row: int, source: EncodedSource) -> None:
        filled = _prefix(array, source.length)
        self.arrays[array.name][row][filled] = source.state[array.name][filled]

    def _move(self, array: StateArray, start: int, end: int) -> None:
        buffer = self.arrays[array.name]
        # A row that has been stepped but not yet advanced holds its current position as well.
        num_filled = {SOURCE: self.source_lengths[start], TARGET: self.positions[start] + 1}
        filled = _prefix(array, int(num_filled.get(array.grows_with or "", 0)))
        buffer[end][filled] = buffer[start][filled]


def _prefix(array: StateArray, length: int) -> tuple[slice, ...]:
    """Index of the first `length` positions of one row; everything where the array does not grow."""
    axis = array.growing_axis
    return () if axis is None else (slice(None),) * (axis - 1) + (slice(0, length),)
