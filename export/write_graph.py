"""One PyTorch module written as an ONNX graph."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass, DeduplicateInitializersPass
from torch import nn

OPSET = 21


def write_graph(
    module: nn.Module,
    arguments: tuple[Any, ...],
    axes: Sequence[Any],
    input_names: Sequence[str],
    output_names: Sequence[str],
    path: Path,
) -> None:
    """Export a module.

    Args:
        module: to be written.
        arguments: examples.
        axes: names of the dynamic axes of each argument.
        input_names: of the graph, in order of the arguments.
        output_names: of the graph.
        path: of the file.
    """
    # The exporter tells of torchvision's absence and of its own deprecations at every call.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            arguments,
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=tuple(axes),
            input_names=list(input_names),
            output_names=list(output_names),
            verbose=False,
        )
    assert program is not None
    # Tied embeddings are traced once for each use.
    DeduplicateInitializersPass(size_limit=sys.maxsize)(program.model)
    # Stack traces name files of the machine that exported.
    ClearMetadataAndDocStringPass()(program.model)
    program.save(str(path), external_data=False)
