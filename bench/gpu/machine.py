"""The machine that is measured: how time is told on it, what memory is used, and the two ceilings of every floor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

REPEATS = 7


@dataclass(frozen=True)
class Machine:
    """One device, and how large what runs on it may be."""

    device: str
    """cuda or cpu."""
    is_tiny: bool = False
    """Sizes at which everything runs on a CPU within seconds; the figures say nothing."""

    @property
    def precision(self) -> str:
        """Of bundles: float16 where attention's kernels ask for it."""
        return "float16" if self.device == "cuda" else "float32"

    @property
    def dtype(self) -> torch.dtype:
        """The same for PyTorch."""
        return torch.float16 if self.device == "cuda" else torch.float32

    @property
    def name(self) -> str:
        """Of the GPU, as its driver has it; or cpu."""
        return torch.cuda.get_device_name() if self.device == "cuda" else "cpu"

    def synchronize(self) -> None:
        """Wait until the device has done what PyTorch gave it."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def median_seconds(self, work: Callable[[], object], repeats: int = REPEATS, calls: int = 1) -> float:
        """Of one call of `work`: median over `repeats` of so many calls at a time, after a warm-up."""
        times = []
        for repeat in range(repeats + 1):
            self.synchronize()
            started = time.perf_counter()
            for _ in range(calls):
                work()
            self.synchronize()
            if repeat:
                times.append((time.perf_counter() - started) / calls)
        return statistics.median(times)

    def used_bytes(self) -> int:
        """Memory in use: on the device, by all processes; on a CPU, this process's resident set."""
        if self.device == "cuda":
            free, total = torch.cuda.mem_get_info()
            return total - free
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * 4096

    def describe(self) -> dict[str, str]:
        """For the record."""
        facts = {"device": self.device, "torch": torch.__version__}
        if self.device == "cuda":
            facts |= {"name": self.name, "cuda": str(torch.version.cuda)}
        return facts


@dataclass(frozen=True)
class Ceilings:
    """What the device was seen to do."""

    bytes_per_second: float
    flops_per_second: float
    """A multiply-add counts as two."""

    @classmethod
    def measure(cls, machine: Machine, dtype: torch.dtype) -> Ceilings:
        """The better of a large copy (bytes read and written) and a large sum (bytes read); one large product.

        Random numbers: products of zeros are faster than any that mean something.
        """
        num_bytes, size = (2**24, 256) if machine.is_tiny else (2**32, 8192)
        return cls(_moved_rate(machine, num_bytes), _product_rate(machine, size, dtype))

    def __str__(self) -> str:
        return f"{self.bytes_per_second / 1e9:.3g} GB/s, {self.flops_per_second / 1e12:.3g} TFLOP/s"


def _moved_rate(machine: Machine, num_bytes: int) -> float:
    source = torch.rand(num_bytes // 4, device=machine.device)
    target = torch.empty_like(source)
    copied = 2 * num_bytes / machine.median_seconds(lambda: target.copy_(source), calls=4)
    return max(copied, num_bytes / machine.median_seconds(source.sum, calls=4))


def _product_rate(machine: Machine, size: int, dtype: torch.dtype) -> float:
    left, right = (torch.randn(size, size, device=machine.device).to(dtype) for _ in range(2))
    return 2 * size**3 / machine.median_seconds(lambda: left @ right, calls=10)
