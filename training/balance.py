"""Languages with less text are repeated: temperature-based sampling (Arivazhagan et al. 2019, section 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def num_copies(groups: NDArray[np.uint8], is_kept: NDArray[np.bool_], temperature: float) -> NDArray[np.int64]:
    """How often each of N examples is written, so that a group of n examples has a share of n ** (1 / temperature).

    The largest group is written once; where a factor is not whole, further copies are spread evenly over its group.

    Args:
        groups: (N,) the group of each example.
        is_kept: (N,) false where an example is not written at all.
        temperature: at least 1, which repeats nothing; 5 is common, and without bound all groups become equal.

    Returns:
        (N,).
    """
    copies = is_kept.astype(np.int64)
    sizes = np.bincount(groups[is_kept])
    for group in np.flatnonzero(sizes):
        factor = (sizes.max() / sizes[group]) ** (1 - 1 / temperature)
        written = np.floor(np.arange(sizes[group] + 1) * factor + 1e-9).astype(np.int64)
        copies[is_kept & (groups == group)] = np.diff(written)
    return copies
