"""A GPU's memory and streams by CUDA's runtime, through NVIDIA's package cuda-bindings."""

from __future__ import annotations

import ctypes
import importlib
import logging
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.device.device import Buffer, Stream
from service.errors import DeviceError

logger = logging.getLogger(__name__)

RUNTIME_MODULE = "cuda.bindings.runtime"
FIRST = 0


class CudaDevice:
    """One GPU. Its methods may be called on any thread."""

    def __init__(self, runtime: Any) -> None:
        """`runtime`: the module cuda.bindings.runtime, or what stands for it in a test.

        Raises:
            DeviceError: there is no such GPU, or it does not answer.
        """
        self._cuda = Cuda(runtime)
        with self._current("use of it"):
            self._zeroing = CudaStream(self._cuda)

    @classmethod
    def open(cls) -> CudaDevice:
        """The first GPU that the process sees; CUDA_VISIBLE_DEVICES chooses.

        Raises:
            DeviceError: cuda-bindings is missing, or the GPU does not answer.
        """
        try:
            runtime = importlib.import_module(RUNTIME_MODULE)
        except ImportError as error:
            raise DeviceError(f"the package cuda-bindings is missing ({error}): install seq2serve[cuda]") from error
        return cls(runtime)

    @property
    def name(self) -> str:
        """What ONNX Runtime's IO binding calls it."""
        return "cuda"

    def buffer(self, num_bytes: int) -> Buffer:
        """Memory with zeros in it; it is there when this returns.

        Raises:
            DeviceError: it cannot be had; says how much was asked, and how much is free.
        """
        cuda, zeroing = self._cuda, self._zeroing
        with self._current(f"{_mebibytes(num_bytes)} of its memory"):
            # CUDA has no address for nothing.
            address = int(cuda.ask("cudaMalloc", max(num_bytes, 1)))
            buffer = CudaBuffer(cuda, address, num_bytes)
            cuda.ask("cudaMemsetAsync", address, 0, num_bytes, zeroing.stream)
            zeroing.synchronize()
        return buffer

    def host_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """A pinned array of zeros. Its memory is freed with the last view of it: no copy may be under way by then.

        Raises:
            DeviceError: it cannot be had; says how much was asked.
        """
        cuda, num_bytes = self._cuda, prod(shape) * dtype.itemsize
        with self._current(f"{_mebibytes(num_bytes)} of pinned memory of the host"):
            address = int(cuda.ask("cudaHostAlloc", max(num_bytes, 1), cuda.runtime.cudaHostAllocPortable))
        memory = (ctypes.c_byte * num_bytes).from_address(address)
        cuda.free_with(memory, "cudaFreeHost", address)
        ctypes.memset(address, 0, num_bytes)
        return np.frombuffer(memoryview(memory), dtype).reshape(shape)

    def stream(self) -> Stream:
        """A new one, which does not wait for CUDA's default stream."""
        with self._current("a stream"):
            return CudaStream(self._cuda)

    def upload(self, array: NDArray[Any], address: int, stream: Stream) -> None:
        """Copy a contiguous host array to the device; if pinned, it must not change until the stream comes that far."""
        self._copy(array.ctypes.data, address, _num_bytes(array), "cudaMemcpyHostToDevice", stream)

    def download(self, address: int, array: NDArray[Any], stream: Stream) -> None:
        """Fill a contiguous host array from the device; it is there when the stream has come that far."""
        self._copy(address, array.ctypes.data, _num_bytes(array), "cudaMemcpyDeviceToHost", stream)

    def copy(self, start: int, end: int, num_bytes: int, stream: Stream) -> None:
        """Copy within the device, from address `start` to address `end`."""
        self._copy(start, end, num_bytes, "cudaMemcpyDeviceToDevice", stream)

    def _copy(self, start: int, end: int, num_bytes: int, kind: str, stream: Stream) -> None:
        direction = getattr(self._cuda.runtime.cudaMemcpyKind, kind)
        self._cuda.ask("cudaMemcpyAsync", end, start, num_bytes, direction, _own(stream).stream)

    @contextmanager
    def _current(self, wanted: str) -> Iterator[None]:
        """With this GPU as the thread's own, for each begins with the first. `wanted`: for the message of an error."""
        cuda = self._cuda
        try:
            with cuda.beside_captures():
                cuda.ask("cudaSetDevice", FIRST)
                yield
        except DeviceError as error:
            raise DeviceError(f"GPU {FIRST}: {wanted} cannot be had: {error}{cuda.free_memory()}") from None


