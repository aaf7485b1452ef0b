"""Links of a streamed translation as its text becomes certain, computed beside the stream that never waits for them."""

from __future__ import annotations

import asyncio

from service.api.alignment import align_pair
from service.api.explainer import Turns
from service.api.offsets import AlignedSpan
from service.api.pairs import Pair
from service.api.served_model import ServedModel
from service.api.text_translation import GrowingSentence

LEAST_GROWTH_TOKENS = 4
GROWTH_SHARE = 0.25
"""A run explains a sentence from its beginning: after every token, there would be as many runs as tokens."""


class GrowingAlignment:
    """One stream's. A token attends by what is before it alone, so that a beginning has the links of the whole."""

    def __init__(self, model: ServedModel, turns: Turns) -> None:
        self.spans: list[AlignedSpan] = []
        """All that are known, in order of the translation."""
        self._model = model
        self._turns = turns
        self._waiting: list[GrowingSentence] = []
        self._num_aligned = 0
        """Tokens of the first sentence that waits."""
        self._num_taken = 0
        self._task: asyncio.Task[None] | None = None

    def grow(self, sentence: GrowingSentence) -> None:
        """A sentence has more tokens, or is one more."""
        if not any(known is sentence for known in self._waiting):
            self._waiting.append(sentence)
        if self._task is None or (self._task.done() and self._task.exception() is None):
            self._task = asyncio.create_task(self._align())

    def take(self) -> list[AlignedSpan]:
        """Links that became known since this was asked last.

        Raises:
            ServiceError: they cannot be had.
        """
        if self._task is not None and self._task.done():
            self._task.result()
        fresh = self.spans[self._num_taken :]
        self._num_taken = len(self.spans)
        return fresh

    async def finish(self) -> None:
        """Wait for the links of all sentences, which have grown to the end. Raises as `take` does."""
        if self._task is not None:
            await self._task
        await self._align()

    async def close(self) -> None:
        """Compute no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            if not self._task.cancelled():
                self._task.exception()  # it was told, or nobody is there any more to be told

    async def _align(self) -> None:
        while self._waiting:
            sentence = self._waiting[0]
            is_whole, token_ids = sentence.is_whole, self._certain(sentence)
            growth = len(token_ids) - self._num_aligned
            if not is_whole and growth < max(LEAST_GROWTH_TOKENS, GROWTH_SHARE * self._num_aligned):
                return
            if growth:
                await self._run(sentence, token_ids)
            if is_whole:
                self._waiting.pop(0)
                self._num_aligned = 0

    async def _run(self, sentence: GrowingSentence, token_ids: tuple[int, ...]) -> None:
        pair = Pair(sentence.protected, sentence.source_ids, (*token_ids, self._model.manifest.vocabulary.end_id))
        spans = await self._turns.run(align_pair, self._model, pair, sentence.segment, sentence.target_begin)
        end = self.spans[-1].target_end if self.spans else 0
        self.spans += [span for span in spans if span.target_begin >= end]
        self._num_aligned = len(token_ids)

    def _certain(self, sentence: GrowingSentence) -> tuple[int, ...]:
        """The tokens, those left out that spell a character which is not finished."""
        token_ids = list(sentence.token_ids)
        decode = self._model.bundle.target_tokenizer.decode
        while token_ids and not sentence.is_whole and decode(token_ids).endswith("\ufffd"):
            token_ids.pop()
        return tuple(token_ids)
