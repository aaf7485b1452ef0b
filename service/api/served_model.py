"""A model as requests see it: text in, text out, many sentences at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from service.api.explanation import Explanation, Link, align, explain
from service.api.text_translation import Sentence, TextTranslation, put_together
from service.bundle.bundle import Bundle
from service.bundle.manifest import Manifest
from service.bundle.tokenizer import TextStream, Token
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.runner import OnnxRunner
from service.engine.scheduler import Scheduler
from service.engine.worker import Worker
from service.errors import InvalidRequestError, SettingsError
from service.metrics import Metrics
from service.request import DecodingOptions, FinishedEvent, Priority, TokensEvent
from service.settings import Settings
from service.text.segmentation import Segment, Segmentation, segment
from service.text.terminology import Term, terms_in

MAX_TOKENS_PER_SOURCE_TOKEN, MIN_MAX_TOKENS = 3, 16
LONG_TEXT_CHARACTERS = 2000


@dataclass(frozen=True)
class Decoding:
    """What a client asked of the decoding; what is text here becomes tokens of the model for every sentence."""

    max_target_tokens: int | None
    """None: by the source's length."""
    options: DecodingOptions
    target_prefix: str = ""
    forbidden_phrases: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    beam_size_without_terms: int = 1
    """For sentences that hold none of the terms."""
    priority: Priority = Priority.INTERACTIVE


@dataclass(frozen=True)
class AlignedSpan:
    """A source span and a target span, in characters of the whole texts."""

    source_begin: int
    source_end: int
    target_begin: int
    target_end: int
    weight: float


