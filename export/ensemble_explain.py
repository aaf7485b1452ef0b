"""The third graph of an ensemble: its members' graphs, merged.

B batch, S source length, T target length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.compose import add_prefix
from torch import Tensor, nn

from export.composition import all_opsets, renamed, same
from training.ensemble import mean_log_probs

LAYER_AXIS, HEAD_AXIS = 1, 2


class EnsembleExplain(nn.Module):
    """The mean of the members' probabilities, and the attention maps of all of them.

    Where the members have equally many maps of a kind above each other, a layer has the heads of all members, so that
    alignments are drawn from all; else the maps are those of the first member.
    """

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:
        """(B, S), (B,), (B, T) -> see `Exportable`."""
        log_probs, *kinds = zip(*(part(source_ids, source_lengths, target_ids) for part in self.parts), strict=True)
        return mean_log_probs(log_probs), *(_joined(maps) for maps in kinds)


def explain_graph(graphs: Sequence[ModelProto], input_names: Sequence[str], output_names: Sequence[str]) -> ModelProto:
    """What `EnsembleExplain` computes, of the graphs of its parts; log-probabilities are the first output."""
    members = [add_prefix(graph, f"member_{index}_") for index, graph in enumerate(graphs)]
    into = [same(name, f"member_{index}_{name}") for index in range(len(graphs)) for name in input_names]
    nodes = [*into, *(node for member in members for node in member.graph.node)]
    outputs: list[ValueInfoProto] = []
    for position, name in enumerate(output_names):
        values = [member.graph.output[position] for member in members]
        nodes += _mean_nodes(values, name) if position == 0 else _join_nodes(values, name)
        outputs.append(_output(values, name))
    inputs = [renamed(value, value.name.removeprefix("member_0_")) for value in members[0].graph.input]
    initializers = [tensor for member in members for tensor in member.graph.initializer]
    graph = helper.make_graph(nodes, "explain", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=all_opsets(members), ir_version=members[0].ir_version)


def _joined(maps: Sequence[Tensor]) -> Tensor:
    if len({kind.shape[LAYER_AXIS] for kind in maps}) == 1:
        return torch.cat([kind.float() for kind in maps], dim=HEAD_AXIS)
    return maps[0].float()


def _mean_nodes(values: Sequence[ValueInfoProto], name: str) -> list[NodeProto]:
    """Logarithm of the mean of exponentials; the largest is taken out first, so that none of them is lost."""
    nodes = [helper.make_node("Max", [value.name for value in values], [f"{name}_largest"])]
    shares = [f"{value.name}_share" for value in values]
    for value, share in zip(values, shares, strict=True):
        nodes.append(helper.make_node("Sub", [value.name, f"{name}_largest"], [f"{share}_log"]))
        nodes.append(helper.make_node("Exp", [f"{share}_log"], [share]))
    nodes.append(helper.make_node("Mean", shares, [f"{name}_mean"]))
    nodes.append(helper.make_node("Log", [f"{name}_mean"], [f"{name}_log"]))
    nodes.append(helper.make_node("Add", [f"{name}_log", f"{name}_largest"], [name]))
    return nodes


def _join_nodes(values: Sequence[ValueInfoProto], name: str) -> list[NodeProto]:
    if not _are_joined(values):
        return [helper.make_node("Cast", [values[0].name], [name], to=TensorProto.FLOAT)]
    casts = [helper.make_node("Cast", [v.name], [f"{v.name}_float"], to=TensorProto.FLOAT) for v in values]
    joined = helper.make_node("Concat", [f"{value.name}_float" for value in values], [name], axis=HEAD_AXIS)
    return [*casts, joined]


def _output(values: Sequence[ValueInfoProto], name: str) -> ValueInfoProto:
    output = renamed(values[0], name)
    output.type.tensor_type.elem_type = TensorProto.FLOAT
    dimensions = output.type.tensor_type.shape.dim
    if len(dimensions) > HEAD_AXIS and _are_joined(values):
        dimensions[HEAD_AXIS].dim_value = sum(_length(value, HEAD_AXIS) for value in values)
    return output


def _are_joined(values: Sequence[ValueInfoProto]) -> bool:
    return len({_length(value, LAYER_AXIS) for value in values}) == 1


def _length(value: ValueInfoProto, axis: int) -> int:
    return int(value.type.tensor_type.shape.dim[axis].dim_value)
