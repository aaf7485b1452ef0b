"""The most probable token at every step, and nothing else: what most requests ask for."""

from __future__ import annotations

from collections.abc import Sequence

from service.engine.batch import Candidates
from service.request import DecodingOptions, FinishReason, Translation
from service.search.constraints import Needs
from service.search.hypothesis import Survivors
from service.search.score import score

_NEEDS = Needs(num_candidates=1, is_full=False)
_OVER = Survivors((), ())


class GreedySearch:
    """One hypothesis without constraints."""

    def __init__(self, options: DecodingOptions, end_id: int) -> None:
        self._options = options
        self._end_id = end_id
        self._token_ids: list[int] = []
        self._log_probs: list[float] = []

    def needs(self) -> Needs:
        """See `Search`."""
        return _NEEDS

    def advance(self, candidates: Candidates, rows: Sequence[int]) -> Survivors:
        """See `Search`."""
        row = rows[0]
        token = candidates.id_lists[row][0]
        self._log_probs.append(candidates.log_prob_lists[row][0])
        if token == self._end_id:
            return _OVER
        self._token_ids.append(token)
        return _OVER if len(self._token_ids) >= self._options.max_target_tokens else Survivors((0,), (token,))

    def certain(self) -> tuple[int, ...]:
        """See `Search`."""
        return tuple(self._token_ids)

    def results(self) -> tuple[Translation, ...]:
        """See `Search`."""
        has_ended = len(self._log_probs) > len(self._token_ids)
        return (
            Translation(
                tuple(self._token_ids),
                tuple(self._log_probs),
                score(sum(self._log_probs), len(self._log_probs), self._options),
                FinishReason.END if has_ended else FinishReason.LENGTH,
            ),
        )
