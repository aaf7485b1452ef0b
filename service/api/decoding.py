"""What a client asks of the decoding, in text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from service.request import DecodingOptions, Priority
from service.text.terminology import Term


class SpanProtection(Enum):
    """What becomes of spans that a translation must leave alone."""

    KEEP = "keep"
    """A sentence that loses one is translated again with a beam that must have them."""
    REQUIRE = "require"
    """As KEEP; a text that lost one all the same is an error."""
    OFF = "off"
    """They are text."""


@dataclass(frozen=True)
class Decoding:
    """What a client asked of the decoding; what is text here becomes tokens of the model for every sentence."""

    max_target_tokens: int | None
    """None: by the source's length."""
    options: DecodingOptions
    target_prefix: str = ""
    forbidden_phrases: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    beam_size_without_terms: int = 1
    """For sentences that hold none of the terms."""
    span_protection: SpanProtection = SpanProtection.KEEP
    priority: Priority = Priority.INTERACTIVE
