"""Recurrent cells, one step at a time: GRU (Cho et al. 2014) and LSTM (Hochreiter and Schmidhuber 1997).

B batch, I input size, H hidden size. The weights are those of PyTorch's nn.GRUCell and nn.LSTMCell, as two linear
layers, which export can quantise like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn


class GruCell(nn.Module):
    """Reset and update gates; the reset gate acts on the recurrent product, as in nn.GRUCell."""

    num_states = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 3 * hidden_size)
        self.hidden = nn.Linear(hidden_size, 3 * hidden_size)
        _initialise(self, hidden_size)

    def forward(self, inputs: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Inputs (B, I) and hidden state (B, H) -> the new hidden state."""
        (hidden,) = state
        reset_input, update_input, new_input = self.input(inputs).chunk(3, dim=-1)
        reset_hidden, update_hidden, new_hidden = self.hidden(hidden).chunk(3, dim=-1)
        reset = torch.sigmoid(reset_input + reset_hidden)
        update = torch.sigmoid(update_input + update_hidden)
        new = torch.tanh(new_input + reset * new_hidden)
        return (new + update * (hidden - new),)


class LstmCell(nn.Module):
    """Input, forget and output gates around a cell state."""

    num_states = 2

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.hidden = nn.Linear(hidden_size, 4 * hidden_size)
        _initialise(self, hidden_size)

    def forward(self, inputs: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Inputs (B, I), hidden state (B, H) and cell state (B, H) -> the new two."""
        hidden, cell = state
        into, forget, new, out = (self.input(inputs) + self.hidden(hidden)).chunk(4, dim=-1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(cell), cell


class RecurrentStack(nn.Module):
    """Cells on top of each other, with dropout between them."""

    def __init__(
        self, kind: Literal["gru", "lstm"], num_layers: int, input_size: int, hidden_size: int, dropout: float
    ) -> None:
        super().__init__()
        cell: type[GruCell | LstmCell] = GruCell if kind == "gru" else LstmCell
        self.cells = nn.ModuleList(
            cell(input_size if layer == 0 else hidden_size, hidden_size) for layer in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.num_states = cell.num_states
        """Tensors of each layer; the first is its output."""

    def forward(self, inputs: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        """Inputs (B, I) and the states (B, H) of all layers -> the new states; see `top`."""
        updated: list[Tensor] = []
        for index, cell in enumerate(self.cells):
            start = index * self.num_states
            state = cell(self.dropout(inputs) if index else inputs, states[start : start + self.num_states])
            updated += state
            inputs = state[0]
        return updated

    def top(self, states: Sequence[Tensor]) -> Tensor:
        """The output (B, H) of the last layer."""
        return states[-self.num_states]


def _initialise(module: nn.Module, hidden_size: int) -> None:
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)  # as PyTorch's own
