"""TranslationService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, aclosing, nullcontext

from service import request_context
from service.api.attention import attend
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
from service.api.explainer import Turns
from service.api.explanation import explain
from service.api.models import Models
from service.api.pairs import pair_of
from service.api.rpc import Context, deadline_of
from service.api.served_model import ServedModel
from service.api.streaming import Streaming
from service.errors import InvalidRequestError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.request import Priority
from service.settings import Settings


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
        with model.in_use(), _turns(model, request.return_options) as turns:
            decoding = decoding_of(request.decoding, model, priority_of(request.priority, Priority.INTERACTIVE))
            check_texts(request.texts, "texts", self._settings)
            model.worker.check_room()
            deadline, slots = deadline_of(context), model.slots()

            async def run(text: str) -> pb.TranslationResult:
                translations = await model.translate(text, decoding, deadline, slots)
                return await result_of(model, translations, decoding, request.return_options, turns)

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
        with model.in_use(), _turns(model, request.return_options) as turns:
            decoding = decoding_of(request.decoding, model, priority_of(request.priority, Priority.INTERACTIVE))
            violation = text_violation(request.text, "text", self._settings)
            if violation is not None:
                raise InvalidRequestError([violation])
            model.worker.check_room()
            pieces = model.stream(request.text, decoding, deadline_of(context))
            answers = Streaming(model, decoding, request.return_options, turns)
            async with aclosing(pieces), aclosing(answers):
                async for piece in pieces:
                    yield await answers.answer(piece)

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
            with model.explaining() as turns:
                for index, given in enumerate(request.pairs):
                    pair = pair_of(model, given.source, given.target, f"pairs[{index}].")
                    request_context.current().spend(len(pair.source_ids))
                    explanation = await turns.run(explain, model.bundle, pair.source_ids, pair.target_ids)
                    log_probs = [float(value) for value in explanation.token_log_probs]
                    tokens = tokens_of(model, pair.target_ids, log_probs)
                    scores.append(pb.PairScore(log_prob=sum(log_probs), tokens=tokens))
        return pb.ScoreResponse(scores=scores, model=model.manifest.name, model_version=model.manifest.version)

    async def Attend(self, request: pb.AttendRequest, context: Context) -> pb.AttendResponse:  # noqa: N802
        """Attention maps of a pair."""
        model = self._models.select(request.model_selection)
        for field, text in (("source", request.source), ("target", request.target)):
            violation = text_violation(text, field, self._settings)
            if violation is not None:
                raise InvalidRequestError([violation])
        with model.in_use(), model.explaining() as turns:
            return await attend(model, request, deadline_of(context), turns)


def _turns(model: ServedModel, wanted: pb.ReturnOptions) -> AbstractContextManager[Turns | None]:
    return model.explaining() if wanted.alignment else nullcontext()
