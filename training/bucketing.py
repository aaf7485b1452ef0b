"""Batches of examples of like length: pools of shuffled blocks, sorted within a pool, cut by the token budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_SIZE = 4096
"""Neighbouring examples that stay together, so that a pool is read from the disk in long runs."""
POOL_SIZE = 128 * BLOCK_SIZE
"""Examples sorted by length at a time: all the memory that the order of an epoch takes."""


def bucketed_batches(
    source_lengths: NDArray[Any],
    target_lengths: NDArray[Any],
    batch_tokens: int,
    generator: np.random.Generator | None,
) -> Iterator[NDArray[np.int64]]:
    """Example indices of each batch; every example once.

    Args:
        source_lengths: (N,), the end of sentence included.
        target_lengths: (N,), without the end of sentence, which is counted here.
        batch_tokens: a batch times its longest side stays within this, unless it is one example.
        generator: decides the order. None: shortest first within each pool, for validation.
    """
    for pool in _pools(len(source_lengths), generator):
        if generator is not None:
            generator.shuffle(pool)
        sources, targets = source_lengths[pool], target_lengths[pool] + 1
        order = np.lexsort((sources, targets))
        batches = _cut(pool[order], np.maximum(sources, targets)[order], batch_tokens)
        if generator is not None:
            generator.shuffle(batches)
        yield from batches


def _pools(number: int, generator: np.random.Generator | None) -> Iterator[NDArray[np.int64]]:
    """Every example once: blocks in random order, gathered into pools."""
    starts = np.arange(0, number, BLOCK_SIZE)
    if generator is not None and number > POOL_SIZE:
        generator.shuffle(starts)
    blocks_in_pool = POOL_SIZE // BLOCK_SIZE
    for first in range(0, len(starts), blocks_in_pool):
        blocks = [np.arange(start, min(start + BLOCK_SIZE, number)) for start in starts[first : first + blocks_in_pool]]
        yield np.concatenate(blocks)


def _cut(order: NDArray[np.int64], longest: NDArray[Any], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Neighbours in `order` whose number times their longest side stays within the budget; at least one."""
    batches, start = [], 0
    while start < len(order):
        most = max(1, batch_tokens // int(longest[start]))
        width = np.maximum.accumulate(longest[start : start + most].astype(np.int64))
        size = max(1, int((width * np.arange(1, len(width) + 1) <= batch_tokens).sum()))
        batches.append(order[start : start + size])
        start += size
    return batches
