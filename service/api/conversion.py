"""Protobuf messages to what the service works with, checked field by field, and back."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence

from service.api.served_model import Decoding, ServedModel, TextTranslation
from service.errors import FieldViolation, InvalidRequestError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.request import DecodingOptions, FinishReason, SamplingOptions
from service.settings import Settings

MAX_BEAM_SIZE = 1
"""Beam search is not built yet; greedy search and sampling are."""
MAX_LENGTH_PENALTY = 5.0
TEMPERATURES = (0.01, 10.0)

_FINISH_REASONS = {
    FinishReason.END: pb.FINISH_REASON_END,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
}


def check_texts(texts: Sequence[str], field: str, settings: Settings) -> None:
    """Number and length of texts.

    Raises:
        InvalidRequestError: names the field and the limit.
    """
    if not texts:
        raise InvalidRequestError.of(field, f"is empty; send 1 to {settings.max_texts}")
    if len(texts) > settings.max_texts:
        raise InvalidRequestError.of(field, f"{len(texts)} given; limit {settings.max_texts}")
    violations = [
        violation
        for index, text in enumerate(texts)
        if (violation := text_violation(text, f"{field}[{index}]", settings)) is not None
    ]
    if violations:
        raise InvalidRequestError(violations)


def text_violation(text: str, field: str, settings: Settings) -> FieldViolation | None:
    """What is wrong with one text."""
    if len(text) > settings.max_text_characters:
        return FieldViolation(field, f"{len(text)} characters; limit {settings.max_text_characters}")
    return None


def decoding_of(message: pb.DecodingOptions, model: ServedModel, prefix: str = "") -> Decoding:
    """Check decoding options against the model's limits.

    Args:
        message: as sent.
        model: whose limits apply.
        prefix: of the field's name, for options inside another message: `config.`.

    Raises:
        InvalidRequestError: names every field that is out of range, and its limits.
    """
    limits = model.manifest.limits
    checks = _Checks(f"{prefix}decoding.")
    beam_size = checks.within(message, "beam_size", 1, MAX_BEAM_SIZE, default=1)
    checks.within(message, "num_hypotheses", 1, beam_size, default=1)
    checks.within(message, "length_penalty", 0.0, MAX_LENGTH_PENALTY, default=0.0)
    most = checks.within(message, "max_target_tokens", 1, limits.max_target_tokens, default=limits.max_target_tokens)
    fewest = checks.within(message, "min_target_tokens", 0, most, default=0)
    temperature = float(message.temperature)
    if temperature != 0.0:
        checks.within(message, "temperature", *TEMPERATURES, default=0.0)
    top_k = checks.within(message, "top_k", 0, model.manifest.vocabulary.target_size, default=0)
    top_p = checks.within(message, "top_p", 0.0, 1.0, default=1.0)
    if top_p == 0.0:
        checks.refuse("top_p", "must be above 0")
    checks.finish()
    sampling = None
    if temperature:
        seed = message.seed if message.HasField("seed") else secrets.randbits(64)
        sampling = SamplingOptions(temperature, int(top_k), float(top_p), seed)
    options = DecodingOptions(max_target_tokens=int(most), min_target_tokens=int(fewest), sampling=sampling)
    return Decoding(
        max_target_tokens=int(most) if message.HasField("max_target_tokens") else None,
        options=options,
        target_prefix=message.target_prefix,
    )


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

    def refuse(self, name: str, description: str) -> None:
        """Note a violation."""
        self._violations.append(FieldViolation(self._prefix + name, description))

    def finish(self) -> None:
        """Raise what was noted."""
        if self._violations:
            raise InvalidRequestError(self._violations)


async def result_of(model: ServedModel, translated: TextTranslation, wanted: pb.ReturnOptions) -> pb.TranslationResult:
    """A translation as clients get it."""
    hypothesis = pb.Hypothesis(text=translated.text, finish_reason=_FINISH_REASONS[translated.finish_reason])
    log_probs = translated.token_log_probs
    if wanted.scores:
        hypothesis.log_prob = sum(log_probs)
        hypothesis.score = sum(log_probs) / max(1, len(log_probs))
    if wanted.token_log_probs:
        for sentence in translated.sentences:
            ids = (*sentence.translation.token_ids, model.manifest.vocabulary.end_id)
            hypothesis.tokens.extend(tokens_of(model, ids, sentence.translation.token_log_probs))
    if wanted.alignment:
        hypothesis.alignment.extend(
            pb.AlignmentLink(
                source_begin=span.source_begin,
                source_end=span.source_end,
                target_begin=span.target_begin,
                target_end=span.target_end,
                weight=span.weight,
            )
            for span in await model.align(translated)
        )
    return pb.TranslationResult(
        hypotheses=[hypothesis],
        num_source_tokens=sum(len(sentence.source_ids) for sentence in translated.sentences),
        num_target_tokens=sum(len(sentence.translation.token_ids) for sentence in translated.sentences),
    )


def tokens_of(model: ServedModel, token_ids: Sequence[int], log_probs: Sequence[float]) -> list[pb.Token]:
    """Tokens with their log-probabilities; ids beyond the log-probabilities (an end never reached) are left out."""
    piece = model.bundle.target_tokenizer.piece
    return [pb.Token(piece=piece(token), log_prob=value) for token, value in zip(token_ids, log_probs, strict=False)]
