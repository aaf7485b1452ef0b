"""Hypotheses that do not compete: greedy search, samples, alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from service.engine.batch import Candidates
from service.request import DecodingOptions, FinishReason, Translation
from service.search.constraints import Choice, Constraints, Needs
from service.search.hypothesis import Survivors
from service.search.sampling import sample
from service.search.score import score


@dataclass(slots=True)
class _Chain:
    """One hypothesis; lists, because it only grows at its end."""

    index: int
    generator: np.random.Generator | None
    token_ids: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    total: float = 0.0
    reason: FinishReason | None = None


class IndependentSearch:
    """Continues every hypothesis by itself; where several are wanted, they part at the first token after the prefix."""

    def __init__(self, options: DecodingOptions, constraints: Constraints, end_id: int) -> None:
        self._options = options
        self._constraints = constraints
        self._end_id = end_id
        self._sampling = options.sampling
        self._chains = [_Chain(index, self._generator(index)) for index in range(options.num_hypotheses)]
        self._running = self._chains[:1]
        self._is_together = options.num_hypotheses > 1

    def needs(self) -> Needs:
        """See `Search`."""
        num_choices = len(self._chains) if self._is_together else 1
        if self._sampling is None and self._constraints.is_free_after(len(self._running[0].token_ids)):
            return Needs(num_choices, is_full=False)
        needs = [self._constraints.needs(chain.token_ids, num_choices) for chain in self._running]
        is_full = self._sampling is not None or any(need.is_full for need in needs)
        return Needs(max(need.num_candidates for need in needs), is_full)

    def advance(self, candidates: Candidates, rows: Sequence[int]) -> Survivors:
        """See `Search`."""
        if self._is_together and len(self._chains[0].token_ids) == len(self._options.prefix):
            parents, choices = self._part(candidates, rows[0])
        else:
            parents = list(range(len(self._running)))
            choices = [self._choose(candidates, row, chain) for chain, row in zip(self._running, rows, strict=True)]
        for chain, choice in zip(self._running, choices, strict=True):
            self._append(chain, choice)
        going_on = [index for index, chain in enumerate(self._running) if chain.reason is None]
        survivors = Survivors([parents[i] for i in going_on], [choices[i].token_id for i in going_on])
        self._running = [self._running[i] for i in going_on]
        return survivors

    def certain(self) -> tuple[int, ...]:
        """See `Search`; which of several is best only the end tells."""
        if not self._running:
            return self.results()[0].token_ids
        return tuple(self._chains[0].token_ids) if len(self._chains) == 1 else ()

    def results(self) -> tuple[Translation, ...]:
        """See `Search`; alternatives stay in the order of their first token's probability."""
        results = [self._translation(chain) for chain in self._chains if chain.reason is not None]
        if not self._options.are_alternatives:
            results.sort(key=lambda translation: -translation.score)
        return tuple(results)

    def _part(self, candidates: Candidates, row: int) -> tuple[list[int], list[Choice]]:
        """From one hypothesis to all of them."""
        self._is_together = False
        first = self._chains[0]
        for chain in self._chains[1:]:
            chain.token_ids, chain.log_probs = list(first.token_ids), list(first.log_probs)
            chain.total = first.total
        if self._options.are_alternatives:
            found = self._constraints.choices(candidates, row, first.token_ids, len(self._chains))
            choices = [found.at(rank) for rank in range(len(found.token_ids))]
        else:
            choices = [self._choose(candidates, row, chain) for chain in self._chains]
        self._running = self._chains[: len(choices)]
        return [0] * len(choices), choices

    def _choose(self, candidates: Candidates, row: int, chain: _Chain) -> Choice:
        if chain.generator is None or self._sampling is None or len(chain.token_ids) < len(self._options.prefix):
            return self._constraints.choices(candidates, row, chain.token_ids, 1).at(0)
        assert candidates.all_log_probs is not None
        log_probs = candidates.all_log_probs[row]
        values = self._constraints.values(log_probs, chain.token_ids)
        token = sample(values, self._sampling, chain.generator)
        return Choice(token, float(values[token]), float(log_probs[token]))

    def _append(self, chain: _Chain, choice: Choice) -> None:
        chain.log_probs.append(choice.log_prob)
        chain.total += choice.value
        if choice.token_id == self._end_id:
            chain.reason = FinishReason.END
            return
        chain.token_ids.append(choice.token_id)
        if len(chain.token_ids) >= self._options.max_target_tokens:
            chain.reason = FinishReason.LENGTH

    def _translation(self, chain: _Chain) -> Translation:
        assert chain.reason is not None
        final = score(chain.total, len(chain.log_probs), self._options)
        return Translation(tuple(chain.token_ids), tuple(chain.log_probs), final, chain.reason)

    def _generator(self, index: int) -> np.random.Generator | None:
        if self._options.sampling is None:
            return None
        return np.random.Generator(np.random.Philox(key=np.array([self._options.sampling.seed, index], np.uint64)))
