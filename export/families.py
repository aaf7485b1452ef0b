"""Which family a model is of, and how it is taken apart: the one place where export tells architectures apart."""

from __future__ import annotations

import copy
from typing import Any, Literal

from export.ensemble import take_apart_ensemble
from export.exportable import Exportable
from export.rnn import take_apart_rnn
from export.transformer import take_apart_transformer
from training.ensemble import Ensemble
from training.rnn import Rnn
from training.seq2seq import Seq2Seq
from training.transformer import Transformer


def take_apart(model: Seq2Seq[Any], dtype: Literal["float32", "float16"]) -> Exportable:
    """The graphs of a model whose activations are of `dtype`."""
    if isinstance(model, Transformer):
        return take_apart_transformer(model, dtype)
    if isinstance(model, Rnn):
        return take_apart_rnn(model, dtype)
    if isinstance(model, Ensemble):
        return take_apart_ensemble([take_apart(member, dtype) for member in model.models])
    raise TypeError(f"export does not know {type(model).__name__}")


def to_float16(model: Seq2Seq[Any]) -> Seq2Seq[Any]:
    """A copy in float16; recurrent encoders run in float32, for ONNX Runtime has no other on the CPU."""
    half = copy.deepcopy(model).half()
    for module in half.modules():
        if isinstance(module, Rnn):
            module.encoder.recurrent.float()
    return half
