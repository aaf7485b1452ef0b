"""Each thing that can be missing is named, with what to do, and in the order in which it has to be there."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.device.probe import Probe

SHARED, PROVIDER = "libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"


def missing(library: str) -> str:
    """What the loader says; seen with onnxruntime-gpu 1.31."""
    return f"{library}: cannot open shared object file: No such file or directory"


class FakeDriver:
    """libcuda.so.1."""

    def __init__(self, num_gpus: int = 1, version: int = 13000, **statuses: int) -> None:
        self.num_gpus, self.version, self.statuses = num_gpus, version, statuses

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.statuses.get("cuInit", 0)

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.num_gpus
        return self.statuses.get("cuDeviceGetCount", 0)

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = self.version
        return 0

    def cuGetErrorName(self, status: int, name: Any) -> int:  # noqa: N802
        name._obj.value = {100: b"CUDA_ERROR_NO_DEVICE"}.get(status)
        return 0

    def cuGetErrorString(self, status: int, text: Any) -> int:  # noqa: N802
        text._obj.value = {100: b"no CUDA-capable device is detected"}.get(status)
        return 0


@dataclass
class Machine:
    """What is installed on it."""

    driver: FakeDriver | None = field(default_factory=FakeDriver)
    failing: Mapping[str, str] = field(default_factory=dict)
    """By library: what the loader says of it."""
    providers: tuple[str, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")
    has_bindings: bool = True
    asked: list[str] = field(default_factory=list)

    def load(self, name: str, mode: int = ctypes.DEFAULT_MODE) -> object:
        library = name.rpartition("/")[2]
        self.asked.append(library)
        assert (mode == ctypes.RTLD_GLOBAL) == (library == SHARED)
        if library == "libcuda.so.1":
            if self.driver is None:
                raise OSError(missing(library))
            return self.driver
        if library in self.failing:
            raise OSError(self.failing[library])
        return object()

    def import_module(self, name: str) -> object:
        self.asked.append(name)
        if not self.has_bindings:
            raise ImportError(f"No module named {name!r}")
        return object()

    def preload_dlls(self) -> None:
        self.asked.append("preload_dlls")
        print("Failed to load libcublas.so.13")

    def missing(self) -> str:
        onnxruntime = SimpleNamespace(
            __file__="/packages/onnxruntime/__init__.py",
            cuda_version="13.0",
            get_available_providers=lambda: list(self.providers),
            preload_dlls=self.preload_dlls,
        )
        return Probe(onnxruntime, self.load, self.import_module).missing()


def test_where_nothing_is_missing_it_says_nothing_and_has_looked_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine()
    assert machine.missing() == ""
    assert machine.asked == ["libcuda.so.1", "preload_dlls", SHARED, PROVIDER, "libcudnn.so.9", "cuda.bindings.runtime"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine(providers=("CPUExecutionProvider",)), "no CUDA provider; install the extra seq2serve[cuda]"),
        (Machine(driver=None), f"no NVIDIA driver ({missing('libcuda.so.1')}); install it on the machine"),
        (
            Machine(FakeDriver(cuInit=100)),
            "no GPU that it can use: CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected",
        ),
        (Machine(FakeDriver(cuInit=12345)), "no GPU that it can use: error (12345): of no known text"),
        (Machine(FakeDriver(cuDeviceGetCount=100)), "cannot count its GPUs: CUDA_ERROR_NO_DEVICE (100)"),
        (Machine(FakeDriver(num_gpus=0)), "the driver sees no GPU; CUDA_VISIBLE_DEVICES may hide them"),
        (Machine(FakeDriver(version=12040)), "it is for CUDA 12.4, this onnxruntime for CUDA 13; update the driver"),
        (
            Machine(failing={PROVIDER: missing("libcublasLt.so.13")}),
            "needs libcublasLt.so.13, which is not there; install nvidia-cublas, which seq2serve[cuda] brings",
        ),
        (Machine(failing={PROVIDER: missing("libcudart.so.13")}), "install nvidia-cuda-runtime, which seq2serve"),
        (Machine(failing={PROVIDER: missing("libcurand.so.10")}), "install nvidia-curand, which seq2serve"),
        (Machine(failing={PROVIDER: missing("libcufft.so.12")}), "install nvidia-cufft, which seq2serve"),
        (
            Machine(failing={"libcudnn.so.9": missing("libcudnn.so.9")}),
            "needs libcudnn.so.9, which is not there; install nvidia-cudnn-cu13, which seq2serve[cuda] brings",
        ),
        (Machine(failing={PROVIDER: missing("libnew.so.1")}), "needs libnew.so.1, which is not there; install it"),
        (
            Machine(failing={PROVIDER: f"/x/{PROVIDER}: undefined symbol: cublasNew, version libcublas.so.13"}),
            f"does not fit the libraries that are there (/x/{PROVIDER}: undefined symbol: cublasNew, version "
            "libcublas.so.13); update nvidia-cublas, which seq2serve[cuda] brings",
        ),
        (
            Machine(failing={PROVIDER: f"/lib/libm.so.6: version `GLIBC_2.99' not found (required by /x/{PROVIDER})"}),
            "does not fit the libraries that are there (/lib/libm.so.6: version `GLIBC_2.99' not found",
        ),
        (Machine(has_bindings=False), "cuda-bindings is missing (No module named 'cuda.bindings.runtime'); install"),
    ],
)
def test_what_is_missing_is_named(machine: Machine, message: str) -> None:
    assert message in machine.missing()


def test_the_first_thing_that_is_missing_is_told_first() -> None:
    everything = Machine(None, {PROVIDER: missing("libcublas.so.13")}, ("CPUExecutionProvider",), has_bindings=False)
    assert "CUDA provider" in everything.missing()
    everything.providers = ("CUDAExecutionProvider",)
    assert "driver" in everything.missing()
    everything.driver = FakeDriver()
    assert "libcublas.so.13" in everything.missing()
    everything.failing = {}
    assert "cuda-bindings" in everything.missing()
    assert everything.asked.count("preload_dlls") == 2  # nothing is loaded where it is of no use


def test_the_words_of_the_real_loader_are_understood(tmp_path: Path) -> None:
    package = SimpleNamespace(__file__=str(tmp_path / "__init__.py"), preload_dlls=lambda: None)
    assert Probe(package).libraries() == (
        f"onnxruntime's CUDA provider needs {tmp_path}/capi/{SHARED}, which is not there; install it"
    )
