"""Sentences end to end in one long row: no padding, and attention by the flash kernel for variable lengths.

Masks of padding keep PyTorch from its flash kernel. Packed sentences need none: the kernel is told where each begins
(Dao et al. 2022, 2023; `cu_seqlens` there), and the rest of the model works position by position.

B sentences, N tokens of all of them, H heads, W head width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Packing:
    """Where sentences stand in their row."""

    offsets: Tensor
    """(B + 1,) int32: where each begins, and where the last ends."""
    positions: Tensor
    """(N,): of each token in its sentence."""
    longest: int
    """Tokens of the longest sentence."""

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Self:
        """Sentences of these lengths, one after the other."""
        sizes = torch.tensor(lengths)
        offsets = torch.zeros(len(lengths) + 1, dtype=torch.int32)
        offsets[1:] = sizes.cumsum(0)
        positions = torch.arange(int(offsets[-1])) - offsets[:-1].long().repeat_interleave(sizes)
        return cls(offsets, positions, max(lengths))

    def to(self, device: torch.device) -> Self:
        """The same on `device`."""
        return type(self)(
            self.offsets.to(device, non_blocking=True), self.positions.to(device, non_blocking=True), self.longest
        )


@dataclass(frozen=True)
class PackedMask:
    """Attention stays within a pair: the i-th sentence of queries sees the i-th sentence of keys."""

    query: Packing
    key: Packing


def packed_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: PackedMask, dropout: float, is_causal: bool
) -> Tensor:
    """Queries (1, H, N, W) over keys and values (1, H, M, W) -> (1, H, N, W); see `training.attention.attention`.

    On a GPU in two bytes by the flash kernel. Elsewhere sentence by sentence, which is exact and slow.
    """
    if query.device.type == "cpu" or query.dtype == torch.float32:
        return _one_by_one(query, key, value, mask, dropout, is_causal)
    # What torch.nn.attention.varlen calls; its own signature is another in every release of PyTorch.
    context: Tensor = torch.ops.aten._flash_attention_forward(
        *(states[0].transpose(0, 1) for states in (query, key, value)),  # (N, H, W)
        mask.query.offsets,
        mask.key.offsets,
        mask.query.longest,
        mask.key.longest,
        dropout,
        is_causal,
        return_debug_mask=False,
    )[0]
    return context.transpose(0, 1)[None]


def _one_by_one(query: Tensor, key: Tensor, value: Tensor, mask: PackedMask, dropout: float, is_causal: bool) -> Tensor:
    queries, keys, values = (
        torch.split(states, packing.offsets.diff().tolist(), dim=2)
        for states, packing in ((query, mask.query), (key, mask.key), (value, mask.key))
    )
    contexts = [
        F.scaled_dot_product_attention(*one, None, dropout, is_causal)
        for one in zip(queries, keys, values, strict=True)
    ]
    return torch.cat(contexts, dim=2)
