"""Where decoder state lies: the seam between the cache's books and memory, and the host's memory itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from service.bundle.state_spec import DTYPES, StateArray
from service.engine.batch import Array, EncodedSource

Layout = dict[int | None, list[Array]]
"""Buffers by the number of axes between their rows and their growing axis; None where they do not grow."""


class Numbers(NamedTuple):
    """What a step reads of every row beside its state."""

    token_ids: Array
    """(max_rows,) int64, the last token."""
    positions: Array
    """(max_rows,) int32, its position in the target, from 0."""
    source_lengths: Array
    """(max_rows,) int32."""


class Span(NamedTuple):
    """What of a row is copied."""

    first: int
    """Of what grows with the target, the first position that differs."""
    length: int
    """Target positions in use."""
    source_length: int | None
    """Source positions in use; None where both rows have the same source."""


class StateStore(Protocol):
    """The memory of `max_rows` rows."""

    numbers: Numbers
    num_bytes: int
    """Of the state of all rows."""

    def write(self, row: int, source: EncodedSource) -> None:
        """What the encoder gave becomes the state of a row."""
        ...

    def copy(self, start: int, end: int, span: Span) -> None:
        """Row `end` becomes what row `start` is, where `span` says."""
        ...

    def state(self, num_rows: int) -> Mapping[str, Any]:
        """What `Batch.state` is of the first rows."""
        ...


class HostStore:
    """One preallocated array for each of the spec's, written and read at once.

    Attributes:
        arrays: by state name, shape as the spec says with `max_rows` rows and full capacity.
    """

    def __init__(self, spec: tuple[StateArray, ...], max_rows: int, source_capacity: int, target_capacity: int) -> None:
        self._spec = spec
        self.arrays: dict[str, Array] = {
            # Written once, so that the memory is had now and not row by row: np.zeros only promises it.
            array.name: np.full(array.buffer_shape(max_rows, source_capacity, target_capacity), 0, DTYPES[array.dtype])
            for array in spec
        }
        self.numbers = Numbers(np.zeros(max_rows, np.int64), np.zeros(max_rows, np.int32), np.zeros(max_rows, np.int32))
        self.num_bytes = sum(array.nbytes for array in self.arrays.values())
        self._source_layout = self._layout("source")
        self._hypothesis_layout = self._layout("hypothesis")

    def write(self, row: int, source: EncodedSource) -> None:
        """See `StateStore`."""
        for array in self._spec:
            if array.is_from_encoder:
                filled = _prefix(array, source.length)
                self.arrays[array.name][row][filled] = source.state[array.name][filled]

    def copy(self, start: int, end: int, span: Span) -> None:
        """See `StateStore`."""
        if span.source_length is not None:
            _copy_arrays(self._source_layout, start, end, slice(0, span.source_length))
        _copy_arrays(self._hypothesis_layout, start, end, slice(span.first, span.length))

    def state(self, num_rows: int) -> dict[str, Array]:
        """Views of the arrays."""
        return {name: array[:num_rows] for name, array in self.arrays.items()}

    def _layout(self, owner: str) -> Layout:
        layout: Layout = {}
        for array in self._spec:
            if array.owner == owner:
                before = None if array.growing_axis is None else array.growing_axis - 1
                layout.setdefault(before, []).append(self.arrays[array.name])
        return layout


def _copy_arrays(layout: Layout, start: int, end: int, positions: slice) -> None:
    for before, buffers in layout.items():
        tail: tuple[Any, ...] = () if before is None else (slice(None),) * before + (positions,)
        source, target = (start, *tail), (end, *tail)
        for buffer in buffers:
            buffer[target] = buffer[source]


def _prefix(array: StateArray, length: int) -> tuple[slice, ...]:
    """Index of the first `length` positions of one row; everything where the array does not grow."""
    axis = array.growing_axis
    return () if axis is None else (slice(None),) * (axis - 1) + (slice(0, length),)
