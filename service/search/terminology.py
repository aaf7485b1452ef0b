"""Beam search whose translations contain required phrases: dynamic beam allocation (Post and Vilar 2018).

Hypotheses are ranked among those that have said as much of the required phrases as they have, so that one that takes up
a phrase is not driven out by those that have yet to pay for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.engine.batch import Candidates
from service.request import DecodingOptions
from service.search.beam import BeamSearch, Extension
from service.search.constraints import Choice, Constraints, Needs
from service.search.hypothesis import Survivors


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the required phrases a hypothesis holds."""

    remaining: tuple[tuple[int, ...], ...]
    """Phrases that it does not hold yet."""
    tail: tuple[int, ...] = ()
    """Its last tokens, as many as the longest phrase."""

    def after(self, token_id: int) -> Progress:
        """With one token more."""
        if not self.remaining:
            return self
        tail = (*self.tail, token_id)[-max(map(len, self.remaining)) :]
        remaining = tuple(phrase for phrase in self.remaining if tail[-len(phrase) :] != phrase)
        # What completes a phrase is not at the same time the beginning of another.
        return Progress(remaining, tail if len(remaining) == len(self.remaining) else ())

    @property
    def num_missing(self) -> int:
        """Tokens still to be said."""
        return sum(map(len, self.remaining)) - self._longest_begun

    @property
    def next_tokens(self) -> list[int]:
        """Tokens that go on with the phrase that is begun, or begin one."""
        begun = self._longest_begun
        return list({phrase[begun]: None for phrase in self.remaining if self._begun(phrase) == begun})

    @property
    def _longest_begun(self) -> int:
        return max(map(self._begun, self.remaining), default=0)

    def _begun(self, phrase: tuple[int, ...]) -> int:
        """Tokens at the end of the hypothesis that begin the phrase."""
        for length in range(min(len(phrase) - 1, len(self.tail)), 0, -1):
            if self.tail[-length:] == phrase[:length]:
                return length
        return 0


class TerminologySearch(BeamSearch):
    """A beam in banks, one for every number of required tokens said; what ends holds all of them."""

    def __init__(self, options: DecodingOptions, constraints: Constraints, end_id: int) -> None:
        super().__init__(options, constraints, end_id)
        beginning = Progress(tuple(dict.fromkeys(options.required)))
        self._num_required = beginning.num_missing
        self._progress: dict[tuple[int, ...], Progress] = {(): beginning}
        """Of every running hypothesis, by its tokens."""

    def needs(self) -> Needs:
        """See `Search`; required tokens are rarely among the best candidates."""
        return Needs(super().needs().num_candidates, is_full=True)

    def _extensions(self, candidates: Candidates, rows: Sequence[int]) -> list[Extension]:
        extensions = super()._extensions(candidates, rows)
        known = {(extension.parent, extension.choice.token_id) for extension in extensions}
        for parent, (running, row) in enumerate(zip(self._running, rows, strict=True)):
            if len(running.token_ids) < len(self._options.prefix):
                continue
            assert candidates.all_log_probs is not None
            log_probs = candidates.all_log_probs[row]
            values = self._constraints.values(log_probs, running.token_ids)
            for token in self._progress[running.token_ids].next_tokens:
                if (parent, token) not in known and values[token] > -float("inf"):
                    choice = Choice(token, float(values[token]), float(log_probs[token]))
                    extensions.append(Extension(-running.total - choice.value, parent, choice))
        extensions.sort()
        return extensions

    def _select(self, extensions: list[Extension]) -> list[Extension]:
        banks: dict[int, list[Extension]] = defaultdict(list)
        for extension in extensions:
            missing = self._missing_after(extension)
            if missing is not None:
                banks[missing].append(extension)
        slots = allocate(self._options.beam_size, self._num_required, {bank: len(held) for bank, held in banks.items()})
        chosen = [extension for bank, held in banks.items() for extension in held[: slots[bank]]]
        for extension in chosen:
            if extension.choice.token_id == self._end_id:
                self._finish(extension)
        survivors = [extension for extension in chosen if extension.choice.token_id != self._end_id]
        return sorted(survivors)

    def _go_on(self, survivors: list[Extension]) -> Survivors:
        parents = [self._running[extension.parent].token_ids for extension in survivors]
        self._progress = {
            (*parent, extension.choice.token_id): self._progress[parent].after(extension.choice.token_id)
            for parent, extension in zip(parents, survivors, strict=True)
        }
        return super()._go_on(survivors)

    @property
    def _num_ranked(self) -> None:
        return None

    @property
    def _num_enough(self) -> int:
        # Only one bank in as many as there are required tokens holds hypotheses that may end.
        return max(self._options.num_hypotheses, self._options.beam_size // (self._num_required + 1))

    def _missing_after(self, extension: Extension) -> int | None:
        """Required tokens that an extension still lacks; None if it must not be made."""
        running = self._running[extension.parent]
        progress = self._progress[running.token_ids]
        token = extension.choice.token_id
        if token == self._end_id:
            return None if progress.remaining else 0
        missing = progress.after(token).num_missing
        num_left = self._options.max_target_tokens - len(running.token_ids) - 1
        return missing if missing <= num_left else None


def allocate(num_slots: int, num_required: int, num_held: Mapping[int, int]) -> dict[int, int]:
    """Slots of the beam for each bank.

    Args:
        num_slots: beam size.
        num_required: tokens of all required phrases; banks are numbered by how many of them are missing.
        num_held: candidates by bank.

    Returns:
        Slots by bank: equal shares, the remainder to those that miss least, what a bank cannot fill to the next.
    """
    share = num_slots // (num_required + 1)
    slots = {bank: min(share, held) for bank, held in num_held.items()}
    num_free = num_slots - sum(slots.values())
    for bank in sorted(num_held):
        more = min(num_free, num_held[bank] - slots[bank])
        slots[bank] += more
        num_free -= more
    return slots
