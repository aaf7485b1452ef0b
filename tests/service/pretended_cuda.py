"""Sessions that say they run on CUDA, and run on the CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest

from service.device.cuda import CudaDevice
from tests.service.device.fake_cuda import FakeCuda

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
RealSession = ort.InferenceSession


@dataclass
class Pretence:
    """What the sessions say, and what they were told."""

    on_cpu: frozenset[str] = frozenset()
    """Operators that CUDA has no kernel for."""
    captures: bool = True
    told: list[dict[str, str]] = field(default_factory=list)
    """Options of the provider, one for each session on CUDA that was begun."""
    configured: list[ort.SessionOptions] = field(default_factory=list)


class PretendedSession(RealSession):
    """One session. `pretence` is set by `pretend`."""

    pretence: Pretence

    def __init__(self, content: bytes, options: ort.SessionOptions, providers: Any, enable_fallback: bool) -> None:
        assert not enable_fallback
        ((self._provider, self._told),) = providers
        if self._provider == CUDA:
            self.pretence.told.append(self._told)
            self.pretence.configured.append(options)
            if self._told.get("enable_cuda_graph") and not self.pretence.captures:
                raise RuntimeError("not all nodes are CUDA's")
        super().__init__(content, options, providers=[CPU])

    def get_providers(self) -> list[str]:
        return list(dict.fromkeys([self._provider, CPU]))

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {self._provider: self._told}

    def get_provider_graph_assignment_info(self) -> list[Any]:
        """As onnxruntime recorded it, but for the provider."""
        nodes = [node for part in super().get_provider_graph_assignment_info() for node in part.get_nodes()]
        return [
            SimpleNamespace(
                ep_name=CPU if node.op_type in self.pretence.on_cpu else CUDA, get_nodes=lambda node=node: [node]
            )
            for node in nodes
        ]


def pretend(monkeypatch: pytest.MonkeyPatch, pretence: Pretence) -> FakeCuda:
    """From now on this machine has a GPU with nothing missing."""
    cuda = FakeCuda()
    monkeypatch.setattr(ort, "InferenceSession", type("Session", (PretendedSession,), {"pretence": pretence}))
    monkeypatch.setattr("service.bundle.runtime.missing_for_cuda", str)
    monkeypatch.setattr("service.bundle.runtime.CudaDevice.open", lambda: CudaDevice(cuda))
    return cuda
