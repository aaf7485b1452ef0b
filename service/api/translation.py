"""TranslationService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from service import request_context
from service.api.batch_translation import BatchTranslation
from service.api.conversion import (
    check_number,
    check_texts,
    decoding_of,
    priority_of,
    result_of,
    text_violation,
    tokens_of,
)
from service.api.explanation import Explanation
from service.api.models import Models
from service.api.rpc import Context, deadline_of
from service.api.served_model import ServedModel
from service.errors import FieldViolation, InvalidRequestError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.request import Priority
from service.settings import Settings
from service.text.protected_spans import ProtectedText


class TranslationServicer(pb_grpc.TranslationServiceServicer):
    """Answers the RPCs; errors are raised as ServiceError and translated by the interceptor."""

    def __init__(self, models: Models, settings: Settings, draining: asyncio.Event) -> None:
        """`draining`: when it is set, streams of items are read no more."""
        self._models = models
        self._settings = settings
        self._draining = draining

    async def Translate(self, request: pb.TranslateRequest, context: Context) -> pb.TranslateResponse:  # noqa: N802
        """One text or several, side by side."""
        model = self._models.select(request.model_selection)
        with model.in_use():
            decoding = decoding_of(request.decoding, model, priority_of(request.priority, Priority.INTERACTIVE))
            check_texts(request.texts, "texts", self._settings)
            model.worker.check_room()
            deadline, slots = deadline_of(context), model.slots()

            async def run(text: str) -> pb.TranslationResult:
                translations = await model.translate(text, decoding, deadline, slots)
                return await result_of(model, translations, decoding, request.return_options)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(run(text)) for text in request.texts]
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None  # the first cancelled the others
        return pb.TranslateResponse(
            results=[task.result() for task in tasks],
            model=model.manifest.name,
            model_version=model.manifest.version,
        )

    async def TranslateStream(  # noqa: N802
        self, request: pb.TranslateStreamRequest, context: Context
    ) -> AsyncGenerator[pb.TranslateStreamResponse]:
        """Deltas, then the result."""
        model = self._models.select(request.model_selection)
        with model.in_use():
            decoding = decoding_of(request.decoding, model, priority_of(request.priority, Priority.INTERACTIVE))
            violation = text_violation(request.text, "text", self._settings)
            if violation is not None:
                raise InvalidRequestError([violation])
            model.worker.check_room()
            async with aclosing(model.stream(request.text, decoding, deadline_of(context))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        yield pb.TranslateStreamResponse(delta=pb.TranslationDelta(text=piece))
                    else:
                        result = await result_of(model, piece, decoding, request.return_options)
                        yield pb.TranslateStreamResponse(result=result)

    async def BatchTranslate(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.BatchTranslateRequest], context: Context
    ) -> AsyncGenerator[pb.BatchTranslateResponse]:
        """Results as they finish; reads on as fast as it translates."""
        batch = BatchTranslation(self._models, self._settings, deadline_of(context))
        reader = asyncio.create_task(batch.read(request_iterator, self._draining))
        try:
            async for response in batch.responses():
                yield response
            await reader
        finally:
            reader.cancel()
            batch.cancel()

    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:  # noqa: N802, ARG002
        """Teacher-forced log-probabilities."""
        model = self._models.select(request.model_selection)
        with model.in_use():
            check_number(request.pairs, "pairs", self._settings)
            for side in ("source", "target"):
                check_texts([getattr(pair, side) for pair in request.pairs], "pairs", self._settings, f".{side}")
            scores = []
            for index, pair in enumerate(request.pairs):
                _, source_ids, target_ids = _pair_ids(model, pair.source, pair.target, f"pairs[{index}].")
                explanation = await _explain(model, source_ids, target_ids)
                log_probs = [float(value) for value in explanation.token_log_probs]
                tokens = tokens_of(model, target_ids, log_probs)
                scores.append(pb.PairScore(log_prob=sum(log_probs), tokens=tokens))
        return pb.ScoreResponse(scores=scores, model=model.manifest.name, model_version=model.manifest.version)

    async def Attend(self, request: pb.AttendRequest, context: Context) -> pb.AttendResponse:  # noqa: N802
        """Attention maps of a pair."""
        model = self._models.select(request.model_selection)
        for field, text in (("source", request.source), ("target", request.target)):
            violation = text_violation(text, field, self._settings)
            if violation is not None:
                raise InvalidRequestError([violation])
        with model.in_use():
            target = request.target
            if not target and request.source:
                decoding = decoding_of(pb.DecodingOptions(), model, Priority.INTERACTIVE)
                target = (await model.translate(request.source, decoding, deadline_of(context)))[0].text
            source, source_ids, target_ids = _pair_ids(model, request.source, target, "")
            explanation = await _explain(model, source_ids, target_ids)
        prefix = [(0, 0)] * len(model.languages.source_prefix_ids)  # read, and so attended to, but no part of the text
        source_tokens = prefix + [(token.begin, token.end) for token in model.source_tokens(source)]
        maps = (
            (pb.ATTENTION_KIND_ENCODER_SELF, explanation.encoder_attention),
            (pb.ATTENTION_KIND_DECODER_SELF, explanation.decoder_attention),
            (pb.ATTENTION_KIND_CROSS, explanation.cross_attention),
        )
        return pb.AttendResponse(
            source_tokens=_attended(source_ids, source_tokens, model.bundle.source_tokenizer.piece),
            target_tokens=_attended(
                target_ids, model.target_offsets(target_ids[:-1], source), model.bundle.target_tokenizer.piece
            ),
            maps=[
                _map(kind, layer, head, weights[layer, head])
                for kind, weights in maps
                for layer, head in _grid(weights)
            ],
            model=model.manifest.name,
            model_version=model.manifest.version,
        )


async def _explain(model: ServedModel, source_ids: tuple[int, ...], target_ids: tuple[int, ...]) -> Explanation:
    request_context.current().spend(len(source_ids))
    return await model.explain(source_ids, target_ids)


def _pair_ids(
    model: ServedModel, source: str, target: str, prefix: str
) -> tuple[ProtectedText, tuple[int, ...], tuple[int, ...]]:
    limits = model.manifest.limits
    protected = model.protect(source)
    source_ids, target_ids = model.source_ids(protected.text), model.target_ids(protected.cover(target))
    num_prefix_tokens = len(model.languages.source_prefix_ids)
    violations = []
    for name, length, limit in (
        ("source", len(source_ids) - 1 - num_prefix_tokens, limits.max_source_tokens - 1 - num_prefix_tokens),
        ("target", len(target_ids) - 1, limits.max_target_tokens),
    ):
        if not 1 <= length <= limit:
            violations.append(FieldViolation(f"{prefix}{name}", f"{length} tokens; limits 1 to {limit}"))
    if violations:
        raise InvalidRequestError(violations)
    return protected, source_ids, target_ids


def _attended(ids: tuple[int, ...], offsets: list[tuple[int, int]], piece: Any) -> list[pb.AttendedToken]:
    end = offsets[-1][1] if offsets else 0
    spans = [*offsets, (end, end)]  # the end of sentence stands for no character
    return [
        pb.AttendedToken(piece=piece(token), begin=begin, end=stop)
        for token, (begin, stop) in zip(ids, spans, strict=True)
    ]


def _grid(weights: Any) -> list[tuple[int, int]]:
    layers, heads = weights.shape[:2]
    return [(layer, head) for layer in range(layers) for head in range(heads)]


def _map(kind: pb.AttentionKind, layer: int, head: int, weights: Any) -> pb.AttentionMap:
    rows, columns = weights.shape
    return pb.AttentionMap(
        kind=kind, layer=layer, head=head, rows=rows, columns=columns, weights=weights.ravel().tolist()
    )
