"""200 everyday sentences with references, and checks of what each of them is about.

A score of characters hardly sees a lost negation, a wrong number or the wrong sense of a word; a check looks for
nothing else. The sentences were written for this; everyday sentences being what they are, training text may
have some of them, too, which `unseen` finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from sacrebleu.metrics.chrf import CHRF

from training.errors import TrainingError
from training.evaluation.markdown import cell, table
from training.readers import Pair

Direction = Literal["en-ko", "ko-en"]
DIRECTIONS: tuple[Direction, ...] = ("en-ko", "ko-en")
_NOT = "!"


@dataclass(frozen=True)
class Check:
    """A regular expression, of any case, that a translation must match somewhere, or must not."""

    pattern: str
    is_wanted: bool

    def passes(self, translation: str) -> bool:
        """Whether the translation is as it must be."""
        return (re.search(self.pattern, translation, re.IGNORECASE) is not None) == self.is_wanted

    def __str__(self) -> str:
        return self.pattern if self.is_wanted else f"not {self.pattern}"


@dataclass(frozen=True)
class Entry:
    """One sentence, or a short dialogue, in one direction."""

    id: str
    category: str
    source: str
    references: tuple[str, ...]
    checks: tuple[Check, ...]

    def failed(self, translation: str) -> list[Check]:
        """Checks that a translation does not pass."""
        return [check for check in self.checks if not check.passes(translation)]


@dataclass(frozen=True)
class CategoryResult:
    """How one category went."""

    num_entries: int
    num_passed: int
    """Entries that passed all of their checks."""
    chrf: float
    """chrF2 against whichever reference is nearest, in percent."""


@dataclass(frozen=True)
class Failure:
    """An entry whose translation did not pass."""

    entry: Entry
    translation: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class EverydayResult:
    """How a system translated the sentences."""

    categories: dict[str, CategoryResult]
    """Every category, then `all` of them."""
    failures: tuple[Failure, ...]
    chrf_signature: str


def read_entries(direction: Direction) -> list[Entry]:
    """The sentences that are for one direction, in the order of the file."""
    return [
        _entry(item, category, direction)
        for category, items in _content().items()
        for item in items
        if direction in item.get("directions", DIRECTIONS)
    ]


def unseen(entries: Sequence[Entry], pairs: Iterable[Pair]) -> list[int]:
    """Places of entries that training text has not: neither the source nor a reference is a side of a pair.

    Case, white space and punctuation do not count.
    """
    places: dict[str, set[int]] = {}
    for place, entry in enumerate(entries):
        for text in (entry.source, *entry.references):
            places.setdefault(_letters(text), set()).add(place)
    seen = {place for pair in pairs for side in (pair.source, pair.target) for place in places.get(_letters(side), ())}
    return [place for place in range(len(entries)) if place not in seen]


def measure_everyday(entries: Sequence[Entry], translations: Sequence[str]) -> EverydayResult:
    """Score and check translations.

    Args:
        entries: of one direction.
        translations: one for each.

    Raises:
        TrainingError: their numbers differ.
    """
    if len(translations) != len(entries):
        raise TrainingError(f"{len(translations)} translations of {len(entries)} sentences")
    metric = CHRF()
    pairs = list(zip(entries, translations, strict=True))
    categories = {
        category: _category([pair for pair in pairs if category in (pair[0].category, "all")], metric)
        for category in (*dict.fromkeys(entry.category for entry in entries), "all")
    }
    failures = tuple(
        Failure(entry, translation, tuple(failed))
        for entry, translation in pairs
        if (failed := entry.failed(translation))
    )
    return EverydayResult(categories, failures, str(metric.get_signature()))


def to_markdown(results: dict[str, EverydayResult]) -> str:
    """A table by category: entries that passed, of how many, and chrF2 for each system."""
    first = next(iter(results.values()))
    header = ("", "sentences", *(f"{name}: {what}" for name in results for what in ("passed", "chrF2")))
    rows = []
    for category, row in first.categories.items():
        found = [result.categories[category] for result in results.values()]
        cells = [text for one in found for text in (str(one.num_passed), f"{one.chrf:.1f}")]
        rows.append((category, str(row.num_entries), *cells))
    return table(header, rows)


def failures_to_markdown(result: EverydayResult) -> str:
    """A list of what failed, with the check."""
    lines = [
        f"- {failure.entry.id}: {cell(failure.entry.source)} → {cell(failure.translation)} "
        f"({cell('; '.join(map(str, failure.checks)))})"
        for failure in result.failures
    ]
    return "\n".join(lines)


@cache
def _content() -> dict[str, list[dict[str, Any]]]:
    path = Path(__file__).parent / "everyday_en_ko.yaml"
    return cast("dict[str, list[dict[str, Any]]]", yaml.safe_load(path.read_text(encoding="utf-8")))


def _category(pairs: Sequence[tuple[Entry, str]], metric: CHRF) -> CategoryResult:
    most = max(len(entry.references) for entry, _ in pairs)
    # sacrebleu takes one list for each rank of reference; None where a sentence has fewer.
    references = [
        [entry.references[rank] if rank < len(entry.references) else None for entry, _ in pairs] for rank in range(most)
    ]
    score = metric.corpus_score([translation for _, translation in pairs], cast("list[list[str]]", references))
    num_passed = sum(not entry.failed(translation) for entry, translation in pairs)
    return CategoryResult(len(pairs), num_passed, score.score)


def _entry(item: dict[str, Any], category: str, direction: Direction) -> Entry:
    source, target = ("english", "korean") if direction == "en-ko" else ("korean", "english")
    references = (item[target], *item.get(f"more_{target}", ()))
    checks = (_check(text) for text in item.get(f"{target}_checks", ()))
    return Entry(item["id"], category, item[source], references, tuple(checks))


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _check(text: str) -> Check:
    return Check(text.removeprefix(_NOT), not text.startswith(_NOT))
