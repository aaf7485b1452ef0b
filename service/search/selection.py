"""How one row chooses its next token: forced, greedy or sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.engine.batch import Candidates
from service.request import DecodingOptions, SamplingOptions


@dataclass(frozen=True, slots=True)
class Choice:
    """The token that continues a row."""

    token_id: int
    log_prob: float


class Selection:
    """Chooses the tokens of one hypothesis, one per step. What it draws depends on its own options and seed only."""

    def __init__(self, options: DecodingOptions, end_id: int) -> None:
        self._options = options
        self._end_id = end_id
        self._num_chosen = 0
        sampling = options.sampling
        self._generator = None if sampling is None else np.random.Generator(np.random.Philox(sampling.seed))

    @property
    def num_candidates(self) -> int:
        """How many candidates the next choice needs: one more where the best, the end, may be forbidden."""
        return 2 if self._num_chosen < self._options.min_target_tokens else 1

    @property
    def needs_all(self) -> bool:
        """Whether the next choice needs the log-probabilities of the whole vocabulary."""
        return self._num_chosen < len(self._options.prefix) or self._generator is not None

    def choose(self, candidates: Candidates, row: int) -> Choice:
        """The next token of the hypothesis in `row`."""
        position = self._num_chosen
        self._num_chosen += 1
        if position < len(self._options.prefix):
            assert candidates.all_log_probs is not None
            token_id = self._options.prefix[position]
            return Choice(token_id, float(candidates.all_log_probs[row, token_id]))
        is_end_forbidden = position < self._options.min_target_tokens
        if self._generator is not None and self._options.sampling is not None:
            assert candidates.all_log_probs is not None
            log_probs = candidates.all_log_probs[row]
            token_id = sample(
                log_probs, self._options.sampling, self._generator, self._end_id if is_end_forbidden else None
            )
            return Choice(token_id, float(log_probs[token_id]))
        best = 1 if is_end_forbidden and candidates.ids[row, 0] == self._end_id else 0
        return Choice(int(candidates.ids[row, best]), float(candidates.log_probs[row, best]))


def sample(
    log_probs: np.ndarray[tuple[int], np.dtype[np.float32]],
    options: SamplingOptions,
    generator: np.random.Generator,
    forbidden_id: int | None = None,
) -> int:
    """Draw a token: temperature, then the top k, then the nucleus top p (Holtzman et al. 2020).

    Args:
        log_probs: (V,) natural logarithms.
        options: what to draw from.
        generator: gives one number per call.
        forbidden_id: a token that must not be drawn.
    """
    scaled = log_probs.astype(np.float64) / options.temperature
    if forbidden_id is not None:
        scaled[forbidden_id] = -np.inf
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
