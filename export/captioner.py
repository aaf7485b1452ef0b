"""Captioners, taken apart: graphs that read pictures, around the decoder of recurrent models.

B batch, T target length, S cells of the grid, E embedding size, R size of the readout, H × W pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from export.exportable import Exportable
from export.graph_files import EXPLAIN_OUTPUTS
from export.recurrence import BATCH_AXIS, Recurrence, write_recurrence
from export.rnn import DecoderGraph, ExplainStep, StateLayout, explained
from export.write_graph import write_graph
from training.captioning.model import Captioner

_BATCH, _TARGET = 3, 5
"""Example sizes; see `graph_files`."""


def take_apart_captioner(model: Captioner) -> Exportable:
    """The graphs of a captioner: `Exportable` but for `pixels`, which stand for source ids and their lengths."""
    layout = StateLayout(model)
    explain = Recurrence(
        ExplainStart(model, layout),
        ExplainStep(model, layout),
        ExplainEnd(model),
        layout.num_hidden,
        fixed_axes=[BATCH_AXIS, *layout.source_axes()],
        output_axes=[BATCH_AXIS, layout.weight_axes()],
    )
    decoder = DecoderGraph(model, layout)
    return Exportable("captioner", PictureEncoder(model, layout), decoder, explain, layout.spec("float32"))


def write_picture_encoder(exportable: Exportable, height: int, width: int, path: Path) -> None:
    """encoder.onnx: pixels (batch, 3, H, W) -> state arrays, one picture per row."""
    outputs = [array.name for array in exportable.state if array.is_from_encoder]
    pixels = torch.zeros(_BATCH, 3, height, width)
    write_graph(exportable.encoder, (pixels,), [BATCH_AXIS], ["pixels"], outputs, path)


def write_picture_explain(exportable: Exportable, height: int, width: int, path: Path) -> None:
    """explain.onnx: pixels (batch, 3, H, W) and target_ids (batch, target) -> what `Exportable` says."""
    inputs = {"pixels": torch.zeros(_BATCH, 3, height, width), "target_ids": torch.full((_BATCH, _TARGET), 4)}
    axes = [BATCH_AXIS, {0: "batch", 1: "target"}]
    assert isinstance(exportable.explain, Recurrence)
    write_recurrence(exportable.explain, inputs, axes, EXPLAIN_OUTPUTS, path)


class PictureEncoder(nn.Module):
    """Pictures to the state before the first token."""

    def __init__(self, model: Captioner, layout: StateLayout) -> None:
        super().__init__()
        self.model = model
        self.layout = layout

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> all state arrays."""
        features = self.model.encode(pixels)
        state = self.model.start(features, self.model.lengths(features))
        return *self.layout.of_source(state), *self.layout.of_hypothesis(state)


class ExplainStart(nn.Module):
    """See `Recurrence`: encodes the picture and embeds the target."""

    def __init__(self, model: Captioner, layout: StateLayout) -> None:
        super().__init__()
        self.encoder = PictureEncoder(model, layout)
        self.embedding = model.embedding
        self.num_cells = model.num_cells
        self.num_from_source = layout.num_from_source

    def forward(self, pixels: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), (B, T) -> hypothesis arrays, embedded target (T - 1, B, E), lengths, source arrays."""
        arrays = self.encoder(pixels)
        embedded = self.embedding(target_ids[:, :-1]).transpose(0, 1)
        lengths = torch.full_like(target_ids[:, 0], self.num_cells)
        return *arrays[self.num_from_source :], embedded, lengths, *arrays[: self.num_from_source]


class ExplainEnd(nn.Module):
    """See `Recurrence`: probabilities, and weights as attention maps of one layer with one head."""

    def __init__(self, model: Captioner) -> None:
        super().__init__()
        self.model = model

    def forward(self, outputs: list[Tensor], pixels: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002 (inputs of the graph)
        """Readouts (T - 1, B, R) and weights (T - 1, B, S) -> see `Exportable`; there are no maps of self-attention."""
        log_probs = self.model.log_probs(outputs[0].transpose(0, 1))
        weights = outputs[1].transpose(0, 1)  # (B, T - 1, S)
        return explained(log_probs, target_ids, weights[:, None, None], self.model.num_cells)
