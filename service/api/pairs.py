"""A source and its translation, each taken as one sentence, as the model reads them."""

from __future__ import annotations

from dataclasses import dataclass

from service.api.served_model import ServedModel
from service.api.text_translation import Sentence
from service.errors import FieldViolation, InvalidRequestError
from service.text.protected_spans import ProtectedText


@dataclass(frozen=True)
class Pair:
    """Both sides in tokens, ends of sentence included."""

    protected: ProtectedText
    """The source as the model reads it."""
    source_ids: tuple[int, ...]
    target_ids: tuple[int, ...]

    def target_text(self, model: ServedModel) -> str:
        """The translation as its tokens spell it, protected spans in their places."""
        return self.protected.restore(model.bundle.target_tokenizer.decode(self.target_ids[:-1]))


def pair_of(model: ServedModel, source: str, target: str, prefix: str = "") -> Pair:
    """A given pair; `prefix` is what comes before `source` and `target` in the fields' names.

    Raises:
        InvalidRequestError: a side is empty, or longer than the model reads.
    """
    protected = model.protect(source)
    source_ids, target_ids = model.source_ids(protected.text), model.target_ids(protected.cover(target))
    found = (
        source_violation(model, source_ids, f"{prefix}source"),
        _violation(f"{prefix}target", len(target_ids) - 1, model.manifest.limits.max_target_tokens),
    )
    violations = [violation for violation in found if violation is not None]
    if violations:
        raise InvalidRequestError(violations)
    return Pair(protected, source_ids, target_ids)


def pair_with(model: ServedModel, sentence: Sentence) -> Pair:
    """A source and what the model made of it, token for token."""
    target_ids = (*sentence.translation.token_ids, model.manifest.vocabulary.end_id)
    return Pair(sentence.protected, sentence.source_ids, target_ids)


def source_violation(model: ServedModel, source_ids: tuple[int, ...], field: str) -> FieldViolation | None:
    """What is wrong with the length of a source, language prefix and end of sentence included."""
    num_others = 1 + len(model.languages.source_prefix_ids)
    return _violation(field, len(source_ids) - num_others, model.manifest.limits.max_source_tokens - num_others)


def _violation(field: str, length: int, limit: int) -> FieldViolation | None:
    return None if 1 <= length <= limit else FieldViolation(field, f"{length} tokens; limits 1 to {limit}")
