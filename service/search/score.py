"""What hypotheses are ranked by."""

from __future__ import annotations


def length_penalty(num_tokens: int, alpha: float) -> float:
    """((5 + length) / 6) ** alpha, equation 14 of Wu et al. (2016); end of sentence counts."""
    return float(((5.0 + num_tokens) / 6.0) ** alpha)


def score(total: float, num_tokens: int, alpha: float) -> float:
    """A hypothesis's summed log-probability over its length penalty; higher is better.

    Args:
        total: sum of the log-probabilities that search went by, in nats.
        num_tokens: end of sentence included, where it was reached.
        alpha: 0 ranks by probability alone; higher favours longer translations.
    """
    return total / length_penalty(num_tokens, alpha)
