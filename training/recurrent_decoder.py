"""Recurrent decoders: with one fixed context vector, and with the attention of Bahdanau and of Luong.

B batch, T target length, S source length, E embedding size, H hidden size, M size of the memory, R size of the readout.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.model_settings import RnnSettings
from training.recurrent_attention import RecurrentAttention
from training.recurrent_cells import RecurrentStack


@dataclass
class RecurrentState:
    """What a recurrent decoder carries. Of the source: `memory`, `keys`, `context`, `lengths`; the rest changes."""

    lengths: Tensor
    """(B,) of the sources."""
    hidden: list[Tensor]
    """Every layer's states, (B, H)."""
    memory: Tensor | None = None
    """(B, S, M)."""
    keys: Tensor | None = None
    """(B, S, K)."""
    context: Tensor | None = None
    """(B, M), where it is one for the whole source."""
    fed: Tensor | None = None
    """(B, R), the last readout, where the next step reads it."""
    weights: Tensor | None = None
    """(B, T, S), the attention of what was read last."""


class Readout(nn.Module):
    """State and context to what the output projection reads."""

    def __init__(self, size: int, settings: RnnSettings) -> None:
        super().__init__()
        self.kind = settings.readout
        self.linear = nn.Linear(size, settings.readout_size * (2 if self.kind == "maxout" else 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, size) -> (…, R)."""
        outputs: Tensor = self.linear(inputs)
        if self.kind == "tanh":
            return torch.tanh(outputs)
        return torch.maximum(outputs[..., 0::2], outputs[..., 1::2]) if self.kind == "maxout" else outputs


class RecurrentDecoder(nn.Module):
    """Reads target tokens one by one. Subclasses say how the source comes in."""

    stack: RecurrentStack
    readout: Readout

    def step(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """One embedded token of each row, (B, E) -> the readout (B, R)."""
        return self.read(self.advance(embedded, state)[:, None], state)[:, 0]

    def forward(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """All embedded tokens, (B, T, E) -> the readouts (B, T, R)."""
        features = [self.advance(embedded[:, position], state) for position in range(embedded.shape[1])]
        return self.read(torch.stack(features, dim=1), state)

    @abstractmethod
    def advance(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """Move `state` by one token (B, E); returns what `read` needs of it, (B, F)."""

    def read(self, features: Tensor, state: RecurrentState) -> Tensor:  # noqa: ARG002 (subclasses need it)
        """(B, T, F) -> (B, T, R). What does not feed back is computed here, for all positions at once."""
        readout: Tensor = self.readout(features)
        return readout


class ContextDecoder(RecurrentDecoder):
    """No attention: one vector for the source, read by cell and readout at every step (Cho et al. 2014, A.1.2)."""

    def __init__(self, settings: RnnSettings, context_size: int) -> None:
        super().__init__()
        inputs = settings.embedding_size + context_size
        self.stack = _stack(settings, inputs)
        self.readout = Readout(settings.hidden_size + inputs, settings)

    def advance(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """See `RecurrentDecoder`; F = H + E + M."""
        assert state.context is not None
        inputs = torch.cat((embedded, state.context), dim=-1)
        state.hidden = self.stack(inputs, state.hidden)
        return torch.cat((self.stack.top(state.hidden), inputs), dim=-1)


class BahdanauDecoder(RecurrentDecoder):
    """Attention by the state before the token; the cell reads the context (Bahdanau et al. 2015, section 3.1).

    The readout sees the new state, as equation 4 has it.
    """

    def __init__(self, settings: RnnSettings, memory_size: int) -> None:
        super().__init__()
        inputs = settings.embedding_size + memory_size
        self.stack = _stack(settings, inputs)
        self.attention = RecurrentAttention(settings.score, settings.hidden_size, memory_size)
        self.readout = Readout(settings.hidden_size + inputs, settings)

    def advance(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """See `RecurrentDecoder`; F = H + E + M."""
        inputs = torch.cat((embedded, self.look(embedded, state)), dim=-1)
        state.hidden = self.stack(inputs, state.hidden)
        return torch.cat((self.stack.top(state.hidden), inputs), dim=-1)

    def look(self, embedded: Tensor, state: RecurrentState) -> Tensor:  # noqa: ARG002 (subclasses need it)
        """What is read of the source at this step, (B, M)."""
        return _attend(self.attention, self.stack.top(state.hidden)[:, None], state)[:, 0]


class LuongDecoder(RecurrentDecoder):
    """Attention by the state after the token (Luong et al. 2015, section 3), with input feeding (3.3) or without."""

    def __init__(self, settings: RnnSettings, memory_size: int) -> None:
        super().__init__()
        self.is_input_feeding = settings.is_input_feeding
        fed = settings.readout_size if settings.is_input_feeding else 0
        self.stack = _stack(settings, settings.embedding_size + fed)
        self.attention = RecurrentAttention(settings.score, settings.hidden_size, memory_size, settings.local_window)
        self.readout = Readout(memory_size + settings.hidden_size, settings)

    def advance(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """See `RecurrentDecoder`; F = H, or R with input feeding."""
        if state.fed is not None:
            embedded = torch.cat((embedded, state.fed), dim=-1)
        state.hidden = self.stack(embedded, state.hidden)
        top = self.stack.top(state.hidden)
        if state.fed is None:
            return top
        state.fed = self._attentional(top[:, None], state)[:, 0]
        return state.fed

    def read(self, features: Tensor, state: RecurrentState) -> Tensor:
        """See `RecurrentDecoder`."""
        return features if state.fed is not None else self._attentional(features, state)

    def _attentional(self, hidden: Tensor, state: RecurrentState) -> Tensor:
        """Equation 5: (B, T, H) -> (B, T, R)."""
        context = _attend(self.attention, hidden, state)
        attentional: Tensor = self.readout(torch.cat((context, hidden), dim=-1))
        return attentional


def _stack(settings: RnnSettings, input_size: int) -> RecurrentStack:
    return RecurrentStack(
        settings.cell, settings.num_decoder_layers, input_size, settings.hidden_size, settings.dropout
    )


def _attend(attention: RecurrentAttention, query: Tensor, state: RecurrentState) -> Tensor:
    """Queries (B, T, H) -> contexts (B, T, M); notes the weights in `state`."""
    assert state.keys is not None
    assert state.memory is not None
    context: Tensor
    context, state.weights = attention(query, state.keys, state.memory, state.lengths)
    return context
