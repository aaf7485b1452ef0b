"""What passes between cache, runner and search, so that none of them needs to know another.

n running rows, k candidates, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class EncodedSource:
    """What the encoder computed for one source: the first value of every state array that it gives."""

    length: int
    """Source tokens, end of sentence included."""
    state: Any
    """What the runner and the store of its rows agree on; on the host arrays by name, without the row axis, an axis
    over the source at least `length` long."""
    num_padding: int = 0
    """Positions that the encoder computed for it beyond `length`."""


@dataclass(frozen=True)
class Batch:
    """The running rows, as they lie in the store, so that a step can update them in place."""

    token_ids: Array
    """(n,) the last token of each row."""
    positions: Array
    """(n,) its position in the target, from 0."""
    source_lengths: Array
    """(n,)."""
    state: Mapping[str, Any]
    """By name; on the host views, shapes as the state spec says with n rows and full capacity."""

    @property
    def num_rows(self) -> int:
        """n."""
        return len(self.token_ids)


@dataclass(frozen=True)
class Candidates:
    """The best tokens of every row, best first."""

    ids: Array
    """(n, k)."""
    log_probs: Array
    """(n, k), natural logarithms."""
    all_log_probs: Array | None = None
    """(n, V), where a row's search asked for them."""
    execution: str = "kernels"
    """How the step ran; one of `service.engine_report.EXECUTIONS`."""

    @cached_property
    def id_lists(self) -> list[list[int]]:
        """`ids`, as Python numbers."""
        lists: list[list[int]] = self.ids.tolist()
        return lists

    @cached_property
    def log_prob_lists(self) -> list[list[float]]:
        """`log_probs`, as Python numbers."""
        lists: list[list[float]] = self.log_probs.tolist()
        return lists


def offered(num_candidates: int) -> int:
    """How many a step gives, the next of 1, 2, 3, 5, 9, 17, …: what searches ask for varies, and each is bound anew."""
    return num_candidates if num_candidates <= 2 else 2 ** (num_candidates - 2).bit_length() + 1
