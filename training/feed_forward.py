"""The position-wise feed-forward network (Vaswani et al. 2017, section 3.3) and its activations.

B batch, L length, D model size, M inner size.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from training.fused_linear import FusedLinear

Activation = Literal["relu", "gelu", "silu", "swiglu"]


class FeedForward(nn.Module):
    """Two linear maps with an activation between them."""

    def __init__(self, model_size: int, feed_forward_size: int, activation: Activation = "relu") -> None:
        super().__init__()
        num_maps = 2 if activation == "swiglu" else 1
        self.activation = activation
        self.inner = FusedLinear(model_size, *[feed_forward_size] * num_maps)
        self.output = nn.Linear(feed_forward_size, model_size)

    def forward(self, states: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        output: Tensor = self.output(activate(self.inner(states), self.activation))
        return output


def activate(states: Tensor, activation: Activation) -> Tensor:
    """(B, L, M) -> (B, L, M), with swiglu from (B, L, 2 M): the gate, then what it gates (Shazeer 2020, equation 6)."""
    if activation == "swiglu":
        gate, gated = states.chunk(2, dim=-1)
        return F.silu(gate) * gated
    if activation == "gelu":
        return F.gelu(states)
    return F.silu(states) if activation == "silu" else F.relu(states)
