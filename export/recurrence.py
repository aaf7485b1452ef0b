"""A module that walks along the target, and the ONNX graph of it: torch.export unrolls loops, Scan does not.

T target length, B batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import GraphProto, ModelProto, helper
from onnx.compose import add_prefix
from torch import Tensor, nn

from export.composition import all_opsets, renamed, same
from export.write_graph import write_graph

BEFORE, BODY, AFTER = "before_", "body_", "after_"
BATCH_AXIS = {0: "batch"}


class Recurrence(nn.Module):
    """`before` the walk, its `body` at every position, and `after` it.

    before: (inputs…) -> the carried tensors (B, …), what the body reads at each position (T, B, …), the fixed tensors.
    body: (carried, what it reads (B, …), fixed) -> the carried tensors, then the outputs of this position (B, …).
    after: (the body's outputs (T, B, …), the same inputs) -> the results.
    """

    def __init__(
        self,
        before: nn.Module,
        body: nn.Module,
        after: nn.Module,
        num_carried: int,
        fixed_axes: Sequence[dict[int, str]],
        output_axes: Sequence[dict[int, str]],
    ) -> None:
        """`fixed_axes` and `output_axes` name the dynamic axes of the fixed tensors and of the body's outputs."""
        super().__init__()
        self.before, self.body, self.after = before, body, after
        self.num_carried = num_carried
        self.fixed_axes, self.output_axes = list(fixed_axes), list(output_axes)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What the graph computes, by PyTorch."""
        values = self.before(*inputs)
        carried, items, fixed = self.split(values)
        outputs: list[tuple[Tensor, ...]] = []
        for item in items:
            values = self.body(carried, item, fixed)
            carried = list(values[: self.num_carried])
            outputs.append(values[self.num_carried :])
        stacked = [torch.stack(column) for column in zip(*outputs, strict=True)]
        results: tuple[Tensor, ...] = self.after(stacked, *inputs)
        return results

    def split(self, values: Sequence[Tensor]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """What `before` gives: carried, read one by one, fixed."""
        return list(values[: self.num_carried]), values[self.num_carried], list(values[self.num_carried + 1 :])


def write_recurrence(
    module: Recurrence, inputs: dict[str, Tensor], axes: Sequence[Any], output_names: Sequence[str], path: Path
) -> None:
    """Write the graph of a recurrence.

    Args:
        module: to be written.
        inputs: examples by name.
        axes: names of the dynamic axes of each input.
        output_names: of the results.
        path: of the graph.
    """
    parts = _Parts(module, inputs, path)
    graph = parts.before(axes)
    body = parts.body()
    after = parts.after(axes, output_names)
    onnx.save(_compose(graph, body, after, module.num_carried, list(inputs), output_names), path)


class _Parts:
    """The three graphs of a recurrence, each exported by itself with its own prefix on all names."""

    def __init__(self, module: Recurrence, inputs: dict[str, Tensor], path: Path) -> None:
        self.module, self.inputs, self.path = module.eval(), inputs, path
        with torch.no_grad():
            # torch.export would take a view's strides, and two names of one tensor, for part of the graph.
            values = [value.clone(memory_format=torch.contiguous_format) for value in module.before(*inputs.values())]
            self.carried, self.items, self.fixed = module.split(values)
            self.outputs = module.body(self.carried, self.items[0], self.fixed)[module.num_carried :]

    def before(self, axes: Sequence[Any]) -> ModelProto:
        outputs = [*_numbered("carried", self.carried), "items", *_numbered("fixed", self.fixed)]
        arguments = tuple(self.inputs.values())
        return self._export(self.module.before, arguments, axes, list(self.inputs), outputs, BEFORE)

    def body(self) -> ModelProto:
        names = [*_numbered("carried", self.carried), "item", *_numbered("fixed", self.fixed)]
        outputs = [*_numbered("next", self.carried), *_numbered("output", self.outputs)]
        axes = ([BATCH_AXIS] * len(self.carried), BATCH_AXIS, self.module.fixed_axes)
        arguments = (self.carried, self.items[0], self.fixed)
        return self._export(self.module.body, arguments, axes, names, outputs, BODY)

    def after(self, axes: Sequence[Any], output_names: Sequence[str]) -> ModelProto:
        stacked = [torch.stack([output] * len(self.items)) for output in self.outputs]
        names = [*_numbered("output", self.outputs), *self.inputs]
        arguments = (stacked, *self.inputs.values())
        shifted = [{0: "steps"} | {axis + 1: name for axis, name in one.items()} for one in self.module.output_axes]
        return self._export(self.module.after, arguments, (shifted, *axes), names, list(output_names), AFTER)

    def _export(
        self,
        module: nn.Module,
        arguments: tuple[Any, ...],
        axes: Sequence[Any],
        names: list[str],
        outputs: list[str],
        prefix: str,
    ) -> ModelProto:
        write_graph(module, arguments, axes, names, outputs, self.path)
        return add_prefix(onnx.load(self.path), prefix)


def _compose(
    before: ModelProto,
    body: ModelProto,
    after: ModelProto,
    num_carried: int,
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> ModelProto:
    num_fixed = len(before.graph.output) - num_carried - 1
    num_outputs = len(body.graph.output) - num_carried
    body_graph = _closed_over(body.graph, num_carried + 1)
    scan = helper.make_node(
        "Scan",
        [f"{BEFORE}carried_{index}" for index in range(num_carried)] + [f"{BEFORE}items"],
        [f"last_{index}" for index in range(num_carried)] + [f"{AFTER}output_{index}" for index in range(num_outputs)],
        body=body_graph,
        num_scan_inputs=1,
    )
    into = [same(name, prefix + name) for name in input_names for prefix in (BEFORE, AFTER)]
    fixed = [same(f"{BEFORE}fixed_{index}", f"{BODY}fixed_{index}") for index in range(num_fixed)]
    out = [same(AFTER + name, name) for name in output_names]
    nodes = [*into, *before.graph.node, *fixed, scan, *after.graph.node, *out]
    graph = helper.make_graph(
        nodes,
        "explain",
        [renamed(value, value.name.removeprefix(BEFORE)) for value in before.graph.input],
        [renamed(value, value.name.removeprefix(AFTER)) for value in after.graph.output],
        [*before.graph.initializer, *after.graph.initializer],
    )
    return helper.make_model(graph, opset_imports=all_opsets((before, body, after)), ir_version=before.ir_version)


def _closed_over(graph: GraphProto, num_inputs: int) -> GraphProto:
    """The body without its fixed inputs, which it then finds in the graph around it."""
    closed = GraphProto()
    closed.CopyFrom(graph)
    del closed.input[num_inputs:]
    return closed


def _numbered(name: str, values: Sequence[Tensor]) -> list[str]:
    return [f"{name}_{index}" for index in range(len(values))]
