"""CudaDevice asks of CUDA what its contract says, and gives everything back."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.device.cuda import CudaDevice
from service.errors import DeviceError
from tests.service.device.fake_cuda import CAPACITY, CaptureMode, Error, FakeCuda

REPOSITORY = Path(__file__).parents[3]
TYPE = np.dtype(np.int32)


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def device(cuda: FakeCuda) -> CudaDevice:
    return CudaDevice(cuda)


def test_memory_has_zeros_in_it_and_goes_with_its_object(cuda: FakeCuda, device: CudaDevice) -> None:
    buffer, host = device.buffer(12), device.host_array((3,), TYPE)
    host[:] = 7
    stream = device.stream()
    device.download(buffer.address, host, stream)
    stream.synchronize()
    assert host.tolist() == [0, 0, 0]
    assert (buffer.num_bytes, buffer.address % 256) == (12, 0)
    del buffer
    gc.collect()
    assert cuda.memory == {}


def test_a_pinned_array_lives_as_long_as_any_view_of_it(cuda: FakeCuda, device: CudaDevice) -> None:
    array = device.host_array((2, 3), TYPE)
    assert array.shape == (2, 3)
    assert not array.any()
    assert list(cuda.pinned) == [array.ctypes.data]
    view = array[1:, ::2]
    del array
    gc.collect()
    view[:] = 5  # memory that is still there
    assert len(cuda.pinned) == 1
    del view
    gc.collect()
    assert cuda.pinned == {}


def test_nothing_can_be_had_and_given_back(cuda: FakeCuda, device: CudaDevice) -> None:
    buffer, array = device.buffer(0), device.host_array((0, 4), TYPE)
    assert (buffer.num_bytes, array.shape) == (0, (0, 4))
    del buffer, array
    gc.collect()
    assert (cuda.memory, cuda.pinned) == ({}, {})


def test_copies_go_in_every_direction_when_their_turn_comes(device: CudaDevice) -> None:
    first, second, stream = device.buffer(64), device.buffer(64), device.stream()
    source, target = device.host_array((4,), TYPE), device.host_array((4,), TYPE)
    source[:] = [1, 2, 3, 4]
    device.upload(source, first.address, stream)
    device.copy(first.address + 4, second.address + 32, 8, stream)
    device.copy(first.address, second.address + 40, 8, stream)
    device.download(second.address + 32, target, stream)
    assert target.tolist() == [0, 0, 0, 0]
    stream.synchronize()
    assert target.tolist() == [2, 3, 1, 2]


def test_arrays_that_are_not_contiguous_are_a_mistake(device: CudaDevice) -> None:
    with pytest.raises(AssertionError):
        device.upload(np.zeros((4, 4), TYPE)[:, 1], device.buffer(16).address, device.stream())


def test_a_stream_waits_for_what_another_holds_by_now_and_no_more(device: CudaDevice) -> None:
    buffer, encoder, decoder = device.buffer(4), device.stream(), device.stream()
    one, two, seen = (device.host_array((1,), TYPE) for _ in range(3))
    one[:], two[:] = 1, 2
    device.upload(one, buffer.address, encoder)
    decoder.wait_for(encoder)
    device.upload(two, buffer.address, encoder)  # put in later: not waited for
    device.download(buffer.address, seen, decoder)
    decoder.synchronize()
    assert seen.tolist() == [1]
    decoder.wait_for(encoder)
    device.download(buffer.address, seen, decoder)
    decoder.synchronize()
    assert seen.tolist() == [2]


def test_streams_do_not_wait_unless_they_are_told_to(device: CudaDevice) -> None:
    buffer, encoder, decoder = device.buffer(4), device.stream(), device.stream()
    seen = device.host_array((1,), TYPE)
    device.upload(np.ones(1, TYPE), buffer.address, encoder)
    device.download(buffer.address, seen, decoder)
    decoder.synchronize()
    assert seen.tolist() == [0]


def test_waiting_makes_no_events_and_streams_go_with_theirs(cuda: FakeCuda, device: CudaDevice) -> None:
    before = len(cuda.streams), len(cuda.events)
    encoder, decoder = device.stream(), device.stream()
    assert 0 < encoder.handle != decoder.handle
    for _ in range(1000):
        decoder.wait_for(encoder)
    assert len(cuda.events) == before[1] + 2
    del encoder, decoder
    gc.collect()
    assert (len(cuda.streams), len(cuda.events)) == before


def test_too_much_memory_says_how_much_was_asked_and_is_free(cuda: FakeCuda, device: CudaDevice) -> None:
    kept = device.buffer(CAPACITY // 2)
    message = (
        r"GPU 0: 0\.8 MiB of its memory cannot be had: cudaMalloc: cudaErrorMemoryAllocation: out of memory; "
        r"0\.5 MiB of 1\.0 MiB are free"
    )
    with pytest.raises(DeviceError, match=message):
        device.buffer(CAPACITY * 3 // 4)
    assert cuda.last_error is Error.cudaSuccess  # nobody else finds it
    assert len(cuda.memory) == 1
    with pytest.raises(DeviceError, match=r"2\.0 MiB of pinned memory of the host cannot be had: cudaHostAlloc"):
        device.host_array((CAPACITY // 2,), TYPE)
    assert kept.num_bytes == CAPACITY // 2


def test_memory_that_cannot_be_zeroed_is_given_back(cuda: FakeCuda, device: CudaDevice) -> None:
    cuda.failing["cudaMemsetAsync"] = Error.cudaErrorInvalidValue
    with pytest.raises(DeviceError, match="cudaMemsetAsync: cudaErrorInvalidValue: something else"):
        device.buffer(8)
    gc.collect()
    assert cuda.memory == {}


def test_a_stream_without_its_event_is_given_back(cuda: FakeCuda, device: CudaDevice) -> None:
    before = len(cuda.streams)
    cuda.failing["cudaEventCreateWithFlags"] = Error.cudaErrorMemoryAllocation
    with pytest.raises(DeviceError, match="GPU 0: a stream cannot be had: cudaEventCreateWithFlags"):
        device.stream()
    gc.collect()
    assert len(cuda.streams) == before


def test_what_failed_is_told_by_whoever_waits(device: CudaDevice) -> None:
    stream, buffer = device.stream(), device.buffer(4)
    address = buffer.address
    del buffer
    gc.collect()
    device.copy(address, address, 4, stream)
    with pytest.raises(DeviceError, match="cudaStreamSynchronize: cudaErrorIllegalAddress"):
        stream.synchronize()


def test_memory_may_be_had_while_another_thread_captures(cuda: FakeCuda, device: CudaDevice) -> None:
    device.buffer(8)
    gc.collect()
    assert cuda.modes_of_memory == {CaptureMode.cudaStreamCaptureModeRelaxed}
    assert cuda.mode is CaptureMode.cudaStreamCaptureModeGlobal


def test_what_cannot_be_freed_is_told_and_harms_nobody(
    cuda: FakeCuda, device: CudaDevice, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = device.buffer(8)
    cuda.failing["cudaFree"] = Error.cudaErrorIllegalAddress
    del buffer
    gc.collect()
    assert "what the GPU held could not be freed" in caplog.text


def test_a_gpu_that_is_not_there_is_told(cuda: FakeCuda) -> None:
    cuda.failing["cudaSetDevice"] = Error.cudaErrorInvalidDevice
    with pytest.raises(DeviceError, match="GPU 0: use of it cannot be had: cudaSetDevice: cudaErrorInvalidDevice: inv"):
        CudaDevice(cuda)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda", None)
    with pytest.raises(DeviceError, match=r"cuda-bindings is missing .*: install seq2serve\[cuda\]"):
        CudaDevice.open()


def test_open_takes_the_package(monkeypatch: pytest.MonkeyPatch, cuda: FakeCuda) -> None:
    monkeypatch.setattr("service.device.cuda.importlib.import_module", {"cuda.bindings.runtime": cuda}.__getitem__)
    opened = CudaDevice.open()
    assert opened.name == "cuda"
    assert len(cuda.streams) == 1


def test_a_process_that_ends_frees_nothing_by_itself() -> None:
    program = (
        "import numpy as np\n"
        "from tests.service.device.fake_cuda import Error, FakeCuda\n"
        "from service.device.cuda import CudaDevice\n"
        "FakeCuda.cudaFree = FakeCuda.cudaFreeHost = lambda *_: (print('freed') or Error.cudaSuccess,)\n"
        "device = CudaDevice(FakeCuda())\n"
        "gone, kept, array = device.buffer(8), device.buffer(8), device.host_array((2,), np.dtype('i4'))\n"
        "gone = None\n"
        "print('end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["freed", "end"]
