"""What this machine lacks for CUDA, in words that a person can act on."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from service.device.cuda import RUNTIME_MODULE

PROVIDER = "CUDAExecutionProvider"
DRIVER = "libcuda.so.1"
CUDNN = "libcudnn.so.9"
"""ONNX Runtime 1.31 loads it where it first needs it: nothing is linked against it."""
PACKAGES = {
    "libcublas": "nvidia-cublas",
    "libcublasLt": "nvidia-cublas",
    "libcudart": "nvidia-cuda-runtime",
    "libcudnn": "nvidia-cudnn-cu13",
    "libcufft": "nvidia-cufft",
    "libcurand": "nvidia-curand",
    "libnvrtc": "nvidia-cuda-nvrtc",
}
"""By library: which of the extra's packages brings it."""


def missing_for_cuda() -> str:
    """What is missing for models to run on CUDA; empty when nothing is. What is found is loaded, and stays."""
    return Probe().missing()


@dataclass(frozen=True)
class Probe:
    """The questions, and whom they are put to."""

    onnxruntime: Any = ort
    load: Callable[..., Any] = ctypes.CDLL
    import_module: Callable[[str], Any] = importlib.import_module

    def missing(self) -> str:
        """The first thing that is missing, each of which the next ones need; empty when nothing is."""
        questions = (self.provider, self.driver, self.libraries, self.bindings)
        return next((answer for question in questions if (answer := question())), "")

    def provider(self) -> str:
        """What onnxruntime lacks."""
        if PROVIDER in self.onnxruntime.get_available_providers():
            return ""
        return "this onnxruntime has no CUDA provider; install the extra seq2serve[cuda] in place of seq2serve[cpu]"

    def driver(self) -> str:
        """What NVIDIA's driver lacks, or the machine."""
        try:
            driver = self.load(DRIVER)
        except OSError as error:
            return (
                f"no NVIDIA driver ({error}); install it on the machine, and give containers the GPU "
                "(docker run --gpus all, nvidia.com/gpu on Kubernetes)"
            )
        if status := driver.cuInit(0):
            return f"the driver finds no GPU that it can use: {_text(driver, status)}"
        version, count = ctypes.c_int(), ctypes.c_int()
        if status := driver.cuDeviceGetCount(ctypes.byref(count)):
            return f"the driver cannot count its GPUs: {_text(driver, status)}"
        if not count.value:
            return "the driver sees no GPU; CUDA_VISIBLE_DEVICES may hide them"
        driver.cuDriverGetVersion(ctypes.byref(version))
        needed = str(getattr(self.onnxruntime, "cuda_version", "")).partition(".")[0]
        if needed.isdigit() and version.value // 1000 < int(needed):
            had = f"{version.value // 1000}.{version.value % 1000 // 10}"
            return f"the driver is too old: it is for CUDA {had}, this onnxruntime for CUDA {needed}; update the driver"
        return ""

    def libraries(self) -> str:
        """What ONNX Runtime's CUDA provider lacks."""
        # Those that came as Python packages lie where the loader does not look. What fails is printed, line by line.
        with contextlib.redirect_stdout(io.StringIO()):
            self.onnxruntime.preload_dlls()
        directory = Path(self.onnxruntime.__file__).parent / "capi"
        try:
            self.load(str(directory / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
            self.load(str(directory / "libonnxruntime_providers_cuda.so"))
            self.load(CUDNN)
        except OSError as error:
            return _library(str(error))
        return ""

    def bindings(self) -> str:
        """What this service itself lacks to reach the GPU's memory."""
        try:
            self.import_module(RUNTIME_MODULE)
        except ImportError as error:
            return f"the package cuda-bindings is missing ({error}); install seq2serve[cuda]"
        return ""


def _library(message: str) -> str:
    """What to do about what the loader of libraries said."""
    found = re.search(r"\b(lib\w+)\.so\.\d+", message)
    package = PACKAGES.get(found[1], "") if found else ""
    if message.endswith("cannot open shared object file: No such file or directory"):
        advice = f"install {package}, which seq2serve[cuda] brings" if package else "install it"
        return f"onnxruntime's CUDA provider needs {message.partition(':')[0]}, which is not there; {advice}"
    advice = f"; update {package}, which seq2serve[cuda] brings" if package else ""
    return f"onnxruntime's CUDA provider does not fit the libraries that are there ({message}){advice}"


def _text(driver: Any, status: int) -> str:
    name, text = ctypes.c_char_p(), ctypes.c_char_p()
    driver.cuGetErrorName(status, ctypes.byref(name))
    driver.cuGetErrorString(status, ctypes.byref(text))
    return f"{(name.value or b'error').decode()} ({status}): {(text.value or b'of no known text').decode()}"
