"""python -m export.row_graphs DIRECTORY: the two graphs that write and move rows of decoder state on an accelerator.

They know no architecture: a state is cells of int64, whatever its numbers are, and graphs copy cells. They are kept in
service/device/graphs; a test holds them to what this module writes.

A arrays, R rows, G groups of a row, P positions of a group, N cells of all, U numbers of int64 in a cell.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.write_graph import OPSET

IR_VERSION = 10
PLACE, MOVE = "place_rows.onnx", "move_rows.onnx"


def place_rows() -> ModelProto:
    """cells (N, U), arrays (A,), rows (R,), groups (G,), positions (P,), members (R,), values (A, B, G, P, U) -> cells.

    Values of member r of the encoder's batch of B go to the cells `arrays` + `rows` + `groups` + `positions`, each sum
    of one number of each.
    """
    nodes = [
        *_cells_of("rows"),
        helper.make_node("Gather", ["values", "members"], ["chosen"], axis=1),
        *_scatter("chosen"),
    ]
    values = helper.make_tensor_value_info("values", TensorProto.INT64, ["A", "B", "G", "P", "U"])
    return _model("place_rows", nodes, ["rows", "members"], [values])


def move_rows() -> ModelProto:
    """cells (N, U), arrays (A,), rows (R,), origins (R,), groups (G,), positions (P,) -> cells.

    Row `rows[r]` becomes what row `origins[r]` was before any of them changed.
    """
    nodes = [
        *_cells_of("rows"),
        *_cells_of("origins"),
        helper.make_node("Gather", ["cells", "origins_cells"], ["moved"], axis=0),
        *_scatter("moved"),
    ]
    return _model("move_rows", nodes, ["rows", "origins"], [])


def _cells_of(rows: str) -> list[NodeProto]:
    """Nodes that make `{rows}_cells` (A, R, G, P), the index of every cell of those rows."""
    lifted = {"arrays": "after_arrays", rows: "after_rows", "groups": "after_groups"}
    nodes = [helper.make_node("Unsqueeze", [name, axes], [f"{rows}_{name}"]) for name, axes in lifted.items()]
    first, second, third = (f"{rows}_{name}" for name in lifted)
    return [
        *nodes,
        helper.make_node("Add", [first, second], [f"{rows}_begin"]),
        helper.make_node("Add", [f"{rows}_begin", third], [f"{rows}_group"]),
        helper.make_node("Add", [f"{rows}_group", "positions"], [f"{rows}_cells"]),
    ]


def _scatter(values: str) -> list[NodeProto]:
    return [
        helper.make_node("Unsqueeze", ["rows_cells", "last"], ["rows_index"]),
        helper.make_node("ScatterND", ["cells", "rows_index", values], ["next_cells"]),
    ]


def _model(name: str, nodes: list[NodeProto], rows: Sequence[str], others: Sequence[onnx.ValueInfoProto]) -> ModelProto:
    cells = helper.make_tensor_value_info("cells", TensorProto.INT64, ["N", "U"])
    sizes = {"arrays": "A", "groups": "G", "positions": "P"} | dict.fromkeys(rows, "R")
    vectors = [helper.make_tensor_value_info(name, TensorProto.INT64, [size]) for name, size in sizes.items()]
    axes = {"after_arrays": [1, 2, 3], "after_rows": [1, 2], "after_groups": [1], "last": [4]}
    graph = helper.make_graph(
        nodes,
        name,
        [cells, *vectors, *others],
        [helper.make_tensor_value_info("next_cells", TensorProto.INT64, ["N", "U"])],
        [numpy_helper.from_array(np.array(values, np.int64), key) for key, values in axes.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def main(directory: Path) -> None:
    """Write both graphs."""
    for name, model in ((PLACE, place_rows()), (MOVE, move_rows())):
        onnx.save(model, directory / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
