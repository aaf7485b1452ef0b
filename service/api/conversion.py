"""Protobuf messages to what the service works with, checked field by field, and back."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence

from service.api.alignment import align_text, links_of
from service.api.decoding import Decoding, SpanProtection
from service.api.explainer import Turns
from service.api.offsets import AlignedSpan
from service.api.served_model import ServedModel
from service.api.text_translation import SentencePlace, TextTranslation
from service.errors import FieldViolation, InvalidRequestError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.request import (
    DEFAULT_LENGTH_PENALTY,
    DecodingOptions,
    FinishReason,
    LengthNormalization,
    Priority,
    SamplingOptions,
)
from service.settings import Settings
from service.text.terminology import Term, places_of

MAX_LENGTH_PENALTY = 5.0
MAX_REPETITION_PENALTY = 10.0
MAX_NGRAM_SIZE = 64
MAX_PHRASES, MAX_PHRASE_CHARACTERS = 32, 200
MAX_PREFIX_CHARACTERS = 20_000
TEMPERATURES = (0.01, 10.0)
TERMINOLOGY_BEAM_SIZE = 8

FINISH_REASONS = {
    FinishReason.END: pb.FINISH_REASON_END,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
}
_LENGTH_NORMALIZATIONS = {
    pb.LENGTH_NORMALIZATION_UNSPECIFIED: LengthNormalization.GNMT,
    pb.LENGTH_NORMALIZATION_GNMT: LengthNormalization.GNMT,
    pb.LENGTH_NORMALIZATION_TOKENS: LengthNormalization.TOKENS,
}
_SPAN_PROTECTIONS = {
    pb.SPAN_PROTECTION_UNSPECIFIED: SpanProtection.KEEP,
    pb.SPAN_PROTECTION_KEEP: SpanProtection.KEEP,
    pb.SPAN_PROTECTION_REQUIRE: SpanProtection.REQUIRE,
    pb.SPAN_PROTECTION_OFF: SpanProtection.OFF,
}
_PRIORITIES = {
    pb.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    pb.PRIORITY_BATCH: Priority.BATCH,
}


def check_number(texts: Sequence[object], field: str, settings: Settings) -> None:
    """Number of texts.

    Raises:
        InvalidRequestError: names the field and the limit.
    """
    if not texts:
        raise InvalidRequestError.of(field, f"is empty; send 1 to {settings.max_texts}")
    if len(texts) > settings.max_texts:
        raise InvalidRequestError.of(field, f"{len(texts)} given; limit {settings.max_texts}")


def check_texts(texts: Sequence[str], field: str, settings: Settings, part: str = "") -> None:
    """Number and length of texts; `part` is what follows the index in the field's name.

    Raises:
        InvalidRequestError: names the field and the limit.
    """
    check_number(texts, field, settings)
    violations = [
        violation
        for index, text in enumerate(texts)
        if (violation := text_violation(text, f"{field}[{index}]{part}", settings)) is not None
    ]
    if violations:
        raise InvalidRequestError(violations)


def text_violation(text: str, field: str, settings: Settings) -> FieldViolation | None:
    """What is wrong with one text."""
    if len(text) > settings.max_text_characters:
        return FieldViolation(field, f"{len(text)} characters; limit {settings.max_text_characters}")
    return None


def decoding_of(message: pb.DecodingOptions, model: ServedModel, priority: Priority, prefix: str = "") -> Decoding:
    """Check decoding options against the model's limits.

    Args:
        message: as sent.
        model: whose limits apply.
        priority: who goes first.
        prefix: of the field's name, for options inside another message: `config.`.

    Raises:
        InvalidRequestError: names every field that is out of range, and its limits.
    """
    checks = _Checks(f"{prefix}decoding.")
    most = checks.within(message, "max_target_tokens", 1, model.max_target_tokens, default=model.max_target_tokens)
    fewest = checks.within(message, "min_target_tokens", 0, most, default=0)
    beam_size, num_hypotheses = _check_widths(message, model, checks)
    if message.length_normalization not in _LENGTH_NORMALIZATIONS:
        checks.refuse("length_normalization", f"{message.length_normalization} is no LengthNormalization")
    if message.span_protection not in _SPAN_PROTECTIONS:
        checks.refuse("span_protection", f"{message.span_protection} is no SpanProtection")
    options = DecodingOptions(
        max_target_tokens=int(most),
        min_target_tokens=int(fewest),
        beam_size=beam_size,
        num_hypotheses=num_hypotheses,
        length_penalty=checks.within(message, "length_penalty", 0.0, MAX_LENGTH_PENALTY, DEFAULT_LENGTH_PENALTY),
        length_normalization=_LENGTH_NORMALIZATIONS.get(message.length_normalization, LengthNormalization.GNMT),
        is_early_stopping=message.early_stopping if message.HasField("early_stopping") else True,
        sampling=_sampling_of(message, model, checks),
        are_alternatives=message.return_alternatives,
        repetition_penalty=checks.within(message, "repetition_penalty", 1.0, MAX_REPETITION_PENALTY, default=1.0),
        no_repeat_ngram_size=int(checks.within(message, "no_repeat_ngram_size", 0, MAX_NGRAM_SIZE, default=0)),
    )
    checks.number("forbidden_phrases", message.forbidden_phrases)
    checks.phrases("forbidden_phrases", message.forbidden_phrases[:MAX_PHRASES])
    terms = message.terminology[:MAX_PHRASES]
    checks.number("terminology", message.terminology)
    checks.phrases("terminology", [term.source for term in terms], ".source")
    checks.phrases("terminology", [term.target for term in terms], ".target")
    if len(message.target_prefix) > MAX_PREFIX_CHARACTERS:
        checks.refuse("target_prefix", f"{len(message.target_prefix)} characters; limit {MAX_PREFIX_CHARACTERS}")
    checks.finish()
    return Decoding(
        max_target_tokens=int(most) if message.HasField("max_target_tokens") else None,
        options=options,
        target_prefix=message.target_prefix,
        forbidden_phrases=tuple(message.forbidden_phrases),
        terms=tuple(Term(term.source, term.target) for term in message.terminology),
        beam_size_without_terms=beam_size if message.HasField("beam_size") else num_hypotheses,
        span_protection=_SPAN_PROTECTIONS[message.span_protection],
        priority=priority,
    )


def priority_of(priority: pb.Priority, default: Priority, field: str = "priority") -> Priority:
    """Who goes first.

    Raises:
        InvalidRequestError: a number that the enum does not have.
    """
    if priority == pb.PRIORITY_UNSPECIFIED:
        return default
    if priority not in _PRIORITIES:
        raise InvalidRequestError.of(field, f"{priority} is no Priority")
    return _PRIORITIES[priority]


def _check_widths(message: pb.DecodingOptions, model: ServedModel, checks: _Checks) -> tuple[int, int]:
    """Beam size and number of hypotheses, and what cannot be together with a beam."""
    widest = model.max_beam_size
    default = min(TERMINOLOGY_BEAM_SIZE, widest) if message.terminology else 1
    beam_size = int(checks.within(message, "beam_size", 1, widest, default=default))
    is_apart = bool(message.temperature) or message.return_alternatives
    most = widest if is_apart else beam_size
    num_hypotheses = int(checks.within(message, "num_hypotheses", 1, most, default=1))
    if message.terminology and (beam_size == 1 or is_apart):
        checks.refuse("terminology", "needs a beam: beam_size above 1, no temperature, no return_alternatives")
    elif beam_size > 1 and is_apart:
        checks.refuse("beam_size", "cannot be above 1 together with temperature or return_alternatives")
    if message.temperature and message.return_alternatives:
        checks.refuse("return_alternatives", "cannot be set together with temperature")
    return beam_size, num_hypotheses


def _sampling_of(message: pb.DecodingOptions, model: ServedModel, checks: _Checks) -> SamplingOptions | None:
    temperature = float(message.temperature)
    if temperature != 0.0:
        checks.within(message, "temperature", *TEMPERATURES, default=0.0)
    top_k = checks.within(message, "top_k", 0, model.manifest.vocabulary.target_size, default=0)
    top_p = checks.within(message, "top_p", 0.0, 1.0, default=1.0)
    if top_p == 0.0:
        checks.refuse("top_p", "must be above 0")
    if not temperature:
        return None
    seed = message.seed if message.HasField("seed") else secrets.randbits(64)
    return SamplingOptions(temperature, int(top_k), float(top_p), seed)


class _Checks:
    """Collects what is wrong with the fields of one message."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._violations: list[FieldViolation] = []

    def within(self, message: pb.DecodingOptions, name: str, low: float, high: float, default: float) -> float:
        """The field's value if it is set and within [low, high]; else the default, and a violation if it is set."""
        if not message.HasField(name):
            return default
        value: float = getattr(message, name)
        if math.isfinite(value) and low <= value <= high:
            return value
        limits = f"limit {low:g}" if low == high else f"limits {low:g} to {high:g}"
        self.refuse(name, f"{value:g} is out of range; {limits}")
        return default

    def number(self, name: str, phrases: Sequence[object]) -> None:
        """Note that there are too many phrases."""
        if len(phrases) > MAX_PHRASES:
            self.refuse(name, f"{len(phrases)} given; limit {MAX_PHRASES}")

    def phrases(self, name: str, phrases: Sequence[str], part: str = "") -> None:
        """Note what is wrong with the length of phrases."""
        for index, phrase in enumerate(phrases):
            if not phrase.strip() or len(phrase) > MAX_PHRASE_CHARACTERS:
                limits = f"limits 1 to {MAX_PHRASE_CHARACTERS}, not all white space"
                self.refuse(f"{name}[{index}]{part}", f"{len(phrase)} characters; {limits}")

    def refuse(self, name: str, description: str) -> None:
        """Note a violation."""
        self._violations.append(FieldViolation(self._prefix + name, description))

    def finish(self) -> None:
        """Raise what was noted."""
        if self._violations:
            raise InvalidRequestError(self._violations)


