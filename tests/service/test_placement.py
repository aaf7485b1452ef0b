"""Bundles on a GPU: where their graphs run, and what becomes of those that cannot."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.errors import BundleError
from tests.conftest import Serve
from tests.service.device.fake_cuda import Error
from tests.service.pretended_cuda import CPU, CUDA, Pretence, pretend
from tests.service.waiting import http_get

NO_ATTENTION = frozenset({"GroupQueryAttention", "Shape"})
"""Operators without a kernel, as in a float32 bundle on CUDA."""


def test_a_bundle_holds_its_placement(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = pretend(monkeypatch, Pretence())
    runtime = Runtime.start("cuda")
    num_streams = len(cuda.streams)
    bundle = Bundle.load(models / "exact", runtime)
    assert bundle.device == "cuda"
    assert bundle.placement is not None
    assert bundle.placement.has_graphs
    assert bundle.placement.device is runtime.accelerator
    assert len(cuda.streams) == num_streams + 2
    del bundle
    gc.collect()
    assert len(cuda.streams) == num_streams


def test_a_bundle_that_cannot_be_captured_says_so(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Pretence(captures=False))
    placement = Bundle.load(models / "exact", Runtime.start("cuda")).placement
    assert placement is not None
    assert not placement.has_graphs


def test_a_bundle_that_would_run_on_the_cpu_is_refused_where_cuda_was_asked_for(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(monkeypatch, Pretence(on_cpu=NO_ATTENTION, captures=False))
    message = (
        r"exact/encoder\.onnx would run on the CPU .*: GroupQueryAttention \(\d+\); its precision is float32: export "
        r"the checkpoint for the GPU, python -m export … --precision float16, or serve this bundle with --device cpu"
    )
    with pytest.raises(BundleError, match=message):
        Bundle.load(models / "exact", Runtime.start("cuda"))
    assert "CUDA graphs" not in caplog.text


def test_the_decoder_is_judged_as_the_encoder_is(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretence = Pretence(on_cpu=frozenset({"TopK"}))
    pretend(monkeypatch, pretence)
    with pytest.raises(BundleError, match=r"decoder\.onnx would run on the CPU .*: TopK \(1\)"):
        Bundle.load(models / "exact", Runtime.start("cuda"))


def test_auto_serves_it_on_the_cpu_and_says_why(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cuda = pretend(monkeypatch, Pretence(on_cpu=NO_ATTENTION))
    runtime = Runtime.start("auto")
    num_streams = len(cuda.streams)
    bundle = Bundle.load(models / "exact", runtime)
    assert (bundle.device, bundle.placement) == ("cpu", None)
    for session in (bundle.encoder, bundle.decoder, bundle.explain):
        assert session.get_providers() == [CPU]
    gc.collect()
    assert len(cuda.streams) == num_streams
    (record,) = caplog.records
    assert record.getMessage().startswith("exact is served on the CPU: ")
    assert "GroupQueryAttention" in record.getMessage()


def test_streams_that_cannot_be_had_are_the_bundles_failure(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = pretend(monkeypatch, Pretence())
    runtime = Runtime.start("auto")
    cuda.failing["cudaStreamCreateWithFlags"] = Error.cudaErrorMemoryAllocation
    with pytest.raises(BundleError, match="exact cannot be placed on cuda: GPU 0: a stream cannot be had"):
        Bundle.load(models / "exact", runtime)


async def test_metrics_tell_where_each_model_runs(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Pretence(on_cpu=NO_ATTENTION))
    async with serve(device="auto") as (server, _):
        assert server.runtime.device == "cuda"
        page = http_get(server, "/metrics")[1]
    providers = {line.split('provider="')[1].split('"')[0] for line in page.splitlines() if "model_info{" in line}
    assert providers == {CPU}
    assert CUDA not in page
