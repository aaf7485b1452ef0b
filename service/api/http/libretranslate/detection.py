"""Which of the served languages a text is in, by py3langid."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

MAX_CHARACTERS = 5000
"""More tells nothing new."""
MAX_CANDIDATES = 3
_lock = threading.Lock()


@dataclass(frozen=True)
class Candidate:
    """A language that a text may be in."""

    language: str
    confidence: float
    """0 to 100."""

    def as_json(self) -> dict[str, object]:
        """As LibreTranslate writes it."""
        return {"confidence": self.confidence, "language": self.language}


def detect(text: str, languages: Collection[str]) -> list[Candidate]:
    """The likeliest languages, best first; at least one. Blocks, at first for seconds: call it off the event loop.

    Args:
        text: only its beginning is looked at.
        languages: to choose from, at least one. One that py3langid does not know is never likely.
    """
    if not any(character.isalpha() for character in text[:MAX_CHARACTERS]):
        return [Candidate(min(languages), 0.0)]
    by_label: dict[str, str] = {}
    for language in sorted(languages):
        by_label.setdefault(language.partition("-")[0].lower(), language)
    with _lock:
        identifier = _identifier()
        identifier.set_languages(None)
        known = [label for label in by_label if label in identifier.nb_classes]
        if not known:
            return [Candidate(min(languages), 0.0)]
        identifier.set_languages(known)
        ranking = identifier.rank(text[:MAX_CHARACTERS])
    likely = [(label, round(100 * probability)) for label, probability in ranking[:MAX_CANDIDATES]]
    return [Candidate(by_label[label], float(confidence)) for label, confidence in likely if confidence] or [
        Candidate(by_label[likely[0][0]], 0.0)
    ]


@cache
def _identifier() -> Any:
    # Loaded when it is first needed: it takes two seconds and 60 MB.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
