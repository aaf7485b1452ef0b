"""What a hypothesis may say next: the candidates of its row, less what is forbidden, in a possibly changed order.

V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np

from service.engine.batch import Array, Candidates
from service.request import DecodingOptions

MAX_BANNED_CANDIDATES = 16
"""Beyond so many forbidden tokens it is faster to look at the whole vocabulary."""
_NOTHING: frozenset[int] = frozenset()


class Choice(NamedTuple):
    """A token that may continue a hypothesis."""

    token_id: int
    value: float
    """What search goes by: the log-probability, penalised."""
    log_prob: float
    """The model's own."""


class Choices(NamedTuple):
    """Tokens that may continue a hypothesis, best first, column by column: most of them are never looked at."""

    token_ids: Sequence[int]
    values: Sequence[float]
    log_probs: Sequence[float]

    def at(self, rank: int) -> Choice:
        """One of them."""
        return Choice(self.token_ids[rank], self.values[rank], self.log_probs[rank])


class Needs(NamedTuple):
    """What a search needs of the next step."""

    num_candidates: int
    is_full: bool
    """The log-probabilities of the whole vocabulary as well."""


class Constraints:
    """The rules of one request."""

    def __init__(self, options: DecodingOptions, end_id: int) -> None:
        self._options = options
        self._end_id = end_id
        self.is_reordering = options.repetition_penalty != 1.0
        self._is_banning_phrases = bool(options.no_repeat_ngram_size or options.forbidden)
        self._is_banning = bool(options.min_target_tokens) or self._is_banning_phrases
        self._end = frozenset({end_id})
        self._forbidden: dict[tuple[int, ...], set[int]] = {}
        for phrase in options.forbidden:
            self._forbidden.setdefault(phrase[:-1], set()).add(phrase[-1])

    def needs(self, token_ids: Sequence[int], num_choices: int) -> Needs:
        """What it takes to find the `num_choices` best tokens after `token_ids`."""
        if self.is_free_after(len(token_ids)):
            return Needs(num_choices, is_full=False)
        num_banned = len(self.banned(token_ids))
        if num_banned > MAX_BANNED_CANDIDATES or self.is_reordering or len(token_ids) < len(self._options.prefix):
            return Needs(num_choices, is_full=True)
        return Needs(num_choices + num_banned, is_full=False)

    def choices(self, candidates: Candidates, row: int, token_ids: Sequence[int], num_choices: int) -> Choices:
        """The best tokens after `token_ids`, best first; fewer where fewer are allowed, one where it is forced."""
        position = len(token_ids)
        if position < len(self._options.prefix):
            forced = self._options.prefix[position]
            log_prob = float(_full(candidates, row)[forced])
            return Choices((forced,), (log_prob,), (log_prob,))
        banned = self.banned(token_ids)
        if self.is_reordering or len(banned) > MAX_BANNED_CANDIDATES:
            return self._reordered(_full(candidates, row), token_ids, num_choices)
        ids, log_probs = candidates.id_lists[row], candidates.log_prob_lists[row]
        if banned and not banned.isdisjoint(ids):
            allowed = [rank for rank, token in enumerate(ids) if token not in banned]
            ids, log_probs = [ids[rank] for rank in allowed], [log_probs[rank] for rank in allowed]
        log_probs = log_probs[:num_choices]
        return Choices(ids[:num_choices], log_probs, log_probs)

    def is_free_after(self, num_tokens: int) -> bool:
        """Whether nothing but the model decides what follows that many tokens."""
        return not (self._is_banning or self.is_reordering) and num_tokens >= len(self._options.prefix)

    def values(self, log_probs: Array, token_ids: Sequence[int]) -> Array:
        """(V,) log-probabilities as search goes by them: penalised, and minus infinity where a token is forbidden."""
        values = log_probs.copy()
        if self.is_reordering and token_ids:
            values[list(token_ids)] = log_probs[list(token_ids)] * self._options.repetition_penalty
        banned = self.banned(token_ids)
        if banned:
            values[list(banned)] = -np.inf
        return values

    def banned(self, token_ids: Sequence[int]) -> Set[int]:
        """Tokens that must not follow."""
        if not self._is_banning_phrases:
            return self._end if len(token_ids) < self._options.min_target_tokens else _NOTHING
        banned = _repeats(token_ids, self._options.no_repeat_ngram_size)
        for beginning, last in self._forbidden.items():
            if _ends_with(token_ids, beginning):
                banned |= last
        if len(token_ids) < self._options.min_target_tokens:
            banned.add(self._end_id)
        return banned

    def _reordered(self, log_probs: Array, token_ids: Sequence[int], num_choices: int) -> Choices:
        values = self.values(log_probs, token_ids)
        best = np.argpartition(-values, min(num_choices, len(values) - 1))[:num_choices]
        best = best[np.argsort(-values[best], kind="stable")]
        return Choices(best.tolist(), values[best].tolist(), log_probs[best].tolist())


def _full(candidates: Candidates, row: int) -> Array:
    assert candidates.all_log_probs is not None
    log_probs: Array = candidates.all_log_probs[row]
    return log_probs


def _ends_with(token_ids: Sequence[int], phrase: tuple[int, ...]) -> bool:
    return not phrase or tuple(token_ids[-len(phrase) :]) == phrase


def _repeats(token_ids: Sequence[int], size: int) -> set[int]:
    """Tokens that would complete a sequence of `size` tokens that `token_ids` holds already."""
    if not size or len(token_ids) < size:
        return set()
    tokens = tuple(token_ids)
    context = tokens[len(tokens) - size + 1 :]
    starts = range(len(tokens) - size + 1)
    return {tokens[start + size - 1] for start in starts if tokens[start : start + size - 1] == context}
