"""A translated text, put together from its sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from service.request import FinishReason, Translation
from service.text.protected_spans import ProtectedText
from service.text.segmentation import Segment, Segmentation


@dataclass(frozen=True)
class Sentence:
    """A translated segment."""

    segment: Segment
    protected: ProtectedText
    """The segment as the model read it."""
    source_ids: tuple[int, ...]
    translation: Translation
    symbols_text: str
    """The translation as the model wrote it."""

    @cached_property
    def text(self) -> str:
        """The translation, protected spans in their places."""
        return self.protected.restore(self.symbols_text)

    @property
    def is_faulty(self) -> bool:
        """Whether a protected span is lost, or stands there more than once."""
        return bool(self.protected.faults(self.symbols_text))


@dataclass
class GrowingSentence:
    """A sentence that is being translated as a stream."""

    segment: Segment
    protected: ProtectedText
    source_ids: tuple[int, ...]
    target_begin: int
    """Where its translation begins in that of the text, in characters."""
    token_ids: list[int] = field(default_factory=list)
    """Those of the translation that are certain."""
    is_whole: bool = False
    """Whether they are all."""


@dataclass(frozen=True)
class StreamedText:
    """More text of a translation, and the sentence that it belongs to; none: white space between sentences."""

    text: str
    sentence: GrowingSentence | None = None


@dataclass(frozen=True)
class SpanPlace:
    """A protected span in a text, and where its translation has it; None where it was lost."""

    source_begin: int
    source_end: int
    target_begin: int | None


@dataclass(frozen=True)
class SentencePlace:
    """A sentence in a text, and its translation in that of the text."""

    source_begin: int
    source_end: int
    target_begin: int
    target_end: int


@dataclass(frozen=True)
class TextTranslation:
    """A translated text."""

    text: str
    sentences: tuple[Sentence, ...]

    @property
    def finish_reason(self) -> FinishReason:
        """LENGTH where any sentence was cut off."""
        reasons = {sentence.translation.finish_reason for sentence in self.sentences}
        return FinishReason.LENGTH if FinishReason.LENGTH in reasons else FinishReason.END

    @property
    def token_log_probs(self) -> list[float]:
        """Of all sentences, in nats."""
        return [value for sentence in self.sentences for value in sentence.translation.token_log_probs]

    @property
    def score(self) -> float:
        """Of all sentences; see `service.search.score`."""
        return _total_score(self.sentences)

    def span_places(self) -> list[SpanPlace]:
        """Every protected span, in order of the source."""
        found: list[SpanPlace] = []
        for sentence, target_begin in self.placed_sentences():
            for span, place in sentence.protected.places(sentence.symbols_text):
                begin = sentence.segment.begin + span.begin
                target = None if place is None else target_begin + place
                found.append(SpanPlace(begin, begin + len(span.text), target))
        return found

    def sentence_places(self) -> list[SentencePlace]:
        """Every sentence, in order of the source."""
        return [
            place_of(sentence.segment, target_begin, target_begin + len(sentence.text))
            for sentence, target_begin in self.placed_sentences()
        ]

    def placed_sentences(self) -> Iterator[tuple[Sentence, int]]:
        """Every sentence, and where its translation begins in that of the text."""
        target_begin = 0
        for sentence in self.sentences:
            target_begin += len(sentence.segment.before)
            yield sentence, target_begin
            target_begin += len(sentence.text)


def place_of(segment: Segment, target_begin: int, target_end: int) -> SentencePlace:
    """Where a segment and its translation are."""
    return SentencePlace(segment.begin, segment.begin + len(segment.text), target_begin, target_end)


def put_together(
    segmentation: Segmentation, hypotheses: Sequence[Sequence[Sentence]], number: int
) -> tuple[TextTranslation, ...]:
    """Up to `number` translations of a text, best first.

    Args:
        segmentation: of the source.
        hypotheses: of each segment, best first.
        number: how many combinations to make; a single segment's hypotheses stay in their order.
    """
    combinations: list[tuple[Sentence, ...]] = [()]
    for sentences in hypotheses:
        combinations = [(*earlier, sentence) for earlier in combinations for sentence in sentences]
        if len(hypotheses) > 1:
            combinations.sort(key=_total_score, reverse=True)
        del combinations[number:]
    return tuple(
        TextTranslation(segmentation.join([sentence.text for sentence in sentences]), sentences)
        for sentences in combinations
    )


def _total_score(sentences: tuple[Sentence, ...]) -> float:
    return sum(sentence.translation.score for sentence in sentences)
