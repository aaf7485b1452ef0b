"""CaptionService."""

from __future__ import annotations

from service.api.caption_words import WordAttention
from service.api.captioning import Caption, attended_words, caption, picture_of
from service.api.conversion import FINISH_REASONS, decoding_of, priority_of, tokens_of
from service.api.models import Models
from service.api.rpc import Context, deadline_of
from service.api.served_model import ServedModel
from service.pb.seq2serve.v1 import caption_service_pb2 as pb
from service.pb.seq2serve.v1 import caption_service_pb2_grpc as pb_grpc
from service.pictures.decoder import PictureDecoder
from service.request import Priority


class CaptionServicer(pb_grpc.CaptionServiceServicer):
    """Answers the RPC; errors are raised as ServiceError and translated by the interceptor."""

    def __init__(self, models: Models, decoder: PictureDecoder) -> None:
        self._models = models
        self._decoder = decoder

    async def Caption(self, request: pb.CaptionRequest, context: Context) -> pb.CaptionResponse:  # noqa: N802
        """One picture."""
        model = self._models.select_captioner(request.model_selection)
        with model.in_use():
            decoding = decoding_of(request.decoding, model, priority_of(request.priority, Priority.INTERACTIVE))
            model.worker.check_room()
            deadline = deadline_of(context)
            pixels = await self._decoder.decode(request.image, model.image.height, model.image.width)
            picture = picture_of(model, pixels)
            captions = await caption(model, picture, decoding, deadline)
            words = [] if request.omit_words else await attended_words(model, picture, captions[0])
        return pb.CaptionResponse(
            caption=captions[0].text,
            language_code=model.languages.target_language,
            hypotheses=[_hypothesis(model, found) for found in captions],
            words=[_word(model, word) for word in words],
            model=model.manifest.name,
            model_version=model.manifest.version,
        )


def _hypothesis(model: ServedModel, found: Caption) -> pb.CaptionHypothesis:
    ids = (*found.token_ids, model.manifest.vocabulary.end_id)
    return pb.CaptionHypothesis(
        text=found.text,
        score=found.translation.score,
        log_prob=sum(found.token_log_probs),
        finish_reason=FINISH_REASONS[found.translation.finish_reason],
        tokens=tokens_of(model, ids, found.token_log_probs),
    )


def _word(model: ServedModel, word: WordAttention) -> pb.CaptionWord:
    rows, columns = model.image.grid
    grid = pb.AttentionGrid(rows=rows, columns=columns, weights=word.weights) if word.weights else None
    return pb.CaptionWord(word=word.word, begin=word.begin, end=word.end, attention=grid)
