"""The processes of one run, as torchrun starts them: gloo between CPUs, NCCL between GPUs."""

from __future__ import annotations

import gc
import importlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Item = TypeVar("Item")
# The others wait so long while the first process writes and averages checkpoints.
TIMEOUT = timedelta(hours=1)


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among `size`; alone, everything here costs nothing."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> ProcessGroup:
        """The group this process has joined, or itself alone."""
        if not distributed.is_initialized():
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints and reports progress."""
        return self.rank == 0

    def turns(self, items: Iterable[Item]) -> Iterator[Item]:
        """Those of `items`, the same in every process, that are this one's."""
        return itertools.islice(items, self.rank, None, self.size)

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module, with gradients averaged over the processes in every backward pass outside `without_sync`."""
        return module if self.size == 1 else DistributedDataParallel(module, forward_sync_buffers=False)

    def without_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """Inside, backward passes of what `parallel` returned only add up gradients of this process."""
        if isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def sum(self, number: float, device: torch.device) -> float:
        """The sum over all processes, the same in each."""
        if self.size == 1:
            return number
        total = torch.tensor(number, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total)

    def sums(self, numbers: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """`sum` of each."""
        return {name: self.sum(number, device) for name, number in numbers.items()}

    def copy_from_first(self, module: nn.Module) -> None:
        """Give every process the weights that the module has in the first."""
        if self.size > 1:
            for weight in module.state_dict().values():
                distributed.broadcast(weight, src=0)


@contextmanager
def joined(device_name: str) -> Iterator[torch.device]:
    """Be one of the processes that torchrun started, if it did, until the end of the block.

    Args:
        device_name: cpu, cuda, or auto for CUDA where there is a GPU.

    Yields:
        This process's device: with several processes on CUDA, the GPU of its number on this machine.
    """
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(automatic if device_name == "auto" else device_name)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    # Its default arguments would keep a group alive that was there before it, and DistributedDataParallel imports it.
    importlib.import_module("torch.distributed.nn.functional")
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield device
    finally:
        distributed.destroy_process_group()
        gc.collect()  # Ends the group's threads with it: one that outlives the interpreter aborts the process.
