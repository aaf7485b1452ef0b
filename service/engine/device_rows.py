"""Rows of decoder state as cells in the memory of a device, and the graphs that write and move them there.

A cell is what a state array holds of one position (of one head): the numbers after the axis that grows. Arrays that are
alike, such as the keys and values of all layers, lie in one pool, so that a row of all of them moves in one run.

A arrays of a pool, R rows, G groups of a row (heads), P positions, U numbers of int64 in a cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from service.bundle.state_spec import DTYPES, ROWS, StateArray
from service.device.capture_gate import CaptureGate
from service.device.device import Buffer, Device, Placement, Stream
from service.device.row_graphs import RowGraphs
from service.engine.device_memory import ALIGNMENT, NUMBER, Uploads, constant, round_up
from service.errors import BundleError

MAX_MOVED_BYTES = 64 * 2**20
"""Of the memory for intermediate results that one run takes: what moves, and the indices of its cells."""
INDEX_NUMBERS = 4
"""Numbers that a graph computes for each cell."""


@dataclass(frozen=True)
class Shape:
    """What arrays have in common that lie in one pool."""

    owner: str
    is_from_encoder: bool
    num_groups: int
    """G."""
    capacity: int
    """Positions that a row has room for; 1 where an array does not grow."""
    cell_numbers: int
    """U."""

    @classmethod
    def of(cls, array: StateArray, source_capacity: int, target_capacity: int) -> Shape:
        """Of an array whose growing axis is that long.

        Raises:
            BundleError: its cells are no multiple of 8 bytes.
        """
        _, *axes = array.buffer_shape(1, source_capacity, target_capacity)
        growing = array.growing_axis
        before, capacity, after = (
            ([], 1, axes) if growing is None else (axes[: growing - 1], axes[growing - 1], axes[growing:])
        )
        num_bytes = math.prod(after) * DTYPES[array.dtype].itemsize
        if num_bytes % NUMBER.itemsize:
            raise BundleError(
                f"state {array.name}: a position of it takes {num_bytes} bytes, which on an accelerator must be a "
                f"multiple of {NUMBER.itemsize}; serve the bundle with --device cpu"
            )
        return cls(array.owner, array.is_from_encoder, math.prod(before), capacity, num_bytes // NUMBER.itemsize)

    @property
    def row_cells(self) -> int:
        """Cells of one row of one array."""
        return self.num_groups * self.capacity


@dataclass(frozen=True)
class Pool:
    """Arrays of one shape, one after the other in one buffer."""

    shape: Shape
    names: tuple[str, ...]
    cells: Buffer
    stride: int
    """Cells from the beginning of an array to that of the next."""
    arrays: Buffer
    """(A,) int64, the first cell of each."""
    groups: Buffer
    """(G,) int64, the first cell of each within a row."""

    @classmethod
    def make(cls, shape: Shape, names: Sequence[str], max_rows: int, device: Device, stream: Stream) -> Pool:
        """With room for `max_rows` rows."""
        cell_bytes = shape.cell_numbers * NUMBER.itemsize
        # Every array begins where kernels like it.
        stride = round_up(max_rows * shape.row_cells, ALIGNMENT // math.gcd(ALIGNMENT, cell_bytes))
        return cls(
            shape,
            tuple(names),
            device.buffer(len(names) * stride * cell_bytes),
            stride,
            constant(device, np.arange(len(names)) * stride, stream),
            constant(device, np.arange(shape.num_groups) * shape.capacity, stream),
        )

    def address(self, name: str) -> int:
        """Of an array's first row."""
        return self.cells.address + self.names.index(name) * self.stride * self.shape.cell_numbers * NUMBER.itemsize

    def encoded_bytes(self, num_sources: int, num_positions: int) -> int:
        """What the encoder gives for this pool of a batch of sources, one array after the other."""
        shape = self.shape
        return len(self.names) * self.encoded_stride(num_sources, num_positions) if shape.is_from_encoder else 0

    def encoded_stride(self, num_sources: int, num_positions: int) -> int:
        """Bytes of one array of that."""
        positions = num_positions if self.shape.capacity > 1 else 1
        return num_sources * self.shape.num_groups * positions * self.shape.cell_numbers * NUMBER.itemsize


