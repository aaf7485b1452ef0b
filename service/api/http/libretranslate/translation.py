"""Texts and documents translated by the RPC Translate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.api.http.libretranslate.markup import Paragraph, joined, paragraphs
from service.api.http.threads import Threads
from service.api.in_process import InProcess, Metadata
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

TRANSLATE = "/seq2serve.v1.TranslationService/Translate"


@dataclass(frozen=True)
class Translated:
    """One text."""

    text: str
    alternatives: tuple[str, ...] = ()
    """Others, best first; none twice."""


class Translator:
    """From one language to another for one caller."""

    def __init__(
        self, in_process: InProcess, threads: Threads, metadata: Metadata, languages: tuple[str, str], max_texts: int
    ) -> None:
        """`threads`: for markup; `languages`: source and target; `max_texts`: of one RPC."""
        self._in_process = in_process
        self._threads = threads
        self._metadata = metadata
        self._selection = pb.ModelSelection(source_language_code=languages[0], target_language_code=languages[1])
        self._max_texts = max_texts

    async def texts(self, texts: Sequence[str], num_alternatives: int = 0) -> list[Translated]:
        """Plain texts, in their order; those without a letter or digit stay as they are.

        Raises:
            ServiceError: the caller may not translate.
            CallFailedError: the RPC failed.
        """
        wanted = [text for text in texts if any(map(str.isalnum, text))]
        if not wanted:
            await self._in_process.check(TRANSLATE, self._metadata)
        found = iter(await self._translated(wanted, num_alternatives))
        return [next(found) if any(map(str.isalnum, text)) else Translated(text) for text in texts]

    async def _translated(self, texts: Sequence[str], num_alternatives: int) -> list[Translated]:
        found: list[Translated] = []
        for begin in range(0, len(texts), self._max_texts):
            request = pb.TranslateRequest(
                model_selection=self._selection,
                texts=texts[begin : begin + self._max_texts],
                decoding=pb.DecodingOptions(),
            )
            if num_alternatives:
                request.decoding.num_hypotheses = request.decoding.beam_size = num_alternatives + 1
            response = await self._in_process.ask(TRANSLATE, request, self._metadata)
            assert isinstance(response, pb.TranslateResponse)
            found += [_translated(result) for result in response.results]
        return found

    async def documents(self, documents: Sequence[str]) -> list[Translated]:
        """HTML, in the order of the documents; there are no alternatives.

        Raises:
            CallFailedError: the RPC failed.
        """
        cut = await self._threads.run(lambda: [paragraphs(document) for document in documents])
        wanted = [part for parts in cut for part in parts if part.text]
        translations = iter(await self._paragraphs(wanted))
        return await self._threads.run(
            lambda: [Translated(joined(parts, [next(translations) for part in parts if part.text])) for parts in cut]
        )

    async def _paragraphs(self, wanted: Sequence[Paragraph]) -> list[str]:
        """Those that come back without a tag are translated in pieces."""
        translations = [translated.text for translated in await self.texts([part.text for part in wanted])]
        pieces = await self._threads.run(_pieces_of_broken, wanted, translations)
        texts = [piece.text for parts in pieces.values() for piece in parts if piece.text]
        if texts:
            repaired = iter(await self.texts(texts))
            for index, parts in pieces.items():
                translations[index] = joined(parts, [next(repaired).text for piece in parts if piece.text])
        return translations


def _pieces_of_broken(wanted: Sequence[Paragraph], translations: Sequence[str]) -> dict[int, list[Paragraph]]:
    pairs = enumerate(zip(wanted, translations, strict=True))
    return {index: part.parts() for index, (part, translation) in pairs if not part.is_whole(translation)}


def _translated(result: pb.TranslationResult) -> Translated:
    best, *others = [hypothesis.text for hypothesis in result.hypotheses]
    return Translated(best, tuple(other for other in dict.fromkeys(others) if other not in (best, "")))
