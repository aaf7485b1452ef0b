"""The recurrent encoder on ONNX's GRU and LSTM operators, which stop at each row's own length.

B batch, S source length, H hidden size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic_multi_out

from training.recurrent_encoder import EncodedSource, RecurrentEncoder

# PyTorch orders the gates reset, update, new and input, forget, cell, output; ONNX orders them so.
_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}


class RecurrentEncoderGraph(nn.Module):
    """Source ids and lengths to an `EncodedSource`."""

    def __init__(self, encoder: RecurrentEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        layers = encoder.recurrent.num_layers
        self.layers = nn.ModuleList(_Layer(encoder.recurrent, index) for index in range(layers))

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> EncodedSource:
        """(B, S) and (B,); see `RecurrentEncoder`."""
        if not torch.onnx.is_in_onnx_export():
            encoded: EncodedSource = self.encoder(source_ids, source_lengths)
            return encoded
        source_ids, lengths = self.encoder.fill(source_ids, source_lengths)
        embedded = self.encoder.embedding(source_ids)
        states = embedded.float().transpose(0, 1)  # (S, B, E)
        last: list[tuple[Tensor, ...]] = []
        for layer in self.layers:
            states, *ends = layer(states, lengths)
            last.append(tuple(ends))
        joined = [torch.cat(column) for column in zip(*last, strict=True)]
        return self.encoder.encoded(states.transpose(0, 1), lengths, joined, embedded.dtype)


class _Layer(nn.Module):
    """One layer, in one direction or both, in float32."""

    weight: Tensor
    recurrence: Tensor
    bias: Tensor

    def __init__(self, recurrent: nn.GRU | nn.LSTM, index: int) -> None:
        super().__init__()
        self.operator = "GRU" if isinstance(recurrent, nn.GRU) else "LSTM"
        self.hidden_size = recurrent.hidden_size
        self.num_directions = 1 + recurrent.bidirectional
        suffixes = [f"l{index}", f"l{index}_reverse"][: self.num_directions]
        for name, kinds in (("weight", ["weight_ih"]), ("recurrence", ["weight_hh"]), ("bias", ["bias_ih", "bias_hh"])):
            stacked = [torch.cat([self._gates(recurrent, kind, suffix) for kind in kinds]) for suffix in suffixes]
            self.register_buffer(name, torch.stack(stacked))

    def _gates(self, recurrent: nn.Module, kind: str, suffix: str) -> Tensor:
        """A parameter with its gates in ONNX's order."""
        parameter: Tensor = getattr(recurrent, f"{kind}_{suffix}").detach().float()
        gates = parameter.chunk(len(_GATES[self.operator]))
        return torch.cat([gates[index] for index in _GATES[self.operator]])

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """(S, B, …) -> states (S, B, H x directions); of each kind of state, the last (directions, B, H)."""
        length, batch, _ = inputs.shape
        attributes: dict[str, Any] = {
            "hidden_size": self.hidden_size,
            "direction": "bidirectional" if self.num_directions == 2 else "forward",
        }
        if self.operator == "GRU":
            attributes["linear_before_reset"] = 1
        last = (self.num_directions, batch, self.hidden_size)
        num_last = 1 if self.operator == "GRU" else 2
        states, *ends = symbolic_multi_out(
            self.operator,
            (inputs, self.weight, self.recurrence, self.bias, lengths.to(torch.int32)),
            attributes,
            dtypes=(torch.float32,) * (1 + num_last),
            shapes=((length, self.num_directions, batch, self.hidden_size), *[last] * num_last),
            version=14,
        )
        return states.transpose(1, 2).reshape(length, batch, -1), *ends
