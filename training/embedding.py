"""Token ids to what the first layer of a Transformer reads.

B batch, L length, D model size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from training.model_settings import TransformerSettings
from training.positions import sinusoidal_positions


class Embedding(nn.Module):
    """Token embedding, times sqrt(D) where scaled, plus position where one is added (sections 3.4 and 3.5)."""

    positions: Tensor | None

    def __init__(self, vocabulary_size: int, settings: TransformerSettings, max_positions: int) -> None:
        super().__init__()
        size = settings.model_size
        self.scale = math.sqrt(size) if settings.scale_embeddings else 1.0
        self.tokens = nn.Embedding(vocabulary_size, size)
        self.dropout = nn.Dropout(settings.dropout)
        if settings.positions == "learned":
            self.positions = nn.Parameter(torch.empty(max_positions, size))
            nn.init.normal_(self.positions, std=size**-0.5)
        else:
            table = sinusoidal_positions(max_positions, size) if settings.positions == "sinusoidal" else None
            self.register_buffer("positions", table, persistent=False)
        nn.init.normal_(self.tokens.weight, std=size**-0.5)

    def forward(self, token_ids: Tensor, start: int = 0, positions: Tensor | None = None) -> Tensor:
        """(B, L) ids at `positions`, (L,), or start … start + L - 1 -> (B, L, D)."""
        states: Tensor = self.tokens(token_ids) * self.scale
        if self.positions is not None:
            places = slice(start, start + token_ids.shape[1]) if positions is None else positions
            states = states + self.positions[places]
        dropped: Tensor = self.dropout(states)
        return dropped
