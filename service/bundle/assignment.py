"""Which of a graph's operators ONNX Runtime left to the CPU where the graph was meant for a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import onnxruntime as ort

from service.errors import BundleError

RECORDING = "session.record_ep_graph_assignment_info"
"""The session's setting without which the assignment is not known."""
HEAVY = frozenset(
    {
        "Attention",
        "Conv",
        "ConvInteger",
        "FusedConv",
        "FusedMatMul",
        "GRU",
        "Gemm",
        "GroupQueryAttention",
        "LSTM",
        "LayerNormalization",
        "LogSoftmax",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "MultiHeadAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "RMSNormalization",
        "SimplifiedLayerNormalization",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
        "Softmax",
        "TopK",
    }
)
"""Operators over activations or weights, which each run would carry over the bus to the CPU. Those that compute shapes
and indices belong there, and ONNX Runtime puts them there by itself."""

MOVING = frozenset({"Gather", "ScatterND"})
"""What the graphs of rows are made of: on the CPU they would carry the whole cache over the bus."""


class AssignmentError(BundleError):
    """A graph would run on the CPU where it is most expensive; the message names its operators."""


def heavy_on_cpu(assigned: Iterable[tuple[str, str]], heavy: frozenset[str] = HEAVY) -> Counter[str]:
    """How many heavy operators of each kind are the CPU's, of pairs of provider and operator."""
    return Counter(
        operator for provider, operator in assigned if provider == "CPUExecutionProvider" and operator in heavy
    )


def check_assignment(session: ort.InferenceSession, name: str, heavy: frozenset[str] = HEAVY) -> None:
    """Accept a session, made with RECORDING, that runs where it should.

    Args:
        session: of a graph that is placed on an accelerator.
        name: for the message of an error.
        heavy: operators that must not be the CPU's.

    Raises:
        AssignmentError: heavy operators of it run on the CPU.
    """
    assigned = (
        (subgraph.ep_name, node.op_type)
        for subgraph in session.get_provider_graph_assignment_info()
        for node in subgraph.get_nodes()
    )
    if found := heavy_on_cpu(assigned, heavy):
        operators = ", ".join(f"{operator} ({number})" for operator, number in sorted(found.items()))
        raise AssignmentError(f"{name} would run on the CPU what this onnxruntime has no CUDA kernel for: {operators}")
