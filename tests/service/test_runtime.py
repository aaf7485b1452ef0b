"""Where models run, and what ONNX Runtime is told of it."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import onnxruntime as ort
import pytest

from service.api.server import Server
from service.bundle.runtime import Runtime, captures
from service.device.cuda import CudaDevice
from service.device.device import Placement
from service.errors import DeviceError, SettingsError
from service.settings import load_settings
from tests.service.device.fake_cuda import FakeCuda
from tests.service.pretended_cuda import CPU, CUDA, Pretence, pretend

ENCODER, DECODER = (Path("models/en-ko-software") / name for name in ("encoder.onnx", "decoder.onnx"))
MISSING = "no NVIDIA driver"


def lack(monkeypatch: pytest.MonkeyPatch, missing: str, *providers: str) -> None:
    """A machine where this is missing, and an onnxruntime that has these providers."""
    monkeypatch.setattr("service.bundle.runtime.missing_for_cuda", lambda: missing)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [*providers])


def placement_of(runtime: Runtime) -> Placement:
    placement = runtime.place()
    assert placement is not None
    return placement


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider'")
def test_a_device_that_cannot_be_used_is_no_reason_to_take_another_in_silence() -> None:
    runtime = replace(Runtime.start("cpu"), accelerator=CudaDevice(FakeCuda()))
    with pytest.raises(SettingsError, match=r"device cuda: .* would run encoder.onnx on the CPU"):
        runtime.open(ENCODER.read_bytes(), "encoder.onnx", "encoder", runtime.place())
    assert runtime.open(ENCODER.read_bytes(), "encoder.onnx", "encoder").get_providers() == [CPU]


def test_on_the_cpu_there_is_no_placement() -> None:
    runtime = Runtime.start("cpu")
    assert (runtime.device, runtime.place()) == ("cpu", None)


def test_cuda_with_something_missing_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    lack(monkeypatch, MISSING, CUDA, CPU)
    with pytest.raises(SettingsError, match="device cuda: no NVIDIA driver"):
        Runtime.start("cuda")


def test_a_gpu_that_does_not_answer_is_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> CudaDevice:
        raise DeviceError("GPU 0: it fell off the bus")

    lack(monkeypatch, "", CUDA, CPU)
    monkeypatch.setattr("service.bundle.runtime.CudaDevice.open", refuse)
    with pytest.raises(SettingsError, match="device cuda: GPU 0: it fell off the bus"):
        Runtime.start("cuda")
    assert Runtime.start("auto").device == "cpu"


@pytest.mark.parametrize(("providers", "num_warnings"), [((CUDA, CPU), 1), ((CPU,), 0)])
def test_auto_takes_the_cpu_and_says_why_where_cuda_was_meant(
    providers: tuple[str, ...], num_warnings: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lack(monkeypatch, MISSING, *providers)
    assert Runtime.start("auto").device == "cpu"
    assert caplog.text.count("models run on the CPU, for CUDA cannot be used: no NVIDIA driver") == num_warnings


def test_cpu_does_not_look_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.bundle.runtime.missing_for_cuda", lambda: pytest.fail("it looked"))
    assert Runtime.start("cpu").device == "cpu"


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_placement_is_two_streams_of_the_gpu(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Pretence())
    runtime = Runtime.start(device)
    assert runtime.device == "cuda"
    one, other = placement_of(runtime), placement_of(runtime)
    streams = [stream.handle for place in (one, other) for stream in (place.encoder_stream, place.decoder_stream)]
    assert len(set(streams)) == 4
    assert one.has_graphs
    assert not placement_of(Runtime.start(device, has_cuda_graphs=False)).has_graphs


def test_each_role_has_its_stream_and_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    pretence = Pretence()
    pretend(monkeypatch, pretence)
    runtime = Runtime.start("cuda", max_workspace_mebibytes=3)
    placement, content = placement_of(runtime), DECODER.read_bytes()
    sessions = [runtime.open(content, "x", role, placement) for role in ("encoder", "decoder", "explain")]
    encoder, decoder, explain = pretence.told
    common = {
        "device_id": "0",
        "gpu_mem_limit": str(3 * 2**20 + len(content)),
        "enable_skip_layer_norm_strict_mode": "1",
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    growing = {"arena_extend_strategy": "kNextPowerOfTwo"}
    assert encoder == common | growing | {"user_compute_stream": str(placement.encoder_stream.handle)}
    assert decoder == common | {
        "arena_extend_strategy": "kSameAsRequested",
        "user_compute_stream": str(placement.decoder_stream.handle),
        "enable_cuda_graph": "1",
    }
    assert explain == common | growing
    assert [captures(session) for session in sessions] == [False, True, False]


def test_weights_stay_outside_of_the_arena_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    pretence = Pretence()
    pretend(monkeypatch, pretence)
    runtime = Runtime.start("cuda")
    session = runtime.open(ENCODER.read_bytes(), "x", "encoder", runtime.place())
    (options,) = pretence.configured
    assert options.get_session_config_entry("session.use_device_allocator_for_initializers") == "1"
    assert options.get_session_config_entry("session.disable_quant_qdq") == "1"
    assert options.get_session_config_entry("session.model_external_initializers_file_folder_path") == "/dev/null"
    assert not [value for value in vars(session).values() if isinstance(value, bytes)]


def test_without_graphs_the_decoder_is_opened_once_and_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    pretence = Pretence(captures=False)
    pretend(monkeypatch, pretence)
    runtime = Runtime.start("cuda", has_cuda_graphs=False)
    assert not captures(runtime.open(DECODER.read_bytes(), "x", "decoder", runtime.place()))
    assert ["enable_cuda_graph" in told for told in pretence.told] == [False]


def test_a_decoder_that_cannot_be_captured_runs_without_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretence = Pretence(captures=False)
    pretend(monkeypatch, pretence)
    runtime = Runtime.start("cuda")
    assert not captures(runtime.open(DECODER.read_bytes(), "x/decoder.onnx", "decoder", runtime.place()))
    assert ["enable_cuda_graph" in told for told in pretence.told] == [True, False]
    assert "x/decoder.onnx: steps are not captured as CUDA graphs: not all nodes are CUDA's" in caplog.text


def test_streams_live_as_long_as_sessions_that_use_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = pretend(monkeypatch, Pretence())
    runtime = Runtime.start("cuda")
    num_streams = len(cuda.streams)
    session = runtime.open(ENCODER.read_bytes(), "x", "encoder", runtime.place())
    gc.collect()
    assert len(cuda.streams) == num_streams + 2
    del session
    gc.collect()
    assert len(cuda.streams) == num_streams


def test_the_service_is_told_by_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Pretence())
    settings = load_settings(["--device", "cuda", "--cuda-graphs", "off", "--max-workspace-mebibytes", "7"], {})
    runtime = Server(settings, "test").runtime
    assert (runtime.device, runtime.is_required) == ("cuda", True)
    assert (runtime.has_cuda_graphs, runtime.max_workspace_mebibytes) == (False, 7)
