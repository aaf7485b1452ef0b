"""Several linear maps of one input, computed as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FusedLinear(nn.Linear):
    """Linear maps side by side in one matrix; each begins training as if it were alone."""

    def __init__(self, input_size: int, *output_sizes: int) -> None:
        super().__init__(input_size, sum(output_sizes))
        self.output_sizes = output_sizes

    def weights(self) -> tuple[Tensor, ...]:
        """The matrix of each map, (output size, input size)."""
        return torch.split(self.weight, list(self.output_sizes))
