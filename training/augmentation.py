"""Training text in several versions: spelling mistakes, other case, no final mark, sentences joined."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import msgspec

from training.protected_spans import ProtectedSpanSettings, protect_pair
from training.section import Fraction, Positive, Section

Pair = tuple[str, str]

FINAL_MARKS = ".!?。…"
_WORD = re.compile(r"⟦[^⟦⟧]*⟧|(?<![⟦\w])([^\W\d_]{4,})")  # no short words, and nothing of a symbol
_TAG = re.compile(r"(?:⟦(?!\d+⟧)[^⟦⟧]+⟧ )+")
_SYMBOL = re.compile(r"(⟦[^⟦⟧]*⟧)")


class AugmentationSettings(Section, frozen=True):
    """How the versions of the training text differ from it. Held-out text is read as it is."""

    num_versions: Positive = 1
    """How many versions are made; epochs take turns at them."""
    sampling_alpha: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    """Subword regularisation (Kudo 2018): pieces are drawn with probability to the power of alpha; for a BPE vocabulary
    the share of merges left out (Provilkov et al. 2020). 0 turns it off."""
    typo_share: Fraction = 0.0
    """Share of sources with a spelling mistake in one word: a character left out, doubled, changed or swapped."""
    lower_case_share: Fraction = 0.0
    """Share of sources in lower case."""
    upper_case_share: Fraction = 0.0
    """Share of pairs in upper case, on both sides."""
    unmarked_share: Fraction = 0.0
    """Share of sentence pairs without their final mark, on both sides."""
    joined_share: Fraction = 0.0
    """Share of sentence pairs that are also followed by the next one, so that longer texts are seen."""


def augmented(
    pairs: Iterable[Pair],
    settings: AugmentationSettings,
    protected_spans: ProtectedSpanSettings,
    seed: int,
    version: int,
) -> Iterator[Pair]:
    """One version of training text, its protected spans replaced by symbols.

    Same pairs, settings, seed and version: same result.
    """
    generator = random.Random(f"{seed} {version}")  # noqa: S311
    for joined in _joined(pairs, settings.joined_share, generator):
        source, target = protect_pair(*joined, protected_spans)
        for share, change in (
            (settings.unmarked_share, _without_mark),
            (settings.typo_share, _with_typo),
            (settings.lower_case_share, _lower),
            (settings.upper_case_share, _upper),
        ):
            if generator.random() < share:
                source, target = change(source, target, generator)
        yield source, target


def misspelled(text: str, generator: random.Random) -> str:
    """The text with one mistake in a word of four letters or more, where it has one."""
    words = [match for match in _WORD.finditer(text) if match[1]]
    if not words:
        return text
    begin, end = generator.choice(words).span()
    place = generator.randrange(begin + 1, end - 1)
    kind = generator.choice(("left out", "doubled", "changed", "swapped"))
    if kind == "left out":
        return text[:place] + text[place + 1 :]
    if kind == "doubled":
        return text[:place] + text[place] + text[place:]
    if kind == "changed":
        return text[:place] + text[generator.randrange(begin, end)] + text[place + 1 :]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def _joined(pairs: Iterable[Pair], share: float, generator: random.Random) -> Iterator[Pair]:
    earlier: Pair | None = None
    for pair in pairs:
        yield pair
        if not all(side[-1:] and side[-1] in FINAL_MARKS for side in pair):
            earlier = None
            continue
        if earlier and generator.random() < share:
            tag, text = _split_tag(pair[0])
            if _split_tag(earlier[0])[0] == tag:
                yield f"{earlier[0]} {text}", f"{earlier[1]} {pair[1]}"
        earlier = pair


def _split_tag(source: str) -> tuple[str, str]:
    """What stands in front of a source for the model, such as `⟦de⟧ `, and the text."""
    match = _TAG.match(source)
    return (match[0], source[match.end() :]) if match else ("", source)


def _without_mark(source: str, target: str, _: random.Random) -> Pair:
    shorter = source.rstrip(FINAL_MARKS), target.rstrip(FINAL_MARKS)
    is_sentence = all(shorter) and shorter[0] != source and shorter[1] != target
    return shorter if is_sentence else (source, target)


def _with_typo(source: str, target: str, generator: random.Random) -> Pair:
    return misspelled(source, generator), target


def _lower(source: str, target: str, _: random.Random) -> Pair:
    return _outside_symbols(source, str.lower), target


def _upper(source: str, target: str, _: random.Random) -> Pair:
    return _outside_symbols(source, str.upper), _outside_symbols(target, str.upper)


def _outside_symbols(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if part.startswith("⟦") else change(part) for part in _SYMBOL.split(text))