class CudaBuffer:
    """Memory of the GPU."""

    def __init__(self, cuda: Cuda, address: int, num_bytes: int) -> None:
        self.address = address
        self.num_bytes = num_bytes
        cuda.free_with(self, "cudaFree", address)


class CudaStream:
    """A queue of work of the GPU, with the one event that others wait for."""

    def __init__(self, cuda: Cuda) -> None:
        runtime = cuda.runtime
        self._cuda = cuda
        self.stream = cuda.ask("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking)
        cuda.free_with(self, "cudaStreamDestroy", self.stream)
        self._event = cuda.ask("cudaEventCreateWithFlags", runtime.cudaEventDisableTiming)
        cuda.free_with(self, "cudaEventDestroy", self._event)

    @property
    def handle(self) -> int:
        """Its address, which ONNX Runtime calls user_compute_stream."""
        return int(self.stream)

    def synchronize(self) -> None:
        """Wait until all that was put into it is done.

        Raises:
            DeviceError: some of it failed.
        """
        self._cuda.ask("cudaStreamSynchronize", self.stream)

    def wait_for(self, other: Stream) -> None:
        """Let what is put into it from now on begin after all that `other` holds by now."""
        event = _own(other)._event
        # To wait for an event is to wait for what it stands for now: recorded anew, it delays nobody who waits already.
        self._cuda.ask("cudaEventRecord", event, _own(other).stream)
        self._cuda.ask("cudaStreamWaitEvent", self.stream, event, 0)


class Cuda:
    """CUDA's runtime, whose calls return what they made or raise."""

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime

    def ask(self, function: str, *arguments: Any) -> Any:
        """What the call returns beside its error: nothing, one value, or a tuple.

        Raises:
            DeviceError: the function's name, the error's name and its text.
        """
        error, *values = getattr(self.runtime, function)(*arguments)
        if error != self.runtime.cudaError_t.cudaSuccess:
            # It would be found once more by whoever asks for the last error next.
            self.runtime.cudaGetLastError()
            raise DeviceError(f"{function}: {self._text('Name', error)}: {self._text('String', error)}")
        return values[0] if len(values) == 1 else tuple(values)

    @contextmanager
    def beside_captures(self) -> Iterator[None]:
        """Memory may be had and freed while another thread captures a graph, which else would spoil the capture."""
        mode = self.ask("cudaThreadExchangeStreamCaptureMode", self._relaxed)
        try:
            yield
        finally:
            self.ask("cudaThreadExchangeStreamCaptureMode", mode)

    def free_with(self, owner: object, function: str, handle: Any) -> None:
        """Call the function with the handle once the owner is gone; not when the process ends, which frees all."""
        weakref.finalize(owner, self._free, function, handle).atexit = False

    def free_memory(self) -> str:
        """How much there is, for the end of a message; nothing where CUDA does not tell."""
        try:
            free, total = self.ask("cudaMemGetInfo")
        except DeviceError:
            return ""
        return f"; {_mebibytes(free)} of {_mebibytes(total)} are free"

    def _free(self, function: str, handle: Any) -> None:
        try:
            with self.beside_captures():
                self.ask(function, handle)
        except DeviceError:  # a GPU that failed frees all with the process
            logger.warning("what the GPU held could not be freed", exc_info=True)

    def _text(self, kind: str, error: Any) -> str:
        _, text = getattr(self.runtime, f"cudaGetError{kind}")(error)
        return bytes(text).decode()

    @property
    def _relaxed(self) -> Any:
        return self.runtime.cudaStreamCaptureMode.cudaStreamCaptureModeRelaxed


def _own(stream: Stream) -> CudaStream:
    assert isinstance(stream, CudaStream)
    return stream


def _num_bytes(array: NDArray[Any]) -> int:
    assert array.flags.c_contiguous
    return array.nbytes


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
