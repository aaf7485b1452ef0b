"""The encoder of a recurrent model: GRU or LSTM, in one direction or in both (Schuster and Paliwal 1997).

B batch, S source length, E embedding size, H hidden size, M size of the memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training.model_settings import RnnSettings
from training.vocabulary import END_ID


class EncodedSource(NamedTuple):
    """What the decoder gets of a source."""

    memory: Tensor
    """(B, S, M), the encoder's state at every position."""
    lengths: Tensor
    """(B,)."""
    last: list[Tensor]
    """The states after the last token: hidden (layers x directions, B, H), and cell for the LSTM."""


class RecurrentEncoder(nn.Module):
    """Source ids to states."""

    def __init__(self, embedding: nn.Embedding, settings: RnnSettings) -> None:
        super().__init__()
        self.embedding = embedding
        self.dropout = nn.Dropout(settings.dropout)
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[settings.cell]
        self.recurrent = kind(
            settings.embedding_size,
            settings.hidden_size,
            num_layers=settings.num_encoder_layers,
            batch_first=True,
            bidirectional=settings.is_bidirectional,
            dropout=settings.dropout if settings.num_encoder_layers > 1 else 0.0,
        )
        self.num_directions = 1 + settings.is_bidirectional
        self.padded_tokens = settings.padded_source_tokens
        size = self.num_directions * settings.hidden_size
        self.projection = nn.Linear(size, settings.hidden_size) if settings.is_memory_projected else nn.Identity()
        self.memory_size = settings.hidden_size if settings.is_memory_projected else size

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> EncodedSource:
        """(B, S) ids with (B,) lengths -> what the decoder gets; padding changes nothing."""
        source_ids, lengths = self.fill(source_ids, source_lengths)
        embedded = self.dropout(self.embedding(source_ids))
        inputs = embedded.to(self.recurrent.weight_hh_l0.dtype)
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.recurrent(packed)
        memory, _ = pad_packed_sequence(states, batch_first=True, total_length=source_ids.shape[1])
        return self.encoded(memory, lengths, [last] if isinstance(last, Tensor) else list(last), embedded.dtype)

    def fill(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and lengths as the network reads them: up to `padded_source_tokens`, where that is set."""
        if not self.padded_tokens:
            return source_ids, source_lengths
        is_padding = torch.arange(source_ids.shape[1], device=source_ids.device) >= source_lengths[:, None]
        filled = F.pad(source_ids.masked_fill(is_padding, END_ID), (0, self.padded_tokens), value=END_ID)
        return filled[:, : self.padded_tokens], torch.full_like(source_lengths, self.padded_tokens)

    def encoded(self, states: Tensor, lengths: Tensor, last: list[Tensor], dtype: torch.dtype) -> EncodedSource:
        """States (B, S, H x directions) of the network, which may run in higher precision -> what the decoder gets."""
        return EncodedSource(self.projection(states.to(dtype)), lengths, [state.to(dtype) for state in last])

    def summary(self, encoded: EncodedSource) -> Tensor:
        """The last layer's hidden state at the end of each direction: (B, H x directions)."""
        return torch.cat(list(encoded.last[0][-self.num_directions :]), dim=-1)
