"""Which family a model is of, and how it is taken apart: the one place where export tells architectures apart."""

from __future__ import annotations

from typing import Any, Literal

from export.exportable import Exportable
from export.transformer import take_apart_transformer
from training.seq2seq import Seq2Seq
from training.transformer import Transformer


def take_apart(model: Seq2Seq[Any], dtype: Literal["float32", "float16"]) -> Exportable:
    """The graphs of a model whose activations are of `dtype`."""
    if isinstance(model, Transformer):
        return take_apart_transformer(model, dtype)
    raise TypeError(f"export does not know {type(model).__name__}")