class ServedModel:
    """One bundle, its engine and its worker."""

    def __init__(self, bundle: Bundle, settings: Settings, metrics: Metrics, on_failure: Callable[[], None]) -> None:
        self.bundle = bundle
        self.manifest = bundle.manifest
        cache = make_cache(self.manifest, settings)
        scheduler = Scheduler(settings.max_waiting, settings.max_encoder_tokens)
        engine = Engine(OnnxRunner(bundle), cache, scheduler)
        self.num_cache_bytes = cache.num_bytes
        self.max_rows = cache.max_rows
        self.max_beam_size = min(settings.max_beam_size, cache.max_rows)
        self.worker = Worker(self.manifest.name, engine, metrics, on_failure)
        self._max_under_way = min(cache.max_rows, settings.max_waiting)
        metrics.queue_limit.labels(self.manifest.name).set(settings.max_waiting)

    def slots(self) -> asyncio.Semaphore:
        """For one call: how many of its sentences may be under way, so that it cannot fill the queue by itself."""
        return asyncio.Semaphore(self._max_under_way)

    async def translate(
        self,
        text: str,
        decoding: Decoding,
        deadline_seconds: float | None,
        slots: asyncio.Semaphore | None = None,
    ) -> tuple[TextTranslation, ...]:
        """Translate a text, its sentences side by side.

        Args:
            text: any text.
            decoding: how to decode.
            deadline_seconds: on the clock of time.monotonic.
            slots: shared by the texts of one call; see `slots`.

        Returns:
            Best first; at least one.

        Raises:
            ServiceError: see `Worker.translate`; or the options do not suit the text.
        """
        segmentation = await self._segment(text)
        _check_single_sentence(segmentation, decoding)
        await self._look_up(decoding.forbidden_phrases)
        shared = slots or self.slots()

        async def run(part: Segment) -> list[Sentence]:
            async with shared:
                return await self._translate_segment(part, decoding, deadline_seconds)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run(part)) for part in segmentation.segments]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the first cancelled the others
        return put_together(segmentation, [task.result() for task in tasks], decoding.options.num_hypotheses)

    async def stream(
        self, text: str, decoding: Decoding, deadline_seconds: float | None
    ) -> AsyncGenerator[str | tuple[TextTranslation, ...]]:
        """Translate sentence after sentence; gives pieces of text that add up to the best translation, then all."""
        segmentation = await self._segment(text)
        _check_single_sentence(segmentation, decoding)
        await self._look_up(decoding.forbidden_phrases)
        hypotheses: list[list[Sentence]] = []
        for part in segmentation.segments:
            if part.before:
                yield part.before
            source_ids, options = self._prepare(part, decoding)
            growing = TextStream(self.bundle.target_tokenizer)
            events = self.worker.translate(source_ids, options, deadline_seconds, decoding.priority, is_streaming=True)
            async with aclosing(events):
                async for event in events:
                    fresh = growing.push(event.token_ids) if isinstance(event, TokensEvent) else growing.finish()
                    if fresh:
                        yield fresh
                    if isinstance(event, FinishedEvent):
                        hypotheses.append(self._sentences(part, source_ids, event))
        if segmentation.after:
            yield segmentation.after
        yield put_together(segmentation, hypotheses, decoding.options.num_hypotheses)

    def segment(self, text: str) -> Segmentation:
        """Cut a text into sentences that the model can read."""
        tokenizer = self.bundle.source_tokenizer
        longest = self.manifest.limits.max_source_tokens - 1
        return segment(text, self.manifest.source_language, lambda part: len(tokenizer.encode(part)), longest)

    def source_ids(self, text: str) -> tuple[int, ...]:
        """Ids of one sentence, end of sentence included."""
        return (*self.bundle.source_tokenizer.encode(text), self.manifest.vocabulary.end_id)

    def target_ids(self, text: str) -> tuple[int, ...]:
        """Ids of one translation, end of sentence included."""
        return (*self.bundle.target_tokenizer.encode(text), self.manifest.vocabulary.end_id)

    async def explain(self, source_ids: tuple[int, ...], target_ids: tuple[int, ...]) -> Explanation:
        """Token probabilities and attention of a pair, ends of sentence included; runs beside the engine."""
        return await asyncio.to_thread(explain, self.bundle, source_ids, target_ids)

    async def align(self, translated: TextTranslation) -> list[AlignedSpan]:
        """Which characters of the source each part of a translation comes from."""
        spans: list[AlignedSpan] = []
        target_begin = 0
        for sentence in translated.sentences:
            target_begin += len(sentence.segment.before)
            target_ids = (*sentence.translation.token_ids, self.manifest.vocabulary.end_id)
            explanation = await self.explain(sentence.source_ids, target_ids)
            links = align(explanation.cross_attention)
            spans += self._spans(sentence, links, target_begin)
            target_begin += len(sentence.text)
        return spans

    def target_offsets(self, token_ids: tuple[int, ...]) -> list[tuple[int, int]]:
        """Begin and end of each token in the decoded text, in characters."""
        ends = [len(self.bundle.target_tokenizer.decode(token_ids[: end + 1])) for end in range(len(token_ids))]
        return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []

    def source_tokens(self, text: str) -> list[Token]:
        """The source's tokens with offsets, without end of sentence."""
        return self.bundle.source_tokenizer.tokens(text)

    async def _translate_segment(
        self, part: Segment, decoding: Decoding, deadline_seconds: float | None
    ) -> list[Sentence]:
        source_ids, options = self._prepare(part, decoding)
        async with aclosing(self.worker.translate(source_ids, options, deadline_seconds, decoding.priority)) as events:
            async for event in events:
                if isinstance(event, FinishedEvent):
                    return self._sentences(part, source_ids, event)
        raise AssertionError("a worker's events end with a FinishedEvent or an error")

    async def _segment(self, text: str) -> Segmentation:
        # A long text is cut in a thread, so that the others' requests go on meanwhile.
        return self.segment(text) if len(text) <= LONG_TEXT_CHARACTERS else await asyncio.to_thread(self.segment, text)

    async def _look_up(self, phrases: tuple[str, ...]) -> None:
        """Have the tokenizer find phrases in a thread, so that the others' requests go on meanwhile."""
        if phrases:
            await asyncio.to_thread(lambda: [self.bundle.target_tokenizer.variants(phrase) for phrase in phrases])

    def _prepare(self, part: Segment, decoding: Decoding) -> tuple[tuple[int, ...], DecodingOptions]:
        """The source ids of a segment and how to decode it, in tokens."""
        source_ids = self.source_ids(part.text)
        limit = self.manifest.limits.max_source_tokens
        if len(source_ids) > limit:  # one character that the vocabulary spells in more tokens than the model reads
            raise InvalidRequestError.of("text", f"{part.text!r} makes {len(source_ids)} tokens; limit {limit}")
        tokenizer, options = self.bundle.target_tokenizer, decoding.options
        prefix = tuple(tokenizer.encode(decoding.target_prefix))
        required = tuple(self._required_ids(term) for term in terms_in(part.text, decoding.terms))
        fewest = max(options.min_target_tokens, len(prefix) + sum(map(len, set(required))))
        options = replace(
            options,
            max_target_tokens=self._max_target_tokens(len(source_ids), fewest, decoding),
            prefix=prefix,
            forbidden=tuple(ids for phrase in decoding.forbidden_phrases for ids in tokenizer.variants(phrase)),
            required=required,
            # Terms that a sentence does not have need no beam for their sake.
            beam_size=options.beam_size if required or not decoding.terms else decoding.beam_size_without_terms,
        )
        return source_ids, options

    def _required_ids(self, term: Term) -> tuple[int, ...]:
        ids = tuple(self.bundle.target_tokenizer.encode(term.target))
        if self.manifest.vocabulary.unknown_id in ids:
            reason = "has characters that the model's vocabulary lacks"
            raise InvalidRequestError.of("decoding.terminology.target", f"{term.target!r} {reason}")
        return ids

    def _max_target_tokens(self, num_source_tokens: int, fewest: int, decoding: Decoding) -> int:
        limit = decoding.max_target_tokens or self.manifest.limits.max_target_tokens
        if fewest > limit:
            field = "decoding.terminology" if decoding.terms else "decoding.target_prefix"
            raise InvalidRequestError.of(field, f"{fewest} tokens; limit {limit}")
        usual = MAX_TOKENS_PER_SOURCE_TOKEN * num_source_tokens + MIN_MAX_TOKENS + fewest
        return decoding.max_target_tokens or min(limit, usual)

    def _sentences(self, part: Segment, source_ids: tuple[int, ...], event: FinishedEvent) -> list[Sentence]:
        decode = self.bundle.target_tokenizer.decode
        return [Sentence(part, source_ids, found, decode(found.token_ids)) for found in event.translations]

    def _spans(self, sentence: Sentence, links: list[Link], target_begin: int) -> list[AlignedSpan]:
        source = self.source_tokens(sentence.segment.text)
        target = self.target_offsets(sentence.translation.token_ids)
        source_begin = sentence.segment.begin
        spans = []
        for link in links:
            token = source[link.source_index]
            first, last = _trim(sentence.segment.text, token.begin, token.end)
            begin, end = _trim(sentence.text, *target[link.target_index])
            spans.append(
                AlignedSpan(
                    source_begin + first, source_begin + last, target_begin + begin, target_begin + end, link.weight
                )
            )
        return spans


