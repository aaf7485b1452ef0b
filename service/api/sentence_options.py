"""How one sentence is decoded: what a client asked in text, in tokens of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from service.api.decoding import Decoding
from service.bundle.manifest import Manifest
from service.bundle.tokenizer import Tokenizer
from service.errors import InvalidRequestError
from service.request import DecodingOptions
from service.text.protected_spans import ProtectedText
from service.text.terminology import terms_in

MAX_TOKENS_PER_SOURCE_TOKEN, MIN_MAX_TOKENS = 3, 16
SPAN_BEAM_SIZE = 4


@dataclass(frozen=True)
class SentenceOptions:
    """Makes decoding options for the sentences of one model."""

    manifest: Manifest
    tokenizer: Tokenizer
    """Of the target."""
    max_beam_size: int

    def of(self, text: str, protected: ProtectedText, decoding: Decoding, num_source_tokens: int) -> DecodingOptions:
        """For a sentence.

        Args:
            text: of the sentence.
            protected: the same as the model reads it.
            decoding: what the client asked.
            num_source_tokens: prefix and end of sentence included.

        Raises:
            InvalidRequestError: what was asked does not suit this sentence.
        """
        encode, options = self.tokenizer.encode, decoding.options
        prefix = tuple(encode(protected.cover(decoding.target_prefix)))
        required = tuple(self._required_ids(protected.cover(term.target)) for term in terms_in(text, decoding.terms))
        fewest = max(options.min_target_tokens, len(prefix) + sum(map(len, set(required))))
        return replace(
            options,
            max_target_tokens=self._max_target_tokens(num_source_tokens, fewest, decoding),
            prefix=prefix,
            forbidden=tuple(ids for phrase in decoding.forbidden_phrases for ids in self.tokenizer.variants(phrase)),
            required=required,
            # Terms that a sentence does not have need no beam for their sake.
            beam_size=options.beam_size if required or not decoding.terms else decoding.beam_size_without_terms,
        )

    def with_spans(self, options: DecodingOptions, protected: ProtectedText) -> DecodingOptions | None:
        """The same with a beam that must have all protected spans; None where that cannot be asked."""
        if not protected.spans or options.sampling or options.are_alternatives or self.max_beam_size == 1:
            return None
        symbols = [self.tokenizer.id_of(span.symbol) for span in protected.spans]
        # A symbol within a required term is there with the term; required by itself it would stand there twice.
        held = {token for ids in options.required for token in ids}
        required = (*options.required, *((symbol,) for symbol in symbols if symbol not in held))
        if len(options.prefix) + sum(map(len, set(required))) > options.max_target_tokens:
            return None
        beam_size = max(options.beam_size, min(SPAN_BEAM_SIZE, self.max_beam_size))
        return replace(options, required=required, beam_size=beam_size)

    def _required_ids(self, target: str) -> tuple[int, ...]:
        ids = tuple(self.tokenizer.encode(target))
        if self.manifest.vocabulary.unknown_id in ids:
            reason = "has characters that the model's vocabulary lacks"
            raise InvalidRequestError.of("decoding.terminology.target", f"{target!r} {reason}")
        return ids

    def _max_target_tokens(self, num_source_tokens: int, fewest: int, decoding: Decoding) -> int:
        limit = decoding.max_target_tokens or self.manifest.limits.max_target_tokens
        if fewest > limit:
            field = "decoding.terminology" if decoding.terms else "decoding.target_prefix"
            raise InvalidRequestError.of(field, f"{fewest} tokens; limit {limit}")
        usual = MAX_TOKENS_PER_SOURCE_TOKEN * num_source_tokens + MIN_MAX_TOKENS + fewest
        return decoding.max_target_tokens or min(limit, usual)
