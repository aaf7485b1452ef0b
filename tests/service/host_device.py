"""A device in the host's memory: the engine's path for accelerators, on any machine."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.runtime import Runtime
from service.device.device import Placement, Stream
from service.device.row_graphs import RowGraphs
from service.errors import DeviceError

ALIGNMENT = 256


class HostBuffer:
    def __init__(self, num_bytes: int) -> None:
        self._memory = np.zeros(num_bytes + ALIGNMENT, np.uint8)
        self.address = -(-self._memory.ctypes.data // ALIGNMENT) * ALIGNMENT
        self.num_bytes = num_bytes


class HostStream:
    """Everything is done at once; what it was to wait for is kept."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.num_synchronized = 0
        self.waited_for: list[Stream] = []

    def synchronize(self) -> None:
        self.num_synchronized += 1

    def wait_for(self, other: Stream) -> None:
        self.waited_for.append(other)


class HostDevice:
    """Counts the bytes that would cross the bus; `free_bytes` are left."""

    name = "cpu"

    def __init__(self, free_bytes: int = 2**30) -> None:
        self.free_bytes = free_bytes
        self.num_uploaded = self.num_downloaded = self.num_copied = 0

    def buffer(self, num_bytes: int) -> HostBuffer:
        if num_bytes > self.free_bytes:
            raise DeviceError(f"{num_bytes} bytes asked for, {self.free_bytes} free")
        self.free_bytes -= num_bytes
        return HostBuffer(num_bytes)

    def host_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.zeros(shape, dtype)

    def stream(self) -> HostStream:
        return HostStream(1)

    def upload(self, array: NDArray[Any], address: int, stream: Stream) -> None:
        assert array.flags.c_contiguous
        self.num_uploaded += array.nbytes
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, address: int, array: NDArray[Any], stream: Stream) -> None:
        assert array.flags.c_contiguous
        self.num_downloaded += array.nbytes
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def copy(self, start: int, end: int, num_bytes: int, stream: Stream) -> None:
        self.num_copied += num_bytes
        ctypes.memmove(end, start, num_bytes)


def host_placement(device: HostDevice | None = None, has_graphs: bool = True) -> Placement:
    device = device or HostDevice()
    return Placement(device, device.stream(), device.stream(), has_graphs)


def row_graphs() -> RowGraphs:
    return RowGraphs.open(Runtime.start("cpu").open)


def memory_at(address: int, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The device's memory, as an array."""
    num_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = (ctypes.c_byte * num_bytes).from_address(address)
    return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
