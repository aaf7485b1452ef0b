"""ONNX Runtime: one thread pool for all sessions, and the choice of device."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from functools import cache

import onnxruntime as ort

from service.bundle.assignment import HEAVY, MOVING, check_assignment
from service.bundle.session_options import Role, cuda_options, session_options
from service.device.capture_gate import CaptureGate
from service.device.cuda import CudaDevice
from service.device.device import Device, Placement
from service.device.probe import missing_for_cuda
from service.errors import BundleError, DeviceError, SettingsError
from service.settings import Settings

logger = logging.getLogger(__name__)

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
CAPTURING = "enable_cuda_graph"


@dataclass(frozen=True)
class Runtime:
    """Where and with how many threads sessions run."""

    num_threads: int
    accelerator: Device | None = None
    """None: everything runs on the CPU."""
    is_required: bool = False
    """Whether a bundle that cannot run on the accelerator is refused, rather than run on the CPU."""
    has_cuda_graphs: bool = True
    """Whether decoders on cuda are opened so that their steps can be captured."""
    max_workspace_mebibytes: int = Settings.max_workspace_mebibytes
    """What the intermediate results of each session on cuda may take."""
    gate: CaptureGate = field(default_factory=CaptureGate)
    """Between the bundles on cuda."""

    @classmethod
    def start(
        cls,
        device: str = "auto",
        num_threads: int = 0,
        has_cuda_graphs: bool = True,
        max_workspace_mebibytes: int = Settings.max_workspace_mebibytes,
    ) -> Runtime:
        """Choose the device and make the process's thread pool; the first call decides its size.

        Args:
            device: cpu, cuda, or auto: cuda where nothing is missing for it, else cpu.
            num_threads: of the pool that all sessions share, for two that spin fight for the cores; 0: one for each
                core that this process may use.
            has_cuda_graphs: whether decoders on cuda are opened so that their steps can be captured.
            max_workspace_mebibytes: what the intermediate results of each session on cuda may take.

        Raises:
            SettingsError: cuda is asked for and something is missing; the message says what.
        """
        is_required = device == "cuda"
        accelerator = None if device == "cpu" else _open_cuda(is_required)
        threads = _start_thread_pool(num_threads or len(os.sched_getaffinity(0)))
        return cls(threads, accelerator, is_required, has_cuda_graphs, max_workspace_mebibytes)

    @property
    def device(self) -> str:
        """Where bundles run that can: cpu or cuda."""
        return self.accelerator.name if self.accelerator else "cpu"

    def place(self) -> Placement | None:
        """Room for one more bundle on the accelerator; None where there is none.

        Raises:
            DeviceError: it cannot be had.
        """
        if self.accelerator is None:
            return None
        device = self.accelerator
        return Placement(device, device.stream(), device.stream(), self.has_cuda_graphs, self.gate)

    def open(self, content: bytes, name: str, role: Role, placement: Placement | None = None) -> ort.InferenceSession:
        """Load a graph.

        Args:
            content: of the file, verified: nothing is read from disk.
            name: for the message of an error.
            role: what it is to its bundle. A decoder whose steps cannot be captured is opened without, and the log says
                why; `captures` tells.
            placement: of its bundle; None: it runs on the CPU.

        Raises:
            AssignmentError: it is placed on an accelerator, and would run on the CPU where it is most expensive.
            BundleError: it is not a graph that this ONNX Runtime can run.
            SettingsError: the device cannot be used, which ONNX Runtime itself passes over.
        """
        device = placement.device.name if placement else "cpu"
        if placement is None or device == "cpu":
            return _open_on("cpu", content, name, {})
        options = cuda_options(role, placement, self.max_workspace_mebibytes * 2**20 + len(content))
        open_session = _open_capturing if role == "decoder" and placement.has_graphs else _open_on
        with placement.gate.loading():
            session = open_session(device, content, name, options)
        check_assignment(session, name, MOVING if role == "rows" else HEAVY)
        # Its stream is not to go before it does.
        session._placement = placement
        return session


def captures(session: ort.InferenceSession) -> bool:
    """Whether runs of a session may be captured as CUDA graphs."""
    options = session.get_provider_options().get(PROVIDERS["cuda"], {})
    return bool(options.get(CAPTURING) == "1")


def _open_capturing(device: str, content: bytes, name: str, options: dict[str, str]) -> ort.InferenceSession:
    """With CUDA graphs, or else without."""
    try:
        return _open_on(device, content, name, {**options, CAPTURING: "1"})
    except BundleError as error:
        session = _open_on(device, content, name, options)
        logger.warning("%s: steps are not captured as CUDA graphs: %s", name, error.__cause__)
        return session


def _open_on(device: str, content: bytes, name: str, options: dict[str, str]) -> ort.InferenceSession:
    try:
        session = ort.InferenceSession(
            content,
            session_options(is_placed=device != "cpu"),
            providers=[(PROVIDERS[device], options)],
            enable_fallback=False,  # it would print, and begin anew on another device or without our options
        )
    except Exception as error:  # onnxruntime has no common base class for its errors
        raise BundleError(f"{name} cannot be loaded by onnxruntime {ort.__version__}: {error}") from error
    if PROVIDERS[device] not in session.get_providers():
        raise SettingsError(
            f"device {device}: onnxruntime {ort.__version__} cannot use it here, and would run {name} on the "
            "CPU; is there a GPU with a driver? --device cpu does without"
        )
    # It would keep the bytes for ever, to begin anew.
    session._model_bytes = None
    return session


def _open_cuda(is_required: bool) -> Device | None:
    """The GPU, or nothing where it is not required."""
    # cuDNN's attention makes a plan for every new shape, for tens of milliseconds; flash attention has none to make.
    os.environ.setdefault("ORT_ENABLE_CUDNN_FLASH_ATTENTION", "0")
    missing = missing_for_cuda()
    if not missing:
        try:
            return CudaDevice.open()
        except DeviceError as error:
            missing = str(error)
    if is_required:
        raise SettingsError(f"device cuda: {missing}")
    if PROVIDERS["cuda"] in ort.get_available_providers():
        logger.warning("models run on the CPU, for CUDA cannot be used: %s", missing)
    return None


@cache
def _start_thread_pool(num_threads: int) -> int:
    # The pool is process-wide and its size is fixed once a session uses it.
    try:
        ort.set_global_thread_pool_sizes(num_threads, 1)
    except RuntimeError as error:
        raise SettingsError(f"num_threads {num_threads}: this process has a thread pool already: {error}") from None
    return num_threads
