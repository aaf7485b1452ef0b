"""Multi-head attention (Vaswani et al. 2017, section 3.2) on PyTorch's scaled dot-product attention.

Heads of keys and values may be fewer than those of queries (grouped-query attention, Ainslie et al. 2023).

B batch, Q query positions, K key positions, L length, D model size, H heads of queries, G heads of keys and values,
W = D / H head width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.fused_linear import FusedLinear
from training.packing import PackedMask, packed_attention
from training.positions import Rotary

Mask = Tensor | PackedMask | None
"""Boolean, broadcastable to (B, H, Q, K), true where attention is allowed; or of packed sentences, where B is 1."""


def split_heads(states: Tensor, num_heads: int) -> Tensor:
    """(B, L, H W) -> (B, H, L, W)."""
    batch, length, size = states.shape
    return states.view(batch, length, num_heads, size // num_heads).transpose(1, 2)


def merge_heads(states: Tensor) -> Tensor:
    """(B, H, L, W) -> (B, L, H W)."""
    batch, num_heads, length, width = states.shape
    return states.transpose(1, 2).reshape(batch, length, num_heads * width)


def share_heads(states: Tensor, num_heads: int) -> Tensor:
    """(B, G, L, W) -> (B, H, L, W): each head of keys or values once for every head of queries that it serves."""
    num_shares = num_heads // states.shape[1]
    return states if num_shares == 1 else states.repeat_interleave(num_shares, dim=1)


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """The softmax that `scaled_dot_product_attention` applies and does not return (equation 1).

    Args:
        query: (B, H, Q, W).
        key: (B, G, K, W).
        mask: boolean, broadcastable to (B, H, Q, K), true where attention is allowed.

    Returns:
        (B, H, Q, K); every row sums to one.
    """
    key = share_heads(key, query.shape[1])
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5  # (B, H, Q, K)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights: Tensor = scores.softmax(dim=-1)
    return weights


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Mask, dropout: float, is_causal: bool = False) -> Tensor:
    """Equation 1: queries (B, H, Q, W) over keys and values (B, H, K, W) -> (B, H, Q, W).

    On a CPU, bfloat16 is turned to float32 for it: PyTorch's fused kernel, forward and backward, is then about twice as
    fast on sentences (bench/README.md, training).
    """
    if query.dtype != torch.bfloat16 or query.device.type != "cpu":
        return _attention(query, key, value, mask, dropout, is_causal)
    with torch.autocast("cpu", enabled=False):
        context = _attention(query.float(), key.float(), value.float(), mask, dropout, is_causal)
    return context.to(query.dtype)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Mask, dropout: float, is_causal: bool) -> Tensor:
    if isinstance(mask, PackedMask):
        return packed_attention(query, key, value, mask, dropout, is_causal)
    return F.scaled_dot_product_attention(query, key, value, mask, dropout, is_causal)


class Stored(nn.Module):
    """Keys and values as attention finds them: as they are, until export puts rounding in this place."""

    def forward(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Both (B, G, L, W)."""
        return key, value


