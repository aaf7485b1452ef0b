"""Decoder state as named arrays that neither engine nor search can interpret.

An architecture differs from another in this data only: the Transformer's caches grow with the target, an RNN's hidden
state does not; what the encoder computed belongs to the source, everything else to one hypothesis.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

ROWS, SOURCE, TARGET = "rows", "source", "target"
"""Symbolic axes: one row per hypothesis, source positions, target positions."""

DTYPES: dict[str, np.dtype[np.generic]] = {
    name: np.dtype(name) for name in ("float32", "float16", "int8", "int64", "int32", "bool")
}


class StateArray(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One named array of the decoder state."""

    name: str
    """The decoder graph's input; where the graph updates it, see `outputs`."""
    dtype: Literal["float32", "float16", "int8", "int64", "int32", "bool"]
    shape: tuple[int | str, ...]
    """Axis lengths; `rows` first, and at most one of `source` and `target`."""
    owner: Literal["source", "hypothesis"]
    """Computed once by the encoder, or carried by each hypothesis."""
    update: Literal["none", "in_place", "write_then_read", "replace"]
    """Whether a step leaves the array alone, writes into the buffer it read, does so in an operation of its own before
    another reads, or makes a new array."""

    def __post_init__(self) -> None:
        symbols = [axis for axis in self.shape if isinstance(axis, str)]
        if not self.shape or self.shape[0] != ROWS or len(symbols) > 2 or set(symbols) - {ROWS, SOURCE, TARGET}:
            raise ValueError(f"state {self.name}: shape must begin with 'rows' and name one of 'source', 'target'")
        if any(isinstance(axis, int) and axis < 1 for axis in self.shape):
            raise ValueError(f"state {self.name}: axis lengths must be positive")

    @property
    def is_in_place(self) -> bool:
        """Whether the graph's outputs are to be bound to the buffer that its input is bound to."""
        return self.update in ("in_place", "write_then_read")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The decoder graph's outputs that hold the array after a step."""
        names = {"none": (), "write_then_read": (f"next_{self.name}", f"written_{self.name}")}
        return names.get(self.update, (f"next_{self.name}",))

    @property
    def growing_axis(self) -> int | None:
        """The axis that grows with source or target, if any."""
        return next((axis for axis, length in enumerate(self.shape) if length in (SOURCE, TARGET)), None)

    @property
    def grows_with(self) -> str | None:
        """`source`, `target`, or None."""
        axis = self.growing_axis
        return None if axis is None else str(self.shape[axis])

    @property
    def is_from_encoder(self) -> bool:
        """Whether the encoder graph gives its first value; a cache over the target starts empty instead."""
        return self.grows_with != TARGET

    def buffer_shape(self, num_rows: int, source_capacity: int, target_capacity: int) -> tuple[int, ...]:
        """The shape of a buffer with room for that many rows and positions."""
        lengths = {ROWS: num_rows, SOURCE: source_capacity, TARGET: target_capacity}
        return tuple(lengths[axis] if isinstance(axis, str) else axis for axis in self.shape)
