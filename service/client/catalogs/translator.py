"""What translates texts: the seam between a catalog and the service, and where tests put a model of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Candidate:
    """One translation of a text."""

    text: str
    score: float
    """Higher is better."""
    is_cut: bool = False
    """Whether it reached the limit of its length."""


@dataclass(frozen=True)
class Answer:
    """What came back for a text."""

    candidates: tuple[Candidate, ...] = ()
    """Best first."""
    refusal: str = ""
    """Why there are none."""


class Translate(Protocol):
    """Translates texts."""

    def __call__(self, texts: Sequence[str], terms: Mapping[str, str], beam_size: int) -> list[Answer]:
        """Answers in the order of the texts.

        Args:
            texts: not empty, any number of them.
            terms: source terms and what they must become in texts that hold them; at most MAX_TERMS.
            beam_size: hypotheses to keep and to return.
        """


MAX_TERMS = 32
"""Terms in a call of `Translate`; the service's limit."""
MAX_TERM_CHARACTERS = 200
"""Characters of either side of a term; the service's limit."""
MAX_TEXT_CHARACTERS = 20_000
"""Characters of a text; the service's default limit."""
