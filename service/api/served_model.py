"""A model as requests see it: text in, text out, many sentences at a time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace

import msgspec

from service import request_context
from service.api.decoding import Decoding, SpanProtection
from service.api.explainer import Explainer, Turns
from service.api.leases import Leases
from service.api.offsets import source_tokens, target_offsets
from service.api.sentence_options import SentenceOptions
from service.api.text_checks import check_single_sentence, check_spans
from service.api.text_translation import GrowingSentence, Sentence, StreamedText, TextTranslation, put_together
from service.bundle.bundle import Bundle
from service.bundle.image_input import ImageInput
from service.bundle.manifest import LanguagePair
from service.bundle.tokenizer import TextStream, Token
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler
from service.engine.worker import Worker
from service.errors import InvalidRequestError
from service.metrics.families import Metrics
from service.request import DecodingOptions, FinishedEvent, Priority, Source, TokensEvent
from service.settings import Settings
from service.text.protected_spans import ProtectedText, SpanProtector
from service.text.segmentation import Segment, Segmentation, segment

LONG_TEXT_CHARACTERS = 2000


class ServedModel:
    """One bundle, its engine and its worker."""

    def __init__(
        self,
        bundle: Bundle,
        runner: Runner,
        cache: KVCache,
        settings: Settings,
        metrics: Metrics,
        on_failure: Callable[[], None],
    ) -> None:
        """`runner` and `cache`: the bundle's. `on_failure` is called on the event loop if the engine dies."""
        self.bundle = bundle
        self.manifest = bundle.manifest
        self.languages = bundle.manifest.pairs[0]
        """What this view of the model translates; see `translating`."""
        engine = Engine(runner, cache, Scheduler(settings.max_waiting, settings.max_encoder_tokens))
        self.num_cache_bytes = cache.num_bytes
        self.max_target_tokens = self.manifest.limits.max_target_tokens - self.manifest.reads_images
        """That are shown: the tag of a caption's language is not."""
        self.max_rows = cache.max_rows
        self.max_beam_size = min(settings.max_beam_size, cache.max_rows)
        self.worker = Worker(self.manifest.name, engine, metrics, on_failure)
        self._protector = SpanProtector(self.manifest.protected_spans.symbols, self.manifest.protected_spans.patterns)
        self._options = SentenceOptions(self.manifest, bundle.target_tokenizer, self.max_beam_size)
        self._max_under_way = min(cache.max_rows, settings.max_waiting)
        self._leases = Leases()
        runs, requests = settings.max_explain_runs, settings.max_explain_requests
        self._explainer = Explainer(self.manifest.name, runs, requests, metrics)

    @property
    def image(self) -> ImageInput:
        """What a model reads that describes pictures."""
        assert self.manifest.image is not msgspec.UNSET
        return self.manifest.image

    def translating(self, languages: LanguagePair) -> ServedModel:
        """The same model, engine, worker and leases for one of its language pairs."""
        view = copy.copy(self)
        view.languages = languages
        return view

    def in_use(self) -> AbstractContextManager[None]:
        """Keep the model until the end of a request, though a newer version take its place meanwhile.

        Raises:
            ModelUnloadedError: that has happened already. Not if nothing was awaited since the model was selected.
        """
        return self._leases.hold()

    def retire(self) -> None:
        """Another version, or nothing, takes its place: requests that begin from now on go elsewhere."""
        self._leases.retire()

    @property
    def is_retired(self) -> bool:
        """See `retire`."""
        return self._leases.is_retired

    @property
    def num_requests(self) -> int:
        """How many requests hold the model."""
        return self._leases.num_held

    async def idle(self) -> None:
        """Wait until no request holds the model."""
        await self._leases.idle()

    def explaining(self) -> AbstractContextManager[Turns]:
        """Around a request that needs explain.onnx; see `Explainer.admitted`."""
        return self._explainer.admitted()

    async def stop(self) -> None:
        """Refuse new work, and fail what is unfinished with ShuttingDownError."""
        self._explainer.stop()
        await self.worker.stop()

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
        segmentation = await self._segment(text, decoding.span_protection)
        check_single_sentence(segmentation, decoding)
        await self.look_up(decoding.forbidden_phrases)
        shared = slots or self.slots()

        async def run(part: Segment) -> list[Sentence]:
            async with shared:
                return await self.translate_sentence(part, decoding, deadline_seconds)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run(part)) for part in segmentation.segments]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the first cancelled the others
        return put_together(segmentation, [task.result() for task in tasks], decoding.options.num_hypotheses)

    async def stream(
        self, text: str, decoding: Decoding, deadline_seconds: float | None
    ) -> AsyncGenerator[StreamedText | tuple[TextTranslation, ...]]:
        """Translate sentence after sentence; gives pieces of text that add up to the best translation, then all."""
        segmentation = await self._segment(text, decoding.span_protection)
        check_single_sentence(segmentation, decoding)
        await self.look_up(decoding.forbidden_phrases)
        hypotheses: list[list[Sentence]] = []
        num_sent = 0
        for part in segmentation.segments:
            if part.before:
                yield StreamedText(part.before)
                num_sent += len(part.before)
            protected = self.protect(part.text, decoding.span_protection)
            source_ids, options = self._prepare(part, protected, decoding)
            # What was sent cannot be taken back, so spans are required from the beginning.
            options = self._options.with_spans(options, protected) or options
            growing = TextStream(self.bundle.target_tokenizer, protected.restore)
            sentence = GrowingSentence(part, protected, source_ids, num_sent)
            request_context.current().spend(len(source_ids))
            events = self.worker.translate(source_ids, options, deadline_seconds, decoding.priority, is_streaming=True)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, TokensEvent):
                        sentence.token_ids += event.token_ids
                        fresh = growing.push(event.token_ids)
                    else:
                        sentence.is_whole = True
                        fresh = growing.finish()
                    if fresh:
                        num_sent += len(fresh)
                        yield StreamedText(fresh, sentence)
                    if isinstance(event, FinishedEvent):
                        hypotheses.append(self._sentences(part, protected, source_ids, event))
                        check_spans(hypotheses[-1], decoding)
        if segmentation.after:
            yield StreamedText(segmentation.after)
        yield put_together(segmentation, hypotheses, decoding.options.num_hypotheses)

    def segment(self, text: str, protection: SpanProtection = SpanProtection.KEEP) -> Segmentation:
        """Cut a text into sentences that the model can read."""
        tokenizer = self.bundle.source_tokenizer

        def count_tokens(part: str) -> int:
            return len(tokenizer.encode(self.protect(part, protection).text))

        spans = [] if protection is SpanProtection.OFF else self._protector.places(text)
        longest = self.manifest.limits.max_source_tokens - 1 - len(self.languages.source_prefix_ids)
        return segment(text, self.languages.source_language, count_tokens, longest, spans)

    def protect(self, text: str, protection: SpanProtection = SpanProtection.KEEP) -> ProtectedText:
        """One sentence as the model reads it."""
        return ProtectedText(text) if protection is SpanProtection.OFF else self._protector.protect(text)

    def source_ids(self, text: str) -> tuple[int, ...]:
        """Ids of one sentence, language prefix and end of sentence included."""
        ids = self.bundle.source_tokenizer.encode(text)
        return (*self.languages.source_prefix_ids, *ids, self.manifest.vocabulary.end_id)

    def target_ids(self, text: str) -> tuple[int, ...]:
        """Ids of one translation, end of sentence included."""
        return (*self.bundle.target_tokenizer.encode(text), self.manifest.vocabulary.end_id)

    def target_offsets(self, token_ids: tuple[int, ...], source: ProtectedText) -> list[tuple[int, int]]:
        """Begin and end of each token in the decoded text, in characters."""
        return target_offsets(self.bundle.target_tokenizer, token_ids, source)

    def source_tokens(self, source: ProtectedText) -> list[Token]:
        """The source's tokens with offsets in its own text, without language prefix and end of sentence."""
        return source_tokens(self.bundle.source_tokenizer, source)

    async def translate_sentence(
        self, part: Segment, decoding: Decoding, deadline_seconds: float | None
    ) -> list[Sentence]:
        """Translate one part of a text as it is; best first. See `translate`."""
        protected = self.protect(part.text, decoding.span_protection)
        source_ids, options = self._prepare(part, protected, decoding)
        event = await self.run(source_ids, options, deadline_seconds, decoding.priority)
        sentences = self._sentences(part, protected, source_ids, event)
        stricter = self._options.with_spans(options, protected)
        if stricter and any(sentence.is_faulty for sentence in sentences):
            # All of the beam, for what must be there may be there twice; those without fault go first.
            everything = replace(stricter, num_hypotheses=stricter.beam_size)
            event = await self.run(source_ids, everything, deadline_seconds, decoding.priority)
            again = self._sentences(part, protected, source_ids, event)
            # What must be there may be there twice in all of them, and the first try had some without fault.
            sentences = max(again, sentences, key=lambda found: sum(not sentence.is_faulty for sentence in found))
        if not (options.sampling or options.are_alternatives):  # those are not ranked
            sentences.sort(key=lambda sentence: sentence.is_faulty)
        del sentences[options.num_hypotheses :]
        check_spans(sentences, decoding)
        return sentences

    async def run(
        self, source: Source, options: DecodingOptions, deadline_seconds: float | None, priority: Priority
    ) -> FinishedEvent:
        """Run one sentence or picture to its end; see `Worker.translate`."""
        request_context.current().spend(len(source))
        async with aclosing(self.worker.translate(source, options, deadline_seconds, priority)) as events:
            async for event in events:
                if isinstance(event, FinishedEvent):
                    return event
        raise AssertionError("a worker's events end with a FinishedEvent or an error")

    async def _segment(self, text: str, protection: SpanProtection) -> Segmentation:
        # A long text is cut in a thread, so that the others' requests go on meanwhile.
        if len(text) <= LONG_TEXT_CHARACTERS:
            return self.segment(text, protection)
        return await asyncio.to_thread(self.segment, text, protection)

    async def look_up(self, phrases: tuple[str, ...]) -> None:
        """Have the tokenizer find phrases in a thread, so that the others' requests go on meanwhile."""
        if phrases:
            await asyncio.to_thread(lambda: [self.bundle.target_tokenizer.variants(phrase) for phrase in phrases])

    def _prepare(
        self, part: Segment, protected: ProtectedText, decoding: Decoding
    ) -> tuple[tuple[int, ...], DecodingOptions]:
        """The source ids of a segment and how to decode it, in tokens."""
        source_ids = self.source_ids(protected.text)
        limit = self.manifest.limits.max_source_tokens
        if len(source_ids) > limit:  # one character that the vocabulary spells in more tokens than the model reads
            raise InvalidRequestError.of("text", f"{part.text!r} makes {len(source_ids)} tokens; limit {limit}")
        return source_ids, self._options.of(part.text, protected, decoding, len(source_ids))

    def _sentences(
        self, part: Segment, protected: ProtectedText, source_ids: tuple[int, ...], event: FinishedEvent
    ) -> list[Sentence]:
        decode = self.bundle.target_tokenizer.decode
        return [Sentence(part, protected, source_ids, found, decode(found.token_ids)) for found in event.translations]
