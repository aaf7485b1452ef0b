"""Weights stored in two bytes and computed with in four: for convolutions, which a CPU runs in float32 alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import AttributeProto, GraphProto, TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.captioning.efficientnet import ConvolutionBlock

SMALLEST_SIZE = 1024
"""Of a weight that is worth a node of its own."""


def fold_normalization(module: nn.Module) -> None:
    """Make every convolution and its batch normalisation one convolution, in place.

    ONNX Runtime would do it in any case; done before rounding, what is stored is what was rounded.
    """
    for block in module.modules():
        if isinstance(block, ConvolutionBlock) and isinstance(block.norm, nn.BatchNorm2d):
            block.convolution = fuse_conv_bn_eval(block.convolution, block.norm)
            block.norm = nn.Identity()


def rounded_to_halves(module: nn.Module) -> None:
    """Round every matrix, kernel and table to numbers that float16 can hold, in place; vectors stay as they are."""
    with torch.no_grad():
        for weight in module.state_dict().values():
            if weight.is_floating_point() and weight.ndim > 1:
                weight.copy_(weight.half().float())


def store_in_halves(path: Path) -> None:
    """Rewrite a graph: float32 weights that float16 holds without loss are kept as such, and cast where they are used.

    ONNX Runtime casts them once, when it loads the graph.
    """
    model = onnx.load(path)
    _store(model.graph)
    onnx.save(model, path)


def _store(graph: GraphProto) -> None:
    casts = []
    for weight in list(graph.initializer):
        stored = _as_half(weight)
        if stored is None:
            continue
        graph.initializer.remove(weight)
        graph.initializer.append(stored)
        casts.append(helper.make_node("Cast", [stored.name], [weight.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                _store(attribute.g)


def _as_half(weight: TensorProto) -> TensorProto | None:
    """None where it is small, something else than float32, or would lose by it."""
    if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < SMALLEST_SIZE:
        return None
    values = numpy_helper.to_array(weight)
    with np.errstate(over="ignore"):
        halves = values.astype(np.float16)
    if not np.array_equal(halves.astype(np.float32), values):
        return None
    return numpy_helper.from_array(halves, f"{weight.name}_half")
