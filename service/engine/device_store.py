"""Decoder state in the memory of a device: nothing of it comes to the host.

What the cache's books ask for is gathered until a step needs it, and then done in a few runs for all rows together.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from service.bundle.state_spec import DTYPES, StateArray
from service.device.device import Buffer, Device, Placement
from service.device.row_graphs import RowGraphs
from service.engine.batch import EncodedSource
from service.engine.device_memory import ALIGNMENT, Mirrored, Uploads, constant, round_up
from service.engine.device_rows import RowMover, make_pools
from service.engine.state_store import Numbers, Span
from service.engine.step_graphs import run_options


@dataclass(frozen=True, eq=False)
class EncodedBatch:
    """What the encoder is giving of sources that it read together."""

    num_sources: int
    num_positions: int
    """Of the longest source."""
    values: Sequence[int]
    """By pool, the address of its arrays, one after the other."""
    memory: Buffer
    """That they lie in."""


class Member(NamedTuple):
    """One source of a batch: `EncodedSource.state` on a device."""

    batch: EncodedBatch
    place: int
    """Among those."""


class DeviceStore:
    """See `StateStore`; `flush` does what was asked for."""

    def __init__(
        self,
        spec: tuple[StateArray, ...],
        max_rows: int,
        source_capacity: int,
        target_capacity: int,
        placement: Placement,
        graphs: RowGraphs,
    ) -> None:
        """Take the memory of all rows.

        Raises:
            DeviceError: the device has less.
            BundleError: the spec is not for devices.
        """
        self.placement = placement
        self.max_rows = max_rows
        device, stream = placement.device, placement.decoder_stream
        self._shapes = {
            array.name: (DTYPES[array.dtype], array.buffer_shape(1, source_capacity, target_capacity)[1:])
            for array in spec
        }
        self.pools = make_pools(spec, max_rows, source_capacity, target_capacity, placement)
        self._pool_of = {name: pool for pool in self.pools for name in pool.names}
        self.num_bytes = sum(pool.cells.num_bytes for pool in self.pools)
        longest = max((pool.shape.capacity for pool in self.pools), default=1)
        positions = constant(device, np.arange(longest), stream)
        uploads = Uploads(device, stream, 8 * max_rows)
        self._mover = RowMover(device, graphs, placement.gate, positions, uploads, run_options())
        self._numbers, self.numbers = _numbers(placement.device, max_rows)
        self._writes: dict[int, Member] = {}
        self._moves: dict[str, dict[int, tuple[int, int]]] = {"source": {}, "hypothesis": {}}
        """By owner of the state: of each row that changes, which row it becomes and how many positions of that."""

    def write(self, row: int, source: EncodedSource) -> None:
        """See `StateStore`."""
        self._flush_moves()
        self._writes[row] = source.state

    def copy(self, start: int, end: int, span: Span) -> None:
        """See `StateStore`; positions that both rows share are copied as well."""
        self._flush_writes()
        if span.source_length is not None:
            self._move("source", start, end, span.source_length)
        self._move("hypothesis", start, end, span.length)

    def state(self, num_rows: int) -> Mapping[str, object]:  # noqa: ARG002
        """Nothing that the host could read."""
        return {}

    def shape(self, name: str, num_rows: int) -> tuple[int, ...]:
        """Of the first rows of an array."""
        return (num_rows, *self._shapes[name][1])

    def dtype(self, name: str) -> np.dtype[np.generic]:
        """Of an array."""
        return self._shapes[name][0]

    def address(self, name: str) -> int:
        """Of an array's first row."""
        return self._pool_of[name].address(name)

    def number_address(self, name: str) -> int:
        """Of `token_ids`, `positions` or `source_lengths` on the device; see `upload_numbers`."""
        array: np.ndarray[tuple[int], np.dtype[np.generic]] = getattr(self.numbers, name)
        return self._numbers.buffer.address + array.ctypes.data - self._numbers.array.ctypes.data

    def upload_numbers(self) -> None:
        """Tell the device the numbers of all rows; those that are not in use have some that can be stepped, too."""
        memory, placement = self._numbers, self.placement
        placement.device.upload(memory.array, memory.buffer.address, placement.decoder_stream)

    def flush(self) -> None:
        """Put all that was asked for into the decoder's stream."""
        self._flush_writes()
        self._flush_moves()

    def synchronized(self) -> None:
        """The decoder's stream has come past all that was put into it."""
        self._mover.uploads.reset()

    def _move(self, owner: str, start: int, end: int, length: int) -> None:
        moves = self._moves[owner]
        origin = moves[start][0] if start in moves else start  # `start` itself becomes that first
        if origin == end:
            moves.pop(end, None)
        else:
            moves[end] = (origin, length)

    def _flush_writes(self) -> None:
        batches: dict[EncodedBatch, list[tuple[int, int]]] = {}
        for row, member in self._writes.items():
            batches.setdefault(member.batch, []).append((member.place, row))
        self._writes.clear()
        if batches:
            self.placement.decoder_stream.wait_for(self.placement.encoder_stream)
        for batch, pairs in batches.items():
            members, rows = zip(*pairs, strict=True)
            for pool, values in zip(self.pools, batch.values, strict=True):
                if pool.shape.is_from_encoder:
                    num_positions = min(batch.num_positions, pool.shape.capacity)
                    self._mover.place(pool, values, batch.num_sources, num_positions, members, rows)

    def _flush_moves(self) -> None:
        asked, self._moves = self._moves, {owner: {} for owner in self._moves}  # one that fails is not asked for again
        for owner, moves in asked.items():
            if not moves:
                continue
            rows, origins = list(moves), [origin for origin, _ in moves.values()]
            length = max(length for _, length in moves.values())
            for pool in self.pools:
                if pool.shape.owner == owner:
                    self._mover.move(pool, min(length, pool.shape.capacity), origins, rows)


def _numbers(device: Device, max_rows: int) -> tuple[Mirrored, Numbers]:
    """One piece of memory with the arrays of `Numbers` in it, so that one copy brings all to the device."""
    dtypes: list[np.dtype[Any]] = [np.dtype(np.int64), np.dtype(np.int32), np.dtype(np.int32)]
    sizes = [round_up(max_rows * dtype.itemsize, ALIGNMENT) for dtype in dtypes]
    memory = Mirrored.make(device, (sum(sizes),), np.uint8)
    ends = itertools.accumulate(sizes)
    arrays = [
        memory.array[end - size : end].view(dtype)[:max_rows]
        for size, end, dtype in zip(sizes, ends, dtypes, strict=True)
    ]
    numbers = Numbers(*arrays)
    numbers.source_lengths[:] = 1
    return memory, numbers