def _trim(text: str, begin: int, end: int) -> tuple[int, int]:
    """The span without the white space before its word, which a token carries."""
    part = text[begin:end]
    return begin + len(part) - len(part.lstrip()), end


def make_cache(manifest: Manifest, settings: Settings) -> KVCache:
    """As many rows as the settings allow.

    Raises:
        SettingsError: the memory allowed does not hold one row.
    """
    limits = manifest.limits
    capacities = limits.max_source_tokens, limits.max_target_tokens + 1
    num_rows = settings.max_rows
    if settings.max_cache_mebibytes:
        bytes_per_row = KVCache.bytes_per_row(manifest.state, *capacities)
        num_rows = min(num_rows, settings.max_cache_mebibytes * 2**20 // bytes_per_row)
        if not num_rows:
            raise SettingsError(
                f"max_cache_mebibytes {settings.max_cache_mebibytes}: one row of {manifest.name} takes "
                f"{bytes_per_row / 2**20:.1f} MiB"
            )
    return KVCache(manifest.state, num_rows, *capacities)


def _check_single_sentence(segmentation: Segmentation, decoding: Decoding) -> None:
    """What is about one sentence cannot be asked of several."""
    for field, is_asked in (
        ("target_prefix", bool(decoding.target_prefix)),
        ("return_alternatives", decoding.options.are_alternatives),
    ):
        if is_asked and len(segmentation.segments) > 1:
            raise InvalidRequestError.of(
                f"decoding.{field}", f"the text has {len(segmentation.segments)} sentences; limit 1"
            )