def make_pools(
    spec: Sequence[StateArray], max_rows: int, source_capacity: int, target_capacity: int, placement: Placement
) -> list[Pool]:
    """Pools for all arrays of a spec."""
    names: dict[Shape, list[str]] = {}
    for array in spec:
        assert array.shape[0] == ROWS
        names.setdefault(Shape.of(array, source_capacity, target_capacity), []).append(array.name)
    device, stream = placement.device, placement.decoder_stream
    return [Pool.make(shape, alike, max_rows, device, stream) for shape, alike in names.items()]


@dataclass
class RowMover:
    """Runs the graphs over pools."""

    device: Device
    graphs: RowGraphs
    gate: CaptureGate
    positions: Buffer
    """0, 1, 2, … as far as the longest row goes."""
    uploads: Uploads
    options: ort.RunOptions

    def place(
        self, pool: Pool, values: int, num_sources: int, num_positions: int, members: Sequence[int], rows: Sequence[int]
    ) -> None:
        """Write sources that were encoded together into rows.

        Args:
            pool: of the arrays.
            values: address of what the encoder gave, (A, num_sources, G, P, U).
            num_sources: of its batch.
            num_positions: P, padding included; 1 where the arrays do not grow.
            members: which of the sources are written.
            rows: the row for each.
        """
        shape = pool.shape
        vectors = {"rows": [row * shape.row_cells for row in rows], "members": members}
        for part in self._parts(pool, len(rows) * num_positions):
            binding = self._bind(self.graphs.place, pool, part, num_positions, vectors)
            dimensions = (len(part), num_sources, shape.num_groups, num_positions, shape.cell_numbers)
            address = values + part.start * pool.encoded_stride(num_sources, num_positions)
            binding.bind_input("values", self.device.name, 0, NUMBER, dimensions, address)
            self._run(self.graphs.place, binding)

    def move(self, pool: Pool, num_positions: int, origins: Sequence[int], rows: Sequence[int]) -> None:
        """Let each of `rows` become what its origin was before any of them changed, the first positions of it."""
        row_cells = pool.shape.row_cells
        vectors = {"rows": [row * row_cells for row in rows], "origins": [row * row_cells for row in origins]}
        for part in self._parts(pool, len(rows) * num_positions):
            self._run(self.graphs.move, self._bind(self.graphs.move, pool, part, num_positions, vectors))

    def _parts(self, pool: Pool, num_positions: int) -> Iterator[range]:
        """The pool's arrays in runs of no more than MAX_MOVED_BYTES, where so many positions of each move."""
        cell_bytes = (pool.shape.cell_numbers + INDEX_NUMBERS) * NUMBER.itemsize
        size = max(1, MAX_MOVED_BYTES // (num_positions * pool.shape.num_groups * cell_bytes))
        for first in range(0, len(pool.names), size):
            yield range(first, min(first + size, len(pool.names)))

    def _run(self, session: ort.InferenceSession, binding: ort.IOBinding) -> None:
        with self.gate.running():
            session.run_with_iobinding(binding, self.options)

    def _bind(
        self,
        session: ort.InferenceSession,
        pool: Pool,
        part: range,
        num_positions: int,
        vectors: Mapping[str, Sequence[int]],
    ) -> ort.IOBinding:
        shape, name = pool.shape, self.device.name
        cells = (pool.cells.num_bytes // (shape.cell_numbers * NUMBER.itemsize), shape.cell_numbers)
        binding = session.io_binding()
        binding.bind_input("cells", name, 0, NUMBER, cells, pool.cells.address)
        arrays = pool.arrays.address + part.start * NUMBER.itemsize
        binding.bind_input("arrays", name, 0, NUMBER, (len(part),), arrays)
        binding.bind_input("groups", name, 0, NUMBER, (shape.num_groups,), pool.groups.address)
        binding.bind_input("positions", name, 0, NUMBER, (num_positions,), self.positions.address)
        for (key, vector), address in zip(vectors.items(), self.uploads.put(*vectors.values()), strict=True):
            binding.bind_input(key, name, 0, NUMBER, (len(vector),), address)
        binding.bind_output("next_cells", name, 0, NUMBER, cells, pool.cells.address)
        return binding
