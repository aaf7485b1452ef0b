"""Multi-head attention (Vaswani et al. 2017, section 3.2) on PyTorch's scaled dot-product attention.

B batch, Q query positions, K key positions, D model size, H heads, W = D / H head width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def split_heads(states: Tensor, num_heads: int) -> Tensor:
    """(B, L, D) -> (B, H, L, W)."""
    batch, length, size = states.shape
    return states.view(batch, length, num_heads, size // num_heads).transpose(1, 2)


def merge_heads(states: Tensor) -> Tensor:
    """(B, H, L, W) -> (B, L, D)."""
    batch, num_heads, length, width = states.shape
    return states.transpose(1, 2).reshape(batch, length, num_heads * width)


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """The softmax that `scaled_dot_product_attention` applies and does not return (equation 1).

    Args:
        query: (B, H, Q, W).
        key: (B, H, K, W).
        mask: boolean, broadcastable to (B, H, Q, K), true where attention is allowed.

    Returns:
        (B, H, Q, K); every row sums to one.
    """
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5  # (B, H, Q, K)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights: Tensor = scores.softmax(dim=-1)
    return weights


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, is_causal: bool = False
) -> Tensor:
    """Equation 1: queries (B, H, Q, W) over keys and values (B, H, K, W) -> (B, H, Q, W).

    On a CPU, bfloat16 is turned to float32 for it: PyTorch's fused kernel, forward and backward, is then about twice as
    fast on sentences (bench/README.md, training).
    """
    if query.dtype != torch.bfloat16 or query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, mask, dropout, is_causal)
    with torch.autocast("cpu", enabled=False):
        context = F.scaled_dot_product_attention(query.float(), key.float(), value.float(), mask, dropout, is_causal)
    return context.to(query.dtype)


class SelfAttention(nn.Module):
    """Attention of a sequence to itself. One projection makes queries, keys and values."""

    def __init__(self, model_size: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.query_key_value = nn.Linear(model_size, 3 * model_size)
        self.output = nn.Linear(model_size, model_size)

    def project(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L, D) -> queries, keys and values, each (B, H, L, W)."""
        query, key, value = self.query_key_value(states).chunk(3, dim=-1)
        return (
            split_heads(query, self.num_heads),
            split_heads(key, self.num_heads),
            split_heads(value, self.num_heads),
        )

    def forward(self, states: Tensor, mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D); `mask` as in `attention_weights`."""
        query, key, value = self.project(states)
        return self.attend(query, key, value, mask, is_causal)

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        """Queries (B, H, Q, W) over keys and values (B, H, K, W) -> (B, Q, D)."""
        dropout = self.dropout if self.training else 0.0
        context = attention(query, key, value, mask, dropout, is_causal)
        output: Tensor = self.output(merge_heads(context))
        return output


class CrossAttention(nn.Module):
    """Attention of the target to the encoded source."""

    def __init__(self, model_size: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(model_size, model_size)
        self.key_value = nn.Linear(model_size, 2 * model_size)
        self.output = nn.Linear(model_size, model_size)

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder output (B, S, D) -> keys and values (B, H, S, W), computed once per source."""
        key, value = self.key_value(memory).chunk(2, dim=-1)
        return split_heads(key, self.num_heads), split_heads(value, self.num_heads)

    def project_query(self, states: Tensor) -> Tensor:
        """(B, T, D) -> (B, H, T, W)."""
        return split_heads(self.query(states), self.num_heads)

    def forward(self, states: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Target states (B, T, D) over source keys and values (B, H, S, W) -> (B, T, D)."""
        dropout = self.dropout if self.training else 0.0
        context = attention(self.project_query(states), key, value, mask, dropout)
        output: Tensor = self.output(merge_heads(context))
        return output


def length_mask(lengths: Tensor, max_length: int) -> Tensor:
    """(B,) lengths -> (B, 1, 1, max_length), true at real positions."""
    positions = torch.arange(max_length, device=lengths.device)
    return (positions[None, :] < lengths[:, None])[:, None, None, :]
