"""PyTorch modules written as ONNX graphs with named, dynamic axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.ensemble_explain import EnsembleExplain, explain_graph
from export.exportable import Exportable
from export.recurrence import Recurrence, write_recurrence
from export.write_graph import write_graph
from service.bundle.state_spec import ROWS, SOURCE, TARGET, StateArray

TORCH_DTYPES = {"float32": torch.float32, "float16": torch.float16, "int8": torch.int8, "int64": torch.int64}

EXPLAIN_OUTPUTS = ["token_log_probs", "encoder_attention", "decoder_attention", "cross_attention"]

# Example sizes. All differ, and none is 1, so that no two axes are taken for one.
_BATCH, _SOURCE, _TARGET, _CAPACITY = 3, 7, 5, 11


def write_encoder(exportable: Exportable, path: Path) -> None:
    """encoder.onnx: source_ids (batch, source), source_lengths (batch,) -> state arrays, one source per row."""
    outputs = [array.name for array in exportable.state if array.is_from_encoder]
    inputs = {"source_ids": _ids(_BATCH, _SOURCE), "source_lengths": _lengths()}
    axes = [{0: "batch", 1: "source"}, {0: "batch"}]
    write_graph(exportable.encoder, tuple(inputs.values()), axes, list(inputs), outputs, path)


def write_decoder(exportable: Exportable, path: Path) -> None:
    """decoder.onnx: one step for `rows` rows; see `Exportable`."""
    state = [_example(array) for array in exportable.state]
    names = ["token_ids", "positions", "source_lengths", "num_candidates", *(array.name for array in exportable.state)]
    arguments = (
        torch.full((_BATCH,), 2),
        torch.arange(_BATCH, dtype=torch.int32),
        _lengths().to(torch.int32),
        torch.tensor([2]),
        state,
    )
    rows = {0: ROWS}
    axes = [rows, rows, rows, None, [_axes(array) for array in exportable.state]]
    updated = [name for array in exportable.state for name in array.outputs[:1]]
    written = [name for array in exportable.state for name in array.outputs[1:]]
    outputs = ["candidate_ids", "candidate_log_probs", "log_probs", *updated, *written]
    write_graph(exportable.decoder, arguments, axes, names, outputs, path)
    _name_axis(path, ("candidate_ids", "candidate_log_probs"), axis=1, name="num_candidates")


def write_explain(exportable: Exportable, path: Path) -> None:
    """explain.onnx: a whole pair at once; see `Exportable`."""
    inputs = {
        "source_ids": _ids(_BATCH, _SOURCE),
        "source_lengths": _lengths(),
        "target_ids": _ids(_BATCH, _TARGET),
    }
    axes = [{0: "batch", 1: "source"}, {0: "batch"}, {0: "batch", 1: "target"}]
    _write_explain(exportable.explain, inputs, axes, EXPLAIN_OUTPUTS, path)


def _write_explain(
    module: nn.Module, inputs: dict[str, Tensor], axes: list[dict[int, str]], outputs: list[str], path: Path
) -> None:
    if isinstance(module, EnsembleExplain):
        graphs = []
        for part in module.parts:
            _write_explain(part, inputs, axes, outputs, path)
            graphs.append(onnx.load(path))
        onnx.save(explain_graph(graphs, list(inputs), outputs), path)
    elif isinstance(module, Recurrence):
        write_recurrence(module, inputs, axes, outputs, path)
    else:
        write_graph(module, tuple(inputs.values()), axes, list(inputs), outputs, path)


def _ids(batch: int, length: int) -> Tensor:
    return torch.full((batch, length), 4)


def _lengths() -> Tensor:
    return torch.tensor([_SOURCE, _SOURCE - 2, _SOURCE - 4])


def _example(array: StateArray) -> Tensor:
    shape = array.buffer_shape(_BATCH, _SOURCE + 1, _CAPACITY)
    return torch.zeros(shape, dtype=TORCH_DTYPES[array.dtype])


def _axes(array: StateArray) -> dict[int, str]:
    names = {SOURCE: "source_capacity", TARGET: "target_capacity", ROWS: ROWS}
    return {axis: names[length] for axis, length in enumerate(array.shape) if isinstance(length, str)}


def _name_axis(path: Path, outputs: Sequence[str], axis: int, name: str) -> None:
    """Replace a placeholder length by a symbolic one, wherever the graph states it."""
    graph_file = onnx.load(path)
    for value in [*graph_file.graph.output, *graph_file.graph.value_info]:
        if value.name in outputs:
            value.type.tensor_type.shape.dim[axis].Clear()
            value.type.tensor_type.shape.dim[axis].dim_param = name
    onnx.save(graph_file, path)
