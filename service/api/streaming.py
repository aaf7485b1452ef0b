"""The messages of one TranslateStream."""

from __future__ import annotations

from service.api.alignment import links_of
from service.api.conversion import result_of, sentence_span
from service.api.decoding import Decoding
from service.api.explainer import Turns
from service.api.growing_alignment import GrowingAlignment
from service.api.served_model import ServedModel
from service.api.text_translation import StreamedText, TextTranslation, place_of
from service.pb.seq2serve.v1 import translation_service_pb2 as pb


class Streaming:
    """Makes a message of every piece of a stream, with the links that are known by then. Close it."""

    def __init__(self, model: ServedModel, decoding: Decoding, wanted: pb.ReturnOptions, turns: Turns | None) -> None:
        """See `result_of`; without `turns` there are no links."""
        self._model = model
        self._decoding = decoding
        self._wanted = wanted
        self._turns = turns
        self._alignment = None if turns is None else GrowingAlignment(model, turns)
        self._text = ""

    async def answer(self, piece: StreamedText | tuple[TextTranslation, ...]) -> pb.TranslateStreamResponse:
        """What the client is sent. Only the last piece waits for links."""
        alignment = self._alignment
        if not isinstance(piece, StreamedText):
            return await self._last(piece)
        self._text += piece.text
        response = pb.TranslateStreamResponse(delta=pb.TranslationDelta(text=piece.text))
        if self._wanted.sentences and piece.sentence is not None:
            place = place_of(piece.sentence.segment, piece.sentence.target_begin, len(self._text))
            response.sentence.CopyFrom(sentence_span(place))
        if alignment is not None:
            if piece.sentence is not None:
                alignment.grow(piece.sentence)
            response.alignment.extend(links_of(alignment.take()))
        return response

    async def aclose(self) -> None:
        """Stop what is still being computed."""
        if self._alignment is not None:
            await self._alignment.close()

    async def _last(self, translations: tuple[TextTranslation, ...]) -> pb.TranslateStreamResponse:
        links = rest = None
        if self._alignment is not None:
            await self._alignment.finish()
            rest = links_of(self._alignment.take())
            # Samples of several sentences are ranked when all are there: the best may be another than was streamed.
            links = self._alignment.spans if translations[0].text == self._text else None
        result = await result_of(self._model, translations, self._decoding, self._wanted, self._turns, links)
        return pb.TranslateStreamResponse(result=result, alignment=rest)