class SelfAttention(nn.Module):
    """Attention of a sequence to itself. One projection makes queries, keys and values."""

    def __init__(
        self,
        model_size: int,
        num_heads: int,
        dropout: float = 0.0,
        num_key_value_heads: int = 0,
        rotary: Rotary | None = None,
    ) -> None:
        """`num_key_value_heads`: 0 for `num_heads`; `rotary`: turns queries and keys, if any."""
        super().__init__()
        self.num_heads = num_heads
        self.num_key_value_heads = num_key_value_heads or num_heads
        self.dropout = dropout
        self.sizes = _sizes(model_size, num_heads, self.num_key_value_heads)
        self.query_key_value = FusedLinear(model_size, *self.sizes)
        self.output = nn.Linear(model_size, model_size)
        self.rotary = rotary
        self.stored = Stored()

    def project(self, states: Tensor, start: int = 0, positions: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L, D) at `positions`, or start … start + L - 1 -> queries (B, H, L, W), keys and values (B, G, L, W)."""
        if positions is None:
            positions = torch.arange(start, start + states.shape[1], device=states.device)
        query, key, value = torch.split(self.turned(self.query_key_value(states), positions), list(self.sizes), -1)
        key, value = self.stored(
            split_heads(key, self.num_key_value_heads), split_heads(value, self.num_key_value_heads)
        )
        return split_heads(query, self.num_heads), key, value

    def turned(self, projected: Tensor, positions: Tensor) -> Tensor:
        """Queries, keys and values side by side, (B, L, (H + 2 G) W), as their positions, (L,) or (B, L), have them."""
        if self.rotary is None:
            return projected
        num_turned = self.num_heads + self.num_key_value_heads
        heads = torch.unflatten(projected, -1, (num_turned + self.num_key_value_heads, -1))
        turned = self.rotary(heads[:, :, :num_turned], positions)
        return torch.cat((turned, heads[:, :, num_turned:]), dim=2).flatten(2)

    def forward(self, states: Tensor, mask: Mask = None, is_causal: bool = False) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        positions = mask.query.positions if isinstance(mask, PackedMask) else None
        query, key, value = self.project(states, positions=positions)
        return self.attend(query, key, value, mask, is_causal)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Mask = None, is_causal: bool = False) -> Tensor:
        """Queries (B, H, Q, W) over keys and values (B, G, K, W) -> (B, Q, D)."""
        key, value = share_heads(key, self.num_heads), share_heads(value, self.num_heads)
        dropout = self.dropout if self.training else 0.0
        context = attention(query, key, value, mask, dropout, is_causal)
        output: Tensor = self.output(merge_heads(context))
        return output


class CrossAttention(nn.Module):
    """Attention of the target to the encoded source."""

    def __init__(self, model_size: int, num_heads: int, dropout: float = 0.0, num_key_value_heads: int = 0) -> None:
        """`num_key_value_heads`: 0 for `num_heads`."""
        super().__init__()
        self.num_heads = num_heads
        self.num_key_value_heads = num_key_value_heads or num_heads
        self.dropout = dropout
        query_size, *key_value_sizes = _sizes(model_size, num_heads, self.num_key_value_heads)
        self.query = nn.Linear(model_size, query_size)
        self.key_value = FusedLinear(model_size, *key_value_sizes)
        self.output = nn.Linear(model_size, model_size)
        self.stored = Stored()

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder output (B, S, D) -> keys and values (B, G, S, W), computed once per source."""
        key, value = self.key_value(memory).chunk(2, dim=-1)
        stored: tuple[Tensor, Tensor] = self.stored(
            split_heads(key, self.num_key_value_heads), split_heads(value, self.num_key_value_heads)
        )
        return stored

    def project_query(self, states: Tensor) -> Tensor:
        """(B, T, D) -> (B, H, T, W)."""
        return split_heads(self.query(states), self.num_heads)

    def forward(self, states: Tensor, key: Tensor, value: Tensor, mask: Mask = None) -> Tensor:
        """Target states (B, T, D) over source keys and values (B, G, S, W) -> (B, T, D)."""
        key, value = share_heads(key, self.num_heads), share_heads(value, self.num_heads)
        dropout = self.dropout if self.training else 0.0
        context = attention(self.project_query(states), key, value, mask, dropout)
        output: Tensor = self.output(merge_heads(context))
        return output


def length_mask(lengths: Tensor, max_length: int) -> Tensor:
    """(B,) lengths -> (B, 1, 1, max_length), true at real positions."""
    positions = torch.arange(max_length, device=lengths.device)
    return (positions[None, :] < lengths[:, None])[:, None, None, :]


def _sizes(model_size: int, num_heads: int, num_key_value_heads: int) -> tuple[int, int, int]:
    """Widths of queries, keys and values."""
    shared = model_size // num_heads * num_key_value_heads
    return model_size, shared, shared
