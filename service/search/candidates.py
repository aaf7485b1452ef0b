"""What a decoder step offers to choose from.

n rows, k candidates, V vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Candidates:
    """The best tokens of every row, best first."""

    ids: NDArray[Any]
    """(n, k)."""
    log_probs: NDArray[Any]
    """(n, k), natural logarithms."""
    all_log_probs: NDArray[Any] | None = None
    """(n, V), where a row's search asked for them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The token that continues a row."""

    token_id: int
    log_prob: float
