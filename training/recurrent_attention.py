"""Attention of a recurrent decoder to the encoder's states: scores, and where they may fall.

B batch, T queries, S source positions, H size of queries, M size of the memory, K size of keys.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class AdditiveScore(nn.Module):
    """v · tanh(W query + U memory): Bahdanau et al. (2015), A.1.2, and "concat" of Luong et al. (2015), section 3.1."""

    def __init__(self, query_size: int, memory_size: int, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory_size, size)
        self.energy = nn.Linear(size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """(B, S, M) -> (B, S, K), computed once per source."""
        keys: Tensor = self.key(memory)
        return keys

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, T, H) and (B, S, K) -> scores (B, T, S)."""
        hidden = torch.tanh(self.query(query)[:, :, None] + keys[:, None])  # (B, T, S, K)
        scores: Tensor = self.energy(hidden)[..., 0]
        return scores


class GeneralScore(nn.Module):
    """query · W memory (Luong et al. 2015, equation 8)."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """(B, S, M) -> (B, S, H), computed once per source."""
        keys: Tensor = self.key(memory)
        return keys

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, T, H) and (B, S, H) -> scores (B, T, S)."""
        return query @ keys.transpose(1, 2)


class DotScore(nn.Module):
    """query · memory (Luong et al. 2015, equation 8)."""

    def keys(self, memory: Tensor) -> Tensor:
        """The memory itself."""
        return memory

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """(B, T, H) and (B, S, H) -> scores (B, T, S)."""
        return query @ keys.transpose(1, 2)


class LocalWindow(nn.Module):
    """Predictive alignment, local-p (Luong et al. 2015, section 3.2): a window around a predicted source position.

    Weights fall off from the predicted position, so that those of a query sum to at most one.
    """

    def __init__(self, query_size: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(query_size, query_size, bias=False)
        self.position = nn.Linear(query_size, 1, bias=False)
        self.width = width

    def distances(self, query: Tensor, lengths: Tensor, num_positions: int) -> Tensor:
        """(B, T, H) and (B,) -> (B, T, S): how far each source position is from the predicted one."""
        share = torch.sigmoid(self.position(torch.tanh(self.hidden(query))))  # (B, T, 1), equation 9
        return torch.arange(num_positions, device=query.device) - share * lengths[:, None, None]

    def fall_off(self, distances: Tensor) -> Tensor:
        """The Gaussian of equation 10, its standard deviation half the width."""
        return torch.exp(-2 * (distances / self.width) ** 2)


class RecurrentAttention(nn.Module):
    """Weights over the source, and the context they make."""

    def __init__(
        self,
        score: Literal["additive", "concat", "general", "dot"],
        query_size: int,
        memory_size: int,
        local_window: int = 0,
    ) -> None:
        super().__init__()
        self.score: AdditiveScore | GeneralScore | DotScore
        if score == "dot":
            self.score = DotScore()
        elif score == "general":
            self.score = GeneralScore(query_size, memory_size)
        else:
            self.score = AdditiveScore(query_size, memory_size, query_size)
        self.window = LocalWindow(query_size, local_window) if local_window else None

    def forward(self, query: Tensor, keys: Tensor, memory: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: (B, T, H).
            keys: (B, S, K), of `score.keys`.
            memory: (B, S, M).
            lengths: (B,) of the sources.

        Returns:
            context (B, T, M) and weights (B, T, S); with global attention a query's weights sum to one.
        """
        scores = self.score(query, keys)
        num_positions = memory.shape[1]
        allowed = (torch.arange(num_positions, device=query.device)[None, :] < lengths[:, None])[:, None]  # (B, 1, S)
        if self.window is None:
            weights = scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1)
        else:
            distances = self.window.distances(query, lengths, num_positions)
            allowed = allowed & (distances.abs() <= self.window.width)
            weights = scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1) * self.window.fall_off(distances)
        return weights @ memory, weights
