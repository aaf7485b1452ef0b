"""The languages that are served, as LibreTranslate lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.api.http.libretranslate.language_names import LANGUAGE_NAMES
from service.api.models import Models
from service.errors import UnavailableError

Languages = Mapping[str, list[str]]
"""What each is translated into, sorted. Every language is translated into itself: it stays as it is."""


def served_languages(models: Models) -> Languages:
    """All that any model reads or writes; from any thread.

    Raises:
        UnavailableError: there are none now.
    """
    targets: dict[str, set[str]] = {}
    for pair in (pair for model in models.all() if not model.manifest.reads_images for pair in model.manifest.pairs):
        source, target = pair.source_language, pair.target_language
        targets.setdefault(source, {source}).add(target)
        targets.setdefault(target, {target})
    if not targets:
        raise UnavailableError("no model is served now")
    return {language: sorted(targets[language]) for language in sorted(targets)}


def is_known(code: str, languages: Iterable[str]) -> bool:
    """Whether a language, or the one that it is a variety of, is among them."""
    return any(f"{code}-".lower().startswith(f"{language}-".lower()) for language in languages)


def name_of(code: str) -> str:
    """In English; a region or script stays a code, and so does a language that is not in our list."""
    language, _, rest = code.partition("-")
    name = LANGUAGE_NAMES.get(language.lower(), language)
    return f"{name} ({rest})" if rest else name
