"""What may be left to the CPU where a graph was meant for a GPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort
import pytest

from service.bundle.assignment import AssignmentError, check_assignment, heavy_on_cpu
from service.bundle.runtime import Runtime
from service.bundle.session_options import session_options

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
SHAPES = ["Shape", "Gather", "Unsqueeze", "Concat", "Range", "Cast", "Slice", "Mul"]


def test_shapes_and_indices_are_the_cpus() -> None:
    assert not heavy_on_cpu([*((CPU, operator) for operator in SHAPES), (CUDA, "MatMul"), (CUDA, "Softmax")])


def test_products_and_attention_are_not() -> None:
    assigned = [(CPU, "Shape"), (CPU, "GroupQueryAttention"), (CPU, "MatMul"), (CPU, "MatMul"), (CUDA, "MatMul")]
    assert heavy_on_cpu(assigned) == {"GroupQueryAttention": 1, "MatMul": 2}


def test_onnxruntime_tells_who_runs_what() -> None:
    Runtime.start("cpu")  # sessions share its threads
    options = session_options(is_placed=True)
    session = ort.InferenceSession(Path("models/en-ko-software/decoder.onnx").read_bytes(), options, providers=[CPU])
    message = (
        r"^decoder would run on the CPU .*: GroupQueryAttention \(4\), LayerNormalization \(7\), LogSoftmax \(1\), Ma"
    )
    with pytest.raises(AssignmentError, match=message):
        check_assignment(session, "decoder")
