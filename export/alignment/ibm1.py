"""IBM Model 1 (Brown et al. 1993) of some pairs, by expectation maximisation.

S source tokens, T target tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NUM_ITERATIONS = 5
NOTHING = -1
"""The source of target tokens that come from none."""


def posteriors(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
    """Where each target token comes from, as probabilities: for each pair (T, S + 1), column 0 for nothing."""
    if not sources:
        return []
    read = [np.array([NOTHING, *source]) for source in sources]
    from_ids = np.concatenate([np.tile(source, len(target)) for source, target in zip(read, targets, strict=True)])
    to_ids = np.concatenate(
        [np.repeat(np.array(target), len(source)) for source, target in zip(read, targets, strict=True)]
    )
    # One number for each target token: its probabilities add up to one.
    lengths = np.concatenate([np.full(len(t), len(s)) for s, t in zip(read, targets, strict=True)])
    tokens = np.repeat(np.arange(len(lengths)), lengths)
    num_targets = to_ids.max() + 1
    kinds, kind = np.unique((from_ids - NOTHING) * num_targets + to_ids, return_inverse=True)
    kind_source = kinds // num_targets
    shares = np.ones(len(tokens)) / lengths[tokens]
    for _ in range(NUM_ITERATIONS):
        counts = np.bincount(kind, shares)
        translation = counts / np.bincount(kind_source, counts)[kind_source]
        scores = translation[kind]
        shares = scores / np.bincount(tokens, scores)[tokens]
    sizes = [len(source) * len(target) for source, target in zip(read, targets, strict=True)]
    parts = np.split(shares, np.cumsum(sizes)[:-1])
    return [part.reshape(len(target), -1) for part, target in zip(parts, targets, strict=True)]


def agreed_links(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], threshold: float = 0.5
) -> list[set[tuple[int, int]]]:
    """Links (source position, target position) of which both directions are sure, for each pair."""
    forward, backward = posteriors(sources, targets), posteriors(targets, sources)
    found: list[set[tuple[int, int]]] = []
    for to_target, to_source in zip(forward, backward, strict=True):
        both = (to_target[:, 1:] > threshold) & (threshold < to_source[:, 1:].T)  # (T, S)
        found.append({(int(source), int(target)) for target, source in np.argwhere(both)})
    return found
