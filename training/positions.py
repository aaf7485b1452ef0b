"""How a Transformer knows the order of tokens: what is added to embeddings, or how queries and keys are turned.

B batch, L length, D model size, H heads of queries and of keys, W head width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BASE = 10_000.0


def sinusoidal_positions(num_positions: int, model_size: int) -> Tensor:
    """Vaswani et al. (2017), section 3.5: (num_positions, model_size), sines in even and cosines in odd columns."""
    angles = _angles(num_positions, model_size)
    table = torch.empty(num_positions, model_size, dtype=torch.float64)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles)
    return table.float()


class Rotary(nn.Module):
    """Rotary position embedding (Su et al. 2021, section 3.2.2): each pair of a head's numbers is turned by an angle.

    Number i goes with number i + W / 2; pair i turns by 10000 ** (-2 i / W) at every position.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self, num_positions: int, head_size: int) -> None:
        super().__init__()
        angles = _angles(num_positions, head_size)
        self.register_buffer("cosines", torch.cos(angles).float(), persistent=False)  # (num_positions, W / 2)
        self.register_buffer("sines", torch.sin(angles).float(), persistent=False)

    def forward(self, states: Tensor, positions: Tensor) -> Tensor:
        """Turn (B, L, H, W); `positions` are (L,), or (B, L) where rows stand at different ones."""
        cosines, sines = self.cosines[positions][..., None, :], self.sines[positions][..., None, :]  # (…, L, 1, W / 2)
        first, second = states.chunk(2, dim=-1)
        turned = torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)
        return turned.to(states.dtype)  # the tables stay float32 under autocast


def _angles(num_positions: int, size: int) -> Tensor:
    """(num_positions, size / 2), in radians."""
    position = torch.arange(num_positions, dtype=torch.float64)[:, None]
    frequency = torch.exp(torch.arange(0, size, 2, dtype=torch.float64) * (-math.log(BASE) / size))
    return position * frequency