async def result_of(
    model: ServedModel,
    translations: Sequence[TextTranslation],
    decoding: Decoding,
    wanted: pb.ReturnOptions,
    turns: Turns | None,
    best_links: Sequence[AlignedSpan] | None = None,
) -> pb.TranslationResult:
    """The translations of one text, best first, as clients get them.

    Args:
        model: what translated.
        translations: best first.
        decoding: how they were made.
        wanted: beside the text.
        turns: where alignments are wanted.
        best_links: those of the best, where they are known.
    """
    best = translations[0]
    hypotheses = [_hypothesis_of(model, translated, decoding, wanted) for translated in translations]
    if turns is not None:
        for index, translated in enumerate(translations):
            known = best_links if index == 0 else None
            links = known if known is not None else await align_text(model, translated, turns)
            hypotheses[index].alignment.extend(links_of(links))
    return pb.TranslationResult(
        hypotheses=hypotheses,
        num_source_tokens=sum(len(sentence.source_ids) for sentence in best.sentences),
        num_target_tokens=sum(len(sentence.translation.token_ids) for sentence in best.sentences),
    )


def _hypothesis_of(
    model: ServedModel, translated: TextTranslation, decoding: Decoding, wanted: pb.ReturnOptions
) -> pb.Hypothesis:
    hypothesis = pb.Hypothesis(text=translated.text, finish_reason=FINISH_REASONS[translated.finish_reason])
    hypothesis.applied_terms.extend(
        pb.AppliedTerm(term=place.term, target_begin=place.begin, target_end=place.end)
        for place in places_of(decoding.terms, translated.text)
    )
    hypothesis.protected_spans.extend(
        pb.ProtectedSpan(source_begin=place.source_begin, source_end=place.source_end, target_begin=place.target_begin)
        for place in translated.span_places()
    )
    if wanted.sentences:
        hypothesis.sentences.extend(sentence_span(place) for place in translated.sentence_places())
    if wanted.scores:
        hypothesis.log_prob = sum(translated.token_log_probs)
        hypothesis.score = translated.score
    if wanted.token_log_probs:
        for sentence in translated.sentences:
            ids = (*sentence.translation.token_ids, model.manifest.vocabulary.end_id)
            hypothesis.tokens.extend(tokens_of(model, ids, sentence.translation.token_log_probs))
    return hypothesis


def sentence_span(place: SentencePlace) -> pb.SentenceSpan:
    """A sentence's place as clients get it."""
    return pb.SentenceSpan(
        source_begin=place.source_begin,
        source_end=place.source_end,
        target_begin=place.target_begin,
        target_end=place.target_end,
    )


def tokens_of(model: ServedModel, token_ids: Sequence[int], log_probs: Sequence[float]) -> list[pb.Token]:
    """Tokens with their log-probabilities; ids beyond the log-probabilities (an end never reached) are left out."""
    piece = model.bundle.target_tokenizer.piece
    return [pb.Token(piece=piece(token), log_prob=value) for token, value in zip(token_ids, log_probs, strict=False)]
