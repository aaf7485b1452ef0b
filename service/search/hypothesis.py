"""A translation as it grows, and the one interface that the engine knows of every search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from service.engine.batch import Candidates
from service.request import DecodingOptions, FinishReason, Translation
from service.search.constraints import Choice, Needs
from service.search.score import score


class Hypothesis(NamedTuple):
    """Tokens chosen so far."""

    token_ids: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    """The model's own, of each token."""
    total: float = 0.0
    """Sum of the values that search went by."""

    def with_token(self, choice: Choice) -> Hypothesis:
        """One token longer."""
        return Hypothesis(
            (*self.token_ids, choice.token_id), (*self.log_probs, choice.log_prob), self.total + choice.value
        )

    def ended(self, choice: Choice, options: DecodingOptions) -> Translation:
        """Finished by the end of sentence."""
        log_probs = (*self.log_probs, choice.log_prob)
        final = score(self.total + choice.value, len(log_probs), options)
        return Translation(self.token_ids, log_probs, final, FinishReason.END)

    def cut(self, options: DecodingOptions) -> Translation:
        """Finished because it may not grow."""
        final = score(self.total, len(self.token_ids), options)
        return Translation(self.token_ids, self.log_probs, final, FinishReason.LENGTH)


class Survivors(NamedTuple):
    """What goes on after a step: row by row, whom it continues and with which token. Empty: the search is over."""

    parents: Sequence[int]
    """Index, among the rows before the step, of the hypothesis that is continued."""
    token_ids: Sequence[int]


class Search(Protocol):
    """Chooses the tokens of one request. It begins with one row, and its choices depend on its own rows only."""

    def needs(self) -> Needs:
        """What it needs of the next step."""
        ...

    def advance(self, candidates: Candidates, rows: Sequence[int]) -> Survivors:
        """Choose; `rows[i]` is the batch row of the i-th survivor of the step before."""
        ...

    def certain(self) -> tuple[int, ...]:
        """Tokens that the best translation begins with, whatever comes; grows from step to step."""
        ...

    def results(self) -> tuple[Translation, ...]:
        """Once the search is over: translations, best first."""
        ...
