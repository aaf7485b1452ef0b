"""What is asked of a text's sentences, before they are translated and after."""

from __future__ import annotations

from collections.abc import Sequence

from service.api.decoding import Decoding, SpanProtection
from service.api.text_translation import Sentence
from service.errors import InvalidRequestError, SpanLostError
from service.text.segmentation import Segmentation


def check_spans(sentences: Sequence[Sentence], decoding: Decoding) -> None:
    """Raise where spans are required and the best translation has not each of them once."""
    if decoding.span_protection is SpanProtection.REQUIRE and sentences[0].is_faulty:
        faults = sentences[0].protected.faults(sentences[0].symbols_text)
        texts = [span.text for span in sentences[0].protected.spans if span.symbol in faults]
        raise SpanLostError(f"the translation lost or repeated {', '.join(map(repr, texts)) or 'a span'}")


def check_single_sentence(segmentation: Segmentation, decoding: Decoding) -> None:
    """What is about one sentence cannot be asked of several."""
    for field, is_asked in (
        ("target_prefix", bool(decoding.target_prefix)),
        ("return_alternatives", decoding.options.are_alternatives),
    ):
        if is_asked and len(segmentation.segments) > 1:
            raise InvalidRequestError.of(
                f"decoding.{field}", f"the text has {len(segmentation.segments)} sentences; limit 1"
            )
