"""The best next tokens, chosen inside the graph.

n rows, V vocabulary size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.onnx.ops import symbolic_multi_out


def top_k(log_probs: Tensor, num_candidates: Tensor) -> tuple[Tensor, Tensor]:
    """(n, V) -> the highest log-probabilities and their ids, both (n, num_candidates), best first."""
    rows = log_probs.shape[0]
    values, indices = symbolic_multi_out(
        "TopK",
        (log_probs, num_candidates),
        {"axis": -1, "largest": 1, "sorted": 1},
        dtypes=(log_probs.dtype, torch.int64),
        shapes=((rows, 1), (rows, 1)),  # the second axis is num_candidates long, which only a running graph knows
        version=11,
    )
    return values, indices
