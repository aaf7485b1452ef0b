"""Random choice of a token."""

from __future__ import annotations

import numpy as np

from service.engine.batch import Array
from service.request import SamplingOptions


def sample(log_probs: Array, options: SamplingOptions, generator: np.random.Generator) -> int:
    """Draw a token: temperature, then the top k, then the nucleus top p (Holtzman et al. 2020).

    Args:
        log_probs: (V,) natural logarithms; minus infinity where a token must not be drawn.
        options: what to draw from.
        generator: gives one number per call.
    """
    scaled = log_probs.astype(np.float64) / options.temperature
    order = np.argsort(-scaled, kind="stable")
    if options.top_k:
        order = order[: options.top_k]
    weights = np.exp(scaled[order] - scaled[order[0]])
    cumulative = np.cumsum(weights / weights.sum())
    if options.top_p < 1.0:
        order = order[: int(np.searchsorted(cumulative, options.top_p)) + 1]
        cumulative = cumulative[: len(order)]
    drawn = int(np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right"))
    return int(order[min(drawn, len(order) - 1)])
