"""What hypotheses are ranked by."""

from __future__ import annotations

from service.request import DecodingOptions, LengthNormalization


def length_penalty(num_tokens: int, options: DecodingOptions) -> float:
    """((5 + length) / 6) ** alpha, equation 14 of Wu et al. (2016), or length ** alpha; end of sentence counts."""
    is_plain = options.length_normalization is LengthNormalization.TOKENS
    length = max(num_tokens, 1) if is_plain else (5.0 + num_tokens) / 6.0
    return float(length**options.length_penalty)


def score(total: float, num_tokens: int, options: DecodingOptions) -> float:
    """A hypothesis's summed log-probability over its length penalty; higher is better.

    Args:
        total: sum of the log-probabilities that search went by, in nats.
        num_tokens: end of sentence included, where it was reached.
        options: whose exponent 0 ranks by probability alone; higher ones favour longer translations.
    """
    return total / length_penalty(num_tokens, options)
