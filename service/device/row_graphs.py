"""The two graphs that write and move rows of decoder state in a device's memory; export/row_graphs.py makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

import onnxruntime as ort

PLACE, MOVE = "place_rows.onnx", "move_rows.onnx"


@dataclass(frozen=True)
class RowGraphs:
    """Sessions on the decoder's stream."""

    place: ort.InferenceSession
    move: ort.InferenceSession

    @classmethod
    def open(cls, session: Callable[[bytes, str], ort.InferenceSession]) -> Self:
        """`session` opens a graph of that content, whose name is for messages."""
        directory = files("service.device") / "graphs"
        place, move = (session((directory / name).read_bytes(), name) for name in (PLACE, MOVE))
        return cls(place, move)
