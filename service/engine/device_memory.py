"""Pieces of a device's memory, and of the host's that it copies from and to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.device.device import Buffer, Device, Stream
from service.engine.batch import Array

ALIGNMENT = 256
"""Bytes; what kernels read best begins at a multiple."""
NUMBER = np.dtype(np.int64)


def round_up(number: int, multiple: int) -> int:
    """The next multiple."""
    return -(-number // multiple) * multiple


def constant(device: Device, values: NDArray[np.int64], stream: Stream) -> Buffer:
    """Numbers that stay."""
    buffer = device.buffer(values.nbytes)
    device.upload(np.ascontiguousarray(values, NUMBER), buffer.address, stream)
    stream.synchronize()
    return buffer


@dataclass(frozen=True)
class Mirrored:
    """An array that the device has, too."""

    array: Array
    """In pinned memory of the host."""
    buffer: Buffer

    @classmethod
    def make(cls, device: Device, shape: Sequence[int], dtype: Any) -> Mirrored:
        """With zeros in both."""
        array = device.host_array(shape, np.dtype(dtype))
        return cls(array, device.buffer(array.nbytes))


class Uploads:
    """Small arrays of int64 on their way to the device; they stay as they are until `reset`."""

    def __init__(self, device: Device, stream: Stream, size: int) -> None:
        """`size`: numbers between two resets; when they are out, `put` waits for the stream and begins anew."""
        self._device, self._stream = device, stream
        self._memory = Mirrored.make(device, (size,), NUMBER)
        self._num_used = 0

    def put(self, *vectors: Sequence[int]) -> list[int]:
        """The device's address of a copy of each; together they are no longer than `size`."""
        if self._num_used + sum(map(len, vectors)) > len(self._memory.array):
            self._stream.synchronize()
            self.reset()
        return [self._put(vector) for vector in vectors]

    def reset(self) -> None:
        """The stream has come past all that was put."""
        self._num_used = 0

    def _put(self, values: Sequence[int]) -> int:
        first = self._num_used
        self._num_used += len(values)
        piece = self._memory.array[first : self._num_used]
        piece[:] = values
        address = self._memory.buffer.address + first * NUMBER.itemsize
        self._device.upload(piece, address, self._stream)
        return address


class Arena:
    """Device memory that grows with what it is asked for and is taken piece by piece, all of it anew after `reset`."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._buffer: Buffer | None = None
        self._num_used = 0

    @property
    def buffer(self) -> Buffer:
        """What pieces are taken of, since the last `reset`."""
        assert self._buffer is not None
        return self._buffer

    def reset(self, num_bytes: int) -> None:
        """Have room for pieces of `num_bytes` together, each a multiple of `ALIGNMENT`; nobody uses the old ones."""
        if self._buffer is None or self._buffer.num_bytes < num_bytes:
            self._buffer = None
            self._buffer = self._device.buffer(num_bytes)
        self._num_used = 0

    def take(self, num_bytes: int) -> int:
        """The address of a piece."""
        address = self.buffer.address + self._num_used
        self._num_used += round_up(num_bytes, ALIGNMENT)
        assert self._num_used <= self.buffer.num_bytes
        return address


class PinnedArena:
    """The same with as much pinned memory of the host beside it, through which arrays go up."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._arena = Arena(device)
        self._host = np.empty(0, np.uint8)

    def reset(self, num_bytes: int) -> None:
        """See `Arena.reset`; what was uploaded before is there."""
        self._arena.reset(num_bytes)
        if self._host.nbytes < num_bytes:
            self._host = self._device.host_array((num_bytes,), np.dtype(np.uint8))

    def upload(self, array: Array, stream: Stream) -> int:
        """The device's address of a copy of `array`, which is there when the stream has come that far."""
        address = self._arena.take(array.nbytes)
        first = address - self._arena.buffer.address
        piece = self._host[first : first + array.nbytes]
        piece.view(array.dtype).reshape(array.shape)[...] = array
        self._device.upload(piece, address, stream)
        return address


def aligned_sum(sizes: Sequence[int]) -> int:
    """Bytes that pieces of these sizes take of an arena."""
    return sum(round_up(size, ALIGNMENT) for size in sizes)
