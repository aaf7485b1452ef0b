"""Memory of the GPUs, asked of the driver when Prometheus scrapes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)


class GpuMemory(Collector):
    """Total and used memory of every GPU of the machine, and what this process uses of it."""

    def __init__(self, nvml: Any, registry: CollectorRegistry, process_id: int | None = None) -> None:
        """`nvml`: the module pynvml, or what stands for it in a test; initialised."""
        self._nvml = nvml
        self._process_id = os.getpid() if process_id is None else process_id
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For the registry; a driver that does not answer leaves the samples out."""
        family = GaugeMetricFamily(
            "seq2serve_gpu_memory_bytes",
            "Memory of the GPU: in all, in use by anybody, in use by this process.",
            labels=["device", "kind"],
        )
        try:
            for index in range(self._nvml.nvmlDeviceGetCount()):
                for kind, number in self._memory(index).items():
                    family.add_metric([str(index), kind], number)
        except self._nvml.NVMLError:
            logger.debug("the driver does not tell of the GPU's memory", exc_info=True)
        yield family

    def _memory(self, index: int) -> dict[str, float]:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        # In a container the driver may name other process ids, or no figure at all.
        own = sum(process.usedGpuMemory or 0 for process in processes if process.pid == self._process_id)
        return {"total": memory.total, "used": memory.used, "process": own}


def observe_gpu_memory(registry: CollectorRegistry) -> None:
    """Register the gauges where the driver and its Python module are there; the extra `cuda` brings the module."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # the module is missing, or the driver does not answer; metrics are no reason not to serve
        logger.warning("memory of the GPU is not measured: nvidia-ml-py is missing or the driver does not answer")
        return
    GpuMemory(pynvml, registry)
