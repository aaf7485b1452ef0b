"""ONNX Runtime: one thread pool for all sessions, and the choice of device."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import onnxruntime as ort

from service.errors import BundleError, SettingsError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class Runtime:
    """Where and with how many threads sessions run."""

    device: str
    """cpu or cuda."""
    num_threads: int

    @classmethod
    def start(cls, device: str = "auto", num_threads: int = 0) -> Runtime:
        """Choose the device and make the process's thread pool; the first call decides its size.

        Args:
            device: cpu, cuda, or auto: cuda where this onnxruntime has it, else cpu.
            num_threads: of the pool that all sessions share, for two that spin fight for the cores; 0: one for each
                core that this process may use.

        Raises:
            SettingsError: cuda is asked for and this onnxruntime cannot do it.
        """
        has_cuda = PROVIDERS["cuda"] in ort.get_available_providers()
        if device == "cuda" and not has_cuda:
            raise SettingsError("device cuda: this onnxruntime has no CUDA provider; install the extra seq2serve[cuda]")
        chosen = ("cuda" if has_cuda else "cpu") if device == "auto" else device
        if chosen == "cuda":
            # CUDA and cuDNN that came as Python packages lie where the loader of libraries does not look.
            ort.preload_dlls()
        return cls(chosen, _start_thread_pool(num_threads or len(os.sched_getaffinity(0))))

    def open(self, content: bytes, name: str) -> ort.InferenceSession:
        """Load a graph.

        Args:
            content: of the file, verified: nothing is read from disk.
            name: for the message of an error.

        Raises:
            BundleError: it is not a graph that this ONNX Runtime can run.
            SettingsError: the device cannot be used, which ONNX Runtime itself passes over.
        """
        options = ort.SessionOptions()
        options.use_per_session_threads = False
        options.log_severity_level = 3
        # It would remember a plan of memory for every shape, and no two batches have the same.
        options.enable_mem_pattern = False
        # Graphs are quantised as they should run; ONNX Runtime would move the quantisation about.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        # Weights outside of the graph would not be verified.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        try:
            session = ort.InferenceSession(content, options, providers=[PROVIDERS[self.device]])
        except Exception as error:  # onnxruntime has no common base class for its errors
            raise BundleError(f"{name} cannot be loaded by onnxruntime {ort.__version__}: {error}") from error
        if PROVIDERS[self.device] not in session.get_providers():
            raise SettingsError(
                f"device {self.device}: onnxruntime {ort.__version__} cannot use it here, and would run {name} on the "
                "CPU; is there a GPU with a driver? --device cpu does without"
            )
        # It would keep the bytes for ever, to begin anew on another device.
        session.disable_fallback()
        session._model_bytes = None
        return session


@cache
def _start_thread_pool(num_threads: int) -> int:
    # The pool is process-wide and its size is fixed once a session uses it.
    try:
        ort.set_global_thread_pool_sizes(num_threads, 1)
    except RuntimeError as error:
        raise SettingsError(f"num_threads {num_threads}: this process has a thread pool already: {error}") from None
    return num_threads
