"""CUDA's runtime in the host's memory. What is put into a stream is done when somebody waits: as late as may be."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from typing import Any

ALIGNMENT = 256
CAPACITY = 2**20
"""Bytes of the GPU's memory."""


class Error(IntEnum):
    cudaSuccess = 0  # noqa: N815
    cudaErrorInvalidValue = 1  # noqa: N815
    cudaErrorMemoryAllocation = 2  # noqa: N815
    cudaErrorInvalidDevice = 101  # noqa: N815
    cudaErrorIllegalAddress = 700  # noqa: N815


class CopyKind(IntEnum):
    cudaMemcpyHostToDevice = 1  # noqa: N815
    cudaMemcpyDeviceToHost = 2  # noqa: N815
    cudaMemcpyDeviceToDevice = 3  # noqa: N815


class CaptureMode(IntEnum):
    cudaStreamCaptureModeGlobal = 0  # noqa: N815
    cudaStreamCaptureModeRelaxed = 2  # noqa: N815


TEXTS = {Error.cudaErrorMemoryAllocation: b"out of memory", Error.cudaErrorInvalidDevice: b"invalid device ordinal"}
Work = Callable[[], None]


class FakeStream:
    """Work that nobody has waited for."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.work: list[Work] = []
        self.num_done = 0

    def __int__(self) -> int:
        return self.number

    def run_to(self, end: int) -> None:
        while self.num_done < end:
            self.num_done += 1
            self.work[self.num_done - 1]()


class FakeEvent:
    """How far a stream was when it was recorded."""

    def __init__(self) -> None:
        self.recorded: tuple[FakeStream, int] | None = None


class FakeCuda:
    """One GPU of CAPACITY. Functions answer as those of cuda.bindings.runtime do: an error, then values."""

    cudaError_t = Error  # noqa: N815
    cudaMemcpyKind = CopyKind  # noqa: N815
    cudaStreamCaptureMode = CaptureMode  # noqa: N815
    cudaHostAllocPortable = 1  # noqa: N815
    cudaStreamNonBlocking = 1  # noqa: N815
    cudaEventDisableTiming = 2  # noqa: N815

    def __init__(self) -> None:
        self.memory: dict[int, tuple[ctypes.Array[Any], int]] = {}
        self.pinned: dict[int, ctypes.Array[Any]] = {}
        self.streams: list[FakeStream] = []
        self.events: list[FakeEvent] = []
        self.mode = CaptureMode.cudaStreamCaptureModeGlobal
        self.modes_of_memory: set[CaptureMode] = set()
        self.last_error = Error.cudaSuccess
        self.failing: dict[str, Error] = {}
        self._num_streams = 0

    def __getattribute__(self, name: str) -> Any:
        """A function that is to fail does nothing else."""
        failing = object.__getattribute__(self, "__dict__").get("failing", {})
        if name not in failing:
            return object.__getattribute__(self, name)
        return lambda *arguments: self.fail(failing[name])

    @property
    def num_free(self) -> int:
        return CAPACITY - sum(size for _, size in self.memory.values())

    def fail(self, error: Error) -> tuple[Any, ...]:
        self.last_error = error
        return (error, None)

    def cudaGetErrorName(self, error: Error) -> tuple[Error, bytes]:  # noqa: N802
        return Error.cudaSuccess, error.name.encode()

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:  # noqa: N802
        return Error.cudaSuccess, TEXTS.get(error, b"something else")

    def cudaGetLastError(self) -> tuple[Error]:  # noqa: N802
        last, self.last_error = self.last_error, Error.cudaSuccess
        return (last,)

    def cudaSetDevice(self, index: int) -> tuple[Any, ...]:  # noqa: N802
        assert index == 0
        return self.fail(self.failing["cudaSetDevice"])[:1] if "cudaSetDevice" in self.failing else (Error.cudaSuccess,)

    def cudaMemGetInfo(self) -> tuple[Error, int, int]:  # noqa: N802
        return Error.cudaSuccess, self.num_free, CAPACITY

    def cudaThreadExchangeStreamCaptureMode(self, mode: CaptureMode) -> tuple[Error, CaptureMode]:  # noqa: N802
        old, self.mode = self.mode, mode
        return Error.cudaSuccess, old

    def cudaMalloc(self, num_bytes: int) -> tuple[Any, ...]:  # noqa: N802
        self.modes_of_memory.add(self.mode)
        if not 0 < num_bytes <= self.num_free:
            return self.fail(Error.cudaErrorMemoryAllocation)
        block = ctypes.create_string_buffer(b"\xa5" * (num_bytes + ALIGNMENT))
        address = -(-ctypes.addressof(block) // ALIGNMENT) * ALIGNMENT
        self.memory[address] = (block, num_bytes)
        return Error.cudaSuccess, address

    def cudaFree(self, address: int) -> tuple[Error]:  # noqa: N802
        self.modes_of_memory.add(self.mode)
        del self.memory[address]
        return (Error.cudaSuccess,)

    def cudaHostAlloc(self, num_bytes: int, flags: int) -> tuple[Any, ...]:  # noqa: N802
        assert flags == self.cudaHostAllocPortable
        if not 0 < num_bytes <= CAPACITY:
            return self.fail(Error.cudaErrorMemoryAllocation)
        block = ctypes.create_string_buffer(b"\xa5" * num_bytes)
        self.pinned[ctypes.addressof(block)] = block
        return Error.cudaSuccess, ctypes.addressof(block)

    def cudaFreeHost(self, address: int) -> tuple[Error]:  # noqa: N802
        del self.pinned[address]
        return (Error.cudaSuccess,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, FakeStream]:  # noqa: N802
        assert flags == self.cudaStreamNonBlocking
        self._num_streams += 1
        self.streams.append(FakeStream(self._num_streams))
        return Error.cudaSuccess, self.streams[-1]

    def cudaStreamDestroy(self, stream: FakeStream) -> tuple[Error]:  # noqa: N802
        self.streams.remove(stream)
        return (Error.cudaSuccess,)

    def cudaEventCreateWithFlags(self, flags: int) -> tuple[Error, FakeEvent]:  # noqa: N802
        assert flags == self.cudaEventDisableTiming
        self.events.append(FakeEvent())
        return Error.cudaSuccess, self.events[-1]

    def cudaEventDestroy(self, event: FakeEvent) -> tuple[Error]:  # noqa: N802
        self.events.remove(event)
        return (Error.cudaSuccess,)

    def cudaEventRecord(self, event: FakeEvent, stream: FakeStream) -> tuple[Error]:  # noqa: N802
        event.recorded = (stream, len(stream.work))
        return (Error.cudaSuccess,)

    def cudaStreamWaitEvent(self, stream: FakeStream, event: FakeEvent, flags: int) -> tuple[Error]:  # noqa: N802
        assert event.recorded is not None
        other, end = event.recorded
        stream.work.append(lambda: other.run_to(end))
        return (Error.cudaSuccess,)

    def cudaStreamSynchronize(self, stream: FakeStream) -> tuple[Error]:  # noqa: N802
        try:
            stream.run_to(len(stream.work))
        except MemoryError:
            return (Error.cudaErrorIllegalAddress,)
        return (Error.cudaSuccess,)

    def cudaMemsetAsync(self, address: int, value: int, num_bytes: int, stream: FakeStream) -> tuple[Error]:  # noqa: N802
        def set_all() -> None:
            self._check(address, num_bytes)
            ctypes.memset(address, value, num_bytes)

        stream.work.append(set_all)
        return (Error.cudaSuccess,)

    def cudaMemcpyAsync(  # noqa: N802
        self, end: int, start: int, num_bytes: int, kind: CopyKind, stream: FakeStream
    ) -> tuple[Error]:
        def copy() -> None:
            for address, is_here in ((start, kind != 1), (end, kind != 2)):
                if is_here:
                    self._check(address, num_bytes)
                else:
                    assert not self._is_on_device(address), kind.name
            ctypes.memmove(end, start, num_bytes)

        stream.work.append(copy)
        return (Error.cudaSuccess,)

    def _is_on_device(self, address: int) -> bool:
        return any(first <= address < first + size for first, (_, size) in self.memory.items())

    def _check(self, address: int, num_bytes: int) -> None:
        """Memory that was freed, or is too short, is an error, as it is to CUDA."""
        if not any(first <= address <= address + num_bytes <= first + size for first, (_, size) in self.memory.items()):
            raise MemoryError
