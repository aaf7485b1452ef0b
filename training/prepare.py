"""From raw pairs to training, development and test text: clean, remove duplicates, split by origin."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.atomic import scratch_directory
from training.candidates import Candidates, first_of_each
from training.errors import TrainingError
from training.phrasebook import phrases
from training.readers import Pair
from training.recipe import PrepareSettings, Recipe

SPLITS = ("train", "development", "test")

# Scripts a side must hold at least one letter of, by language. Latin languages need none: names are Latin everywhere.
_SCRIPTS: dict[str, str | tuple[str, ...]] = {
    "ko": "HANGUL",
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "zh": "CJK",
    "ru": "CYRILLIC",
    "el": "GREEK",
}


@dataclass
class Report:
    """What became of the pairs that were read."""

    num_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    kept: dict[str, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})

    def to_dict(self) -> dict[str, object]:
        """Plain values for report.json: counts by reason, and by split and origin."""
        return {
            "read": self.num_read,
            "dropped": dict(sorted(self.dropped.items())),
            "kept": {split: counts.total() for split, counts in self.kept.items()},
            "origins": {split: dict(sorted(counts.items())) for split, counts in self.kept.items()},
        }


def prepare(
    pairs: Iterable[Pair],
    recipe: Recipe,
    directory: Path,
    development: Iterable[Pair] = (),
    test: Iterable[Pair] = (),
) -> Report:
    """Write train.tsv, development.tsv, test.tsv (source, target, origin) and report.json into `directory`.

    A source that occurs in held-out text is removed from the training text, so that no test sentence was seen. Pairs
    wait on the disk until all are read; memory is needed for a few bytes of each.

    Args:
        pairs: what is cleaned and split by origin.
        recipe: how.
        directory: where to write; what is there is replaced.
        development: held-out text that stays whole and in order, before what is held out of `pairs`.
        test: likewise.

    Raises:
        TrainingError: no pair is left for training or for development.
    """
    report = Report()
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        waiting = stack.enter_context(scratch_directory(directory / ".candidates"))
        candidates = {split: stack.enter_context(Candidates(waiting / split)) for split in SPLITS}
        for split, given in (("development", development), ("test", test)):
            for pair in _composed(given, report):
                candidates[split].append(pair, _duplicate_key(pair.source))
        num_given = {split: len(candidates[split]) for split in SPLITS}
        for pair in _clean_pairs(_with_phrasebook(pairs, recipe), recipe, report):
            candidates[split_of(pair.origin, recipe.prepare)].append(pair, _duplicate_key(pair.source))
        keys = {split: candidates[split].keys() for split in SPLITS}
        is_kept = _choose(keys, num_given, recipe.prepare, report)
        for split in ("train", "development"):
            if not is_kept[split].any():
                raise TrainingError(f"no pair is left for {split}: {json.dumps(report.to_dict(), ensure_ascii=False)}")
        for split in SPLITS:
            report.kept[split] = candidates[split].write(directory / f"{split}.tsv", is_kept[split])
    (directory / "report.json").write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n")
    return report


def split_of(origin: str, settings: PrepareSettings) -> str:
    """The split a document or package belongs to: named in the recipe, else drawn by a hash of its name."""
    if origin in settings.test_origins:
        return "test"
    if origin in settings.development_origins or origin.endswith("-heldout"):
        return "development"
    draw = int.from_bytes(hashlib.sha256(origin.encode()).digest()[:8], "big") / 2**64
    return "development" if draw < settings.development_share else "train"


def clean_text(text: str) -> str:
    """Composed (NFC), without control characters, with single spaces and no space at the ends."""
    composed = unicodedata.normalize("NFC", text)
    if composed.isprintable():  # then spaces are its only white space, and most text is so
        return " ".join(composed.split())
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Zs") else c for c in composed)
    return " ".join(visible.split())


def fault(pair: Pair, recipe: Recipe) -> str | None:
    """Why a cleaned pair is unfit, or None."""
    settings = recipe.prepare
    source, target = pair.source, pair.target
    if not source or not target:
        return "empty"
    if max(len(source), len(target)) > settings.max_characters:
        return "too long"
    if source == target and settings.drop_identical:
        return "identical"
    longer, shorter = sorted((len(source.encode()), len(target.encode())), reverse=True)
    if longer > settings.min_ratio_characters and longer > settings.max_length_ratio * shorter:
        return "length ratio"
    if not _has_script(source, recipe.source_language) or not _has_script(target, recipe.target_language):
        return "script"
    return None


def _with_phrasebook(pairs: Iterable[Pair], recipe: Recipe) -> Iterator[Pair]:
    if recipe.prepare.phrasebook:
        if (recipe.source_language, recipe.target_language) != ("en", "ko"):
            raise TrainingError("prepare.phrasebook: the phrasebook is English to Korean only")
        for phrase in phrases():
            yield Pair(phrase.source, phrase.target, phrase.origin)
    yield from pairs


def _choose(
    keys: dict[str, NDArray[np.uint64]], num_given: dict[str, int], settings: PrepareSettings, report: Report
) -> dict[str, NDArray[np.bool_]]:
    """Which pairs of each split stay: no duplicates, nothing of held-out text in training nor of test elsewhere."""
    is_kept = {split: np.ones(len(keys[split]), dtype=np.bool_) for split in SPLITS}
    for split in SPLITS:
        if settings.one_pair_per_source:
            is_kept[split] = first_of_each(keys[split])
            is_kept[split][: num_given[split]] = True
            report.dropped["duplicate source"] += int((~is_kept[split]).sum())
    held_out = np.concatenate((keys["development"], keys["test"]))
    is_leaked = is_kept["train"] & np.isin(keys["train"], held_out)
    report.dropped["in held-out text"] = int(is_leaked.sum())
    is_kept["train"] &= ~is_leaked
    is_kept["development"] &= ~np.isin(keys["development"], keys["test"])
    is_kept["development"][: num_given["development"]] = True
    return is_kept


def _composed(pairs: Iterable[Pair], report: Report) -> Iterator[Pair]:
    for raw in pairs:
        report.num_read += 1
        yield Pair(clean_text(raw.source), clean_text(raw.target), raw.origin)


def _clean_pairs(pairs: Iterable[Pair], recipe: Recipe, report: Report) -> Iterator[Pair]:
    for pair in _composed(pairs, report):
        reason = fault(pair, recipe)
        if reason is None:
            yield pair
        else:
            report.dropped[reason] += 1


def _duplicate_key(source: str) -> str:
    return "".join(source.casefold().split()).rstrip(".:…")


def _has_script(text: str, language: str) -> bool:
    scripts = _SCRIPTS.get(language)
    return scripts is None or any(unicodedata.name(c, "").startswith(scripts) for c in text)
