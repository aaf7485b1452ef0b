"""What the engine asks of an accelerator: memory, copies, and streams in whose order work is done.

`cuda.py` has it for CUDA. Tests have one in the host's memory, and so run the same engine without a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Buffer(Protocol):
    """Memory of the device; it is freed with the object, once the work under way is done."""

    @property
    def address(self) -> int:
        """Of its first byte; a multiple of 256."""
        ...

    @property
    def num_bytes(self) -> int:
        """Its size."""
        ...


class Stream(Protocol):
    """A queue of work. Copies and runs that are put into it return before they are done."""

    @property
    def handle(self) -> int:
        """What ONNX Runtime calls user_compute_stream."""
        ...

    def synchronize(self) -> None:
        """Wait until all that was put into it is done.

        Raises:
            DeviceError: some of it failed.
        """
        ...

    def wait_for(self, other: Stream) -> None:
        """Let what is put into it from now on begin after all that `other` holds by now; the caller does not wait."""
        ...


class Device(Protocol):
    """One accelerator. Methods may raise DeviceError, which says what failed and, of memory, how much was asked for."""

    @property
    def name(self) -> str:
        """What ONNX Runtime's IO binding calls it: `cuda`, or `cpu` in tests."""
        ...

    def buffer(self, num_bytes: int) -> Buffer:
        """Memory with zeros in it."""
        ...

    def host_array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of zeros in the host's memory from and to which the device copies by itself: pinned."""
        ...

    def stream(self) -> Stream:
        """A new one."""
        ...

    def upload(self, array: NDArray[Any], address: int, stream: Stream) -> None:
        """Copy a contiguous host array to the device; if pinned, it must not change until the stream comes that far."""
        ...

    def download(self, address: int, array: NDArray[Any], stream: Stream) -> None:
        """Fill a contiguous host array from the device; it is there when the stream has come that far."""
        ...

    def copy(self, start: int, end: int, num_bytes: int, stream: Stream) -> None:
        """Copy within the device, from address `start` to address `end`."""
        ...


@dataclass(frozen=True)
class Placement:
    """Where a bundle's graphs run, if not on the CPU."""

    device: Device
    encoder_stream: Stream
    decoder_stream: Stream
    has_graphs: bool
    """Whether steps of the decoder may be captured and replayed whole (CUDA graphs)."""
