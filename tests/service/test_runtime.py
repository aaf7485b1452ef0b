"""Where models run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.bundle.runtime import Runtime
from service.errors import SettingsError

GRAPH = Path("models/en-ko-software/encoder.onnx")


@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider'")
def test_a_device_that_cannot_be_used_is_no_reason_to_take_another_in_silence() -> None:
    runtime = Runtime.start("cpu")
    with pytest.raises(SettingsError, match=r"device cuda: .* would run encoder.onnx on the CPU"):
        replace(runtime, device="cuda").open(GRAPH.read_bytes(), "encoder.onnx")
    assert runtime.open(GRAPH.read_bytes(), "encoder.onnx").get_providers() == ["CPUExecutionProvider"]
