"""Who holds which row of the decoder state, one for each running hypothesis, and when rows move.

Running rows are dense while a step runs: rows 0 … n - 1 of every buffer are the batch, without a copy. Rows that retire
leave holes, which new rows fill; what holes remain before a step, the last rows move into.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from service.bundle.state_spec import DTYPES, StateArray
from service.engine.batch import Batch, EncodedSource
from service.engine.state_store import HostStore, Span, StateStore


@dataclass(slots=True, eq=False)
class Row:
    """A place in the batch; the cache changes `index` when it moves the row."""

    index: int
    owner: int
    """Whoever holds it."""


class Continuation(NamedTuple):
    """What becomes of one source's rows: the i-th child continues `rows[parents[i]]` with `token_ids[i]`."""

    rows: list[Row]
    parents: Sequence[int]
    token_ids: Sequence[int]


class KVCache:
    """`max_rows` rows and what each running row holds; a store has the memory.

    Attributes:
        token_ids: (max_rows,) the last token of each row.
        positions: (max_rows,) its position in the target, from 0.
        source_lengths: (max_rows,).
    """

    def __init__(
        self,
        spec: tuple[StateArray, ...],
        max_rows: int,
        source_capacity: int,
        target_capacity: int,
        store: StateStore | None = None,
    ) -> None:
        """`store`: memory for as many rows of that spec and these capacities; default: the host's."""
        self.spec = spec
        self.max_rows = max_rows
        self.source_capacity = source_capacity
        self.target_capacity = target_capacity
        self.store = store or HostStore(spec, max_rows, source_capacity, target_capacity)
        self.token_ids, self.positions, self.source_lengths = self.store.numbers
        self._history = np.zeros((max_rows, target_capacity), np.int64)
        """The tokens behind the values that a row holds, position by position."""
        self._rows: list[Row | None] = []
        self._holes: list[int] = []
        self._batches: dict[int, Batch] = {}

    @staticmethod
    def bytes_per_row(spec: tuple[StateArray, ...], source_capacity: int, target_capacity: int) -> int:
        """Memory of one row's state."""
        shapes = ((array.buffer_shape(1, source_capacity, target_capacity), DTYPES[array.dtype]) for array in spec)
        return sum(math.prod(shape) * dtype.itemsize for shape, dtype in shapes)

    @property
    def num_rows(self) -> int:
        """Rows in use."""
        return len(self._rows) - len(self._holes)

    @property
    def num_free_rows(self) -> int:
        """Rows that can still be opened."""
        return self.max_rows - self.num_rows

    @property
    def num_bytes(self) -> int:
        """Memory of all rows' state."""
        return self.store.num_bytes

    def usage(self) -> dict[str, float]:
        """Positions held over all there is room for: `self` of targets, `cross` of sources. From any thread."""
        indices = [row.index for row in list(self._rows) if row is not None]
        num_target, num_source = int(self.positions[indices].sum()), int(self.source_lengths[indices].sum())
        return {
            "self": num_target / (self.max_rows * self.target_capacity),
            "cross": num_source / (self.max_rows * self.source_capacity),
        }

    def open(self, owner: int, source: EncodedSource, begin_id: int) -> Row:
        """Give a source a row. `owner` is whoever holds it, for `check_integrity`.

        Raises:
            ValueError: no row is free, or the source is longer than the buffers.
            Exception: whatever reading the source's state raises; no row is taken then.
        """
        if not 0 < source.length <= self.source_capacity:
            raise ValueError(f"source of {source.length} tokens does not fit {self.source_capacity}")
        row = self._take(owner)
        try:
            self.store.write(row.index, source)
        except Exception:
            self.close([row])
            raise
        self.token_ids[row.index] = self._history[row.index, 0] = begin_id
        self.positions[row.index] = 0
        self.source_lengths[row.index] = source.length
        return row

    def advance(self, continuations: Sequence[Continuation]) -> list[list[Row]]:
        """The rows of every source after a step.

        A parent's first child keeps its row. Others are copied, best into a row that loses its hypothesis and shares a
        beginning with the parent: what the same tokens made is there already. Rows without children are closed.

        Raises:
            ValueError: a row is full, or no row is free.
        """
        advanced = [
            self._children(held.rows, held.parents) if len(held.rows) > 1 or len(held.parents) > 1 else held.rows
            for held in continuations
        ]
        rows = [row.index for children in advanced for row in children]
        positions = self.positions[rows] + 1
        if rows and positions.max() >= self.target_capacity:
            raise ValueError(f"row {rows[int(positions.argmax())]} is full at {self.target_capacity} positions")
        tokens = [token for held in continuations for token in held.token_ids]
        self.positions[rows] = positions
        self.token_ids[rows] = self._history[rows, positions] = tokens
        return advanced

    def close(self, rows: Sequence[Row]) -> None:
        """Free rows.

        Raises:
            ValueError: a row is not in use.
        """
        for row in rows:
            if not (0 <= row.index < len(self._rows) and self._rows[row.index] is row):
                raise ValueError(f"row {row.index} is not in use")
            self._rows[row.index] = None
            bisect.insort(self._holes, row.index)

    def batch(self) -> Batch:
        """The running rows, dense, as views; the same object whenever that many rows run."""
        self._compact()
        num_rows = self.num_rows
        if num_rows not in self._batches:
            self._batches[num_rows] = Batch(
                self.token_ids[:num_rows],
                self.positions[:num_rows],
                self.source_lengths[:num_rows],
                self.store.state(num_rows),
            )
        return self._batches[num_rows]

    def check_integrity(self, rows_by_owner: Mapping[int, Sequence[Row]]) -> None:
        """Recount: every owner's rows are the ones it believes it has, and every number is within bounds.

        Raises:
            AssertionError: the books are wrong.
        """
        held = {row.index: row for row in self._rows if row is not None}
        believed = {row.index: row for rows in rows_by_owner.values() for row in rows}
        assert held == believed
        assert sum(map(len, rows_by_owner.values())) == len(held) == self.num_rows <= self.max_rows
        assert all(row.owner == owner for owner, rows in rows_by_owner.items() for row in rows)
        assert self._holes == [index for index, row in enumerate(self._rows) if row is None]
        for index in held:
            position = self.positions[index]
            assert 0 <= position < self.target_capacity
            assert self._history[index, position] == self.token_ids[index]
            assert 0 < self.source_lengths[index] <= self.source_capacity

    def _take(self, owner: int) -> Row:
        if not self.num_free_rows:
            raise ValueError("no free row")
        row = Row(self._holes.pop(0) if self._holes else len(self._rows), owner)
        if row.index == len(self._rows):
            self._rows.append(row)
        else:
            self._rows[row.index] = row
        return row

    def _children(self, rows: list[Row], parents: Sequence[int]) -> list[Row]:
        childless = [row for index, row in enumerate(rows) if index not in parents]
        children: list[Row] = []
        kept: set[int] = set()
        for parent in parents:
            children.append(self._copy(rows[parent], childless) if parent in kept else rows[parent])
            kept.add(parent)
        self.close(childless)
        return children

    def _copy(self, parent: Row, childless: list[Row]) -> Row:
        """A second row with all that `parent` holds, taken from `childless` while there are any."""
        length = int(self.positions[parent.index]) + 1
        if not childless:
            row = self._take(parent.owner)
            self._copy_state(parent.index, row.index, 0, length, with_source=True)
            return row
        shared, row = max(
            ((self._num_shared(parent.index, candidate.index, length), candidate) for candidate in childless),
            key=lambda pair: pair[0],
        )
        childless.remove(row)
        self._copy_state(parent.index, row.index, shared, length, with_source=False)
        return row

    def _num_shared(self, first: int, second: int, length: int) -> int:
        """Positions at the beginning of two rows of one source that the same tokens made."""
        differs = self._history[first, :length] != self._history[second, :length]
        return int(differs.argmax()) if differs.any() else length

    def _copy_state(self, start: int, end: int, first: int, length: int, with_source: bool) -> None:
        """Copy a row, of what grows with the target only positions `first` … `length` - 1."""
        source_length = int(self.source_lengths[start]) if with_source else None
        self.store.copy(start, end, Span(first, length, source_length))
        self._history[end, first:length] = self._history[start, first:length]
        for numbers in (self.token_ids, self.positions, self.source_lengths):
            numbers[end] = numbers[start]

    def _compact(self) -> None:
        while self._holes:
            last = self._rows.pop()
            if last is None:
                self._holes.pop()
                continue
            hole = self._holes.pop(0)
            # The current position is not stepped yet, but its token is known.
            self._copy_state(last.index, hole, 0, int(self.positions[last.index]) + 1, with_source=True)
            last.index = hole
            self._rows[hole] = last
