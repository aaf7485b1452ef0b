"""Beam search: the best hypotheses of a request compete for its rows, step by step.

K beam size, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.engine.batch import Candidates
from service.request import DecodingOptions, Translation
from service.search.constraints import Choice, Constraints, Needs
from service.search.hypothesis import Hypothesis, Survivors
from service.search.score import length_penalty


class Extension(NamedTuple):
    """A hypothesis and a token that may continue it; extensions sort best first."""

    cost: float
    """Minus the sum of the values that search goes by."""
    parent: int
    choice: Choice


class BeamSearch:
    """Of all extensions of K hypotheses, the K best that do not end go on; one that ends among the K best is kept."""

    def __init__(self, options: DecodingOptions, constraints: Constraints, end_id: int) -> None:
        self._options = options
        self._constraints = constraints
        self._end_id = end_id
        self._running = [Hypothesis()]
        self._finished: list[Translation] = []

    def needs(self) -> Needs:
        """See `Search`; one candidate more than the beam is wide, because the end may be among them."""
        if self._constraints.is_free_after(len(self._running[0].token_ids)):
            return Needs(self._num_choices, is_full=False)
        needs = [self._constraints.needs(running.token_ids, self._num_choices) for running in self._running]
        return Needs(max(need.num_candidates for need in needs), any(need.is_full for need in needs))

    def advance(self, candidates: Candidates, rows: Sequence[int]) -> Survivors:
        """See `Search`."""
        return self._go_on(self._select(self._extensions(candidates, rows)))

    def certain(self) -> tuple[int, ...]:
        """See `Search`: what all hypotheses share that can still become the best."""
        contenders = [running.token_ids for running in self._running]
        contenders += [finished.token_ids for finished in self._finished[:1]]
        return _common_prefix(contenders)

    def results(self) -> tuple[Translation, ...]:
        """See `Search`."""
        return tuple(self._finished[: self._options.num_hypotheses])

    @property
    def _num_choices(self) -> int:
        return self._options.beam_size + 1

    @property
    def _num_ranked(self) -> int | None:
        """Extensions to look at: one of each hypothesis may end; None: all."""
        return 2 * self._options.beam_size

    @property
    def _num_enough(self) -> int:
        """Finished hypotheses that end the search early."""
        return self._options.beam_size

    def _extensions(self, candidates: Candidates, rows: Sequence[int]) -> list[Extension]:
        """Best first, enough of them to fill the beam although some end."""
        found = [
            self._constraints.choices(candidates, row, running.token_ids, self._num_choices)
            for running, row in zip(self._running, rows, strict=True)
        ]
        ranked = sorted(
            (-running.total - value, parent, rank)
            for parent, (running, choices) in enumerate(zip(self._running, found, strict=True))
            for rank, value in enumerate(choices.values)
        )
        return [Extension(cost, parent, found[parent].at(rank)) for cost, parent, rank in ranked[: self._num_ranked]]

    def _select(self, extensions: list[Extension]) -> list[Extension]:
        """Keep what ends among the K best, and return the K best that do not."""
        survivors: list[Extension] = []
        for rank, extension in enumerate(extensions):
            if extension.choice.token_id != self._end_id:
                survivors.append(extension)
            elif rank < self._options.beam_size:
                self._finish(extension)
            if len(survivors) == self._options.beam_size:
                break
        return survivors

    def _go_on(self, survivors: list[Extension]) -> Survivors:
        hypotheses = [self._running[extension.parent].with_token(extension.choice) for extension in survivors]
        if not hypotheses and not self._finished:  # nothing is allowed to follow
            hypotheses = self._running
        is_full_length = len(hypotheses[0].token_ids) >= self._options.max_target_tokens if hypotheses else False
        if is_full_length or not survivors:
            for hypothesis in hypotheses:
                self._keep(hypothesis.cut(self._options))
            hypotheses = []
        elif self._is_decided(hypotheses[0].total):
            hypotheses = []
        self._running = hypotheses
        if not hypotheses:
            return Survivors([], [])
        parents = [extension.parent for extension in survivors]
        return Survivors(parents, [extension.choice.token_id for extension in survivors])

    def _finish(self, extension: Extension) -> None:
        """Keep a hypothesis that ends."""
        self._keep(self._running[extension.parent].ended(extension.choice, self._options))

    def _keep(self, translation: Translation) -> None:
        """Of the finished, the K best, best first."""
        self._finished.append(translation)
        self._finished.sort(key=lambda finished: -finished.score)
        del self._finished[self._options.beam_size :]

    def _is_decided(self, best_total: float) -> bool:
        """Whether to stop, given the best running hypothesis."""
        if self._options.is_early_stopping:
            return len(self._finished) >= self._num_enough
        if len(self._finished) < self._options.num_hypotheses:
            return False
        # Totals only fall, and a longer hypothesis is divided by more: this is the best that a running one can reach.
        best_score = best_total / length_penalty(self._options.max_target_tokens + 1, self._options)
        return self._finished[self._options.num_hypotheses - 1].score >= best_score


def _common_prefix(sequences: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    if not sequences:
        return ()
    first, last = min(sequences), max(sequences)  # what these two share, all share
    for index, token in enumerate(first):
        if index == len(last) or last[index] != token:
            return first[:index]
    return first
