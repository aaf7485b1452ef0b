"""Texts that are in another language than they should be: untranslated ones above all."""

from __future__ import annotations

import re
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

MIN_WORDS = 5
MIN_PROBABILITY = 0.99
_CANDIDATES = ("en", "ko", "de", "fr", "es", "it", "nl", "pt", "ru", "ja", "zh")
_WORD = re.compile(r"[^\W\d_]+")
# Words that only their own language of the four has: a text with one in ten of them needs no further look.
_FUNCTION_WORDS = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of to is are and be this that with for not you it from or by your if",
        "de": "der und ist das ein eine nicht werden wird zu dem den mit für auf sie von wenn kann",
        "fr": "le les est et une du pas ces aux vous pour dans par sur ce cette être avec ou",
        "es": "el los las del y una son no para con por se este esta desde puede al como",
    }.items()
}


def is_another_language(text: str, language: str) -> bool:
    """Whether a text of five words or more is in another language, beyond doubt. Korean is known by its script."""
    if language == "ko":
        return False
    words = _WORD.findall(text.casefold())
    num_known = sum(word in _FUNCTION_WORDS[language] for word in words)
    if len(words) < MIN_WORDS or num_known >= 1 + len(words) // 10:
        return False
    # Text in capitals and names are what the model is worst at.
    found, probability = _identifier().classify(" ".join(words))
    return bool(found != language and probability > MIN_PROBABILITY)


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_CANDIDATES))
    return identifier
