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
from training.balance import num_copies
from training.candidates import Candidates, duplicate_key, first_of_each
from training.errors import TrainingError
from training.inputs import in_every_direction
from training.language_pairs import LanguagePair
from training.phrasebook import LANGUAGES as PHRASEBOOK_LANGUAGES
from training.phrasebook import phrases
from training.readers import Pair
from training.recipe import PrepareSettings, Recipe
from training.synthetic import HeldOutTargets
from training.tags import tagged

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
    language_pairs: dict[str, dict[str, int]] = field(default_factory=dict)
    """By split; of several pairs only."""
    copies: dict[str, int] = field(default_factory=dict)
    """Training examples by language pair, repeated ones counted each time; of several pairs only."""
    missing_origins: list[str] = field(default_factory=list)
    """Held out by the recipe, but in no input: mistyped, perhaps."""

    def to_dict(self) -> dict[str, object]:
        """Plain values for report.json: counts by reason, and by split and origin, and by language pair if several."""
        several = {"language_pairs": self.language_pairs, "with_copies": self.copies} if self.language_pairs else {}
        return {
            "read": self.num_read,
            "dropped": dict(sorted(self.dropped.items())),
            "kept": {split: counts.total() for split, counts in self.kept.items()},
            "origins": {split: dict(sorted(counts.items())) for split, counts in self.kept.items()},
            "missing_origins": self.missing_origins,
            **several,
        }


def prepare(
    pairs: Iterable[Pair],
    recipe: Recipe,
    directory: Path,
    development: Iterable[Pair] = (),
    test: Iterable[Pair] = (),
    synthetic: Iterable[Pair] = (),
) -> Report:
    """Write train.tsv, development.tsv, test.tsv (source, target, origin) and report.json into `directory`.

    A source that occurs in held-out text is removed from the training text, so that no test sentence was seen; of
    several language pairs whichever it is held out of, and on both sides. Their sources begin with their tags, and
    held-out text is also written by pair (test.en-de.tsv). Pairs wait on the disk until all are read; memory is needed
    for a few bytes of each.

    Args:
        pairs: what is cleaned and split by origin; with their languages, as `read_inputs` gives them, if there are
            several.
        recipe: how.
        directory: where to write; what is there is replaced.
        development: held-out text that stays whole and in order, before what is held out of `pairs`.
        test: likewise.
        synthetic: pairs of which a model wrote one side: cleaned, for training alone, and only those whose source and
            target are not in held-out text; of several with the same source, those of `pairs` come first.

    Raises:
        TrainingError: no pair is left for training or for development.
    """
    report = Report()
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        waiting = stack.enter_context(scratch_directory(directory / ".candidates"))
        intake = _Intake(recipe, waiting)
        candidates = {split: stack.enter_context(intake.candidates[split]) for split in SPLITS}
        targets = HeldOutTargets()
        for split, given in (("development", development), ("test", test)):
            for pair in _composed(given, report):
                intake.add(pair, split)
                targets.add(pair.target)
        num_given = {split: len(candidates[split]) for split in SPLITS}
        for pair in _clean_pairs(_with_phrasebook(pairs, recipe), recipe, report):
            split = split_of(pair.origin, recipe.prepare)
            if split != "train":
                targets.add(pair.target)
            intake.add(pair, split)
        for pair in targets.without(_clean_pairs(synthetic, recipe, report), report.dropped):
            intake.add(pair, "train")
        keys = {split: candidates[split].keys() for split in SPLITS}
        is_kept = _choose(keys, num_given, recipe.prepare, report)
        for split in ("train", "development"):
            if not is_kept[split].any():
                raise TrainingError(f"no pair is left for {split}: {json.dumps(report.to_dict(), ensure_ascii=False)}")
        intake.write(directory, is_kept, report)
    named = (*recipe.prepare.development_origins, *recipe.prepare.test_origins)
    report.missing_origins = [name for name in named if not any(name in report.kept[split] for split in SPLITS[1:])]
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
    if "⟦" in source + target and any(tag in source + target for tag in recipe.tags.values()):
        return "language tag"
    longer, shorter = sorted((len(source.encode()), len(target.encode())), reverse=True)
    if longer > settings.min_ratio_characters and longer > settings.max_length_ratio * shorter:
        return "length ratio"
    languages = pair.languages or recipe.pairs[0]
    if not _has_script(source, languages.source) or not _has_script(target, languages.target):
        return "script"
    return None


def _with_phrasebook(pairs: Iterable[Pair], recipe: Recipe) -> Iterator[Pair]:
    if recipe.prepare.phrasebook:
        known = [LanguagePair("en", language) for language in PHRASEBOOK_LANGUAGES]
        of_recipe = [languages for languages in known if {languages, languages.swapped} & set(recipe.pairs)]
        if not of_recipe:
            raise TrainingError(
                f"prepare.phrasebook: the phrasebook is of English and {', '.join(PHRASEBOOK_LANGUAGES)} only"
            )
        for languages in of_recipe:
            sentences = (Pair(phrase.source, phrase.target, phrase.origin) for phrase in phrases(languages.target))
            yield from in_every_direction(sentences, languages, recipe)
    yield from pairs


def _choose(
    keys: dict[str, NDArray[np.uint64]], num_given: dict[str, int], settings: PrepareSettings, report: Report
) -> dict[str, NDArray[np.bool_]]:
    """Which pairs of each split stay: no duplicates, nothing of held-out text in training nor of test elsewhere."""
    is_kept = {split: np.ones(keys[split].shape[1], dtype=np.bool_) for split in SPLITS}
    for split in SPLITS:
        if settings.one_pair_per_source:
            is_kept[split] = first_of_each(keys[split][0])
            is_kept[split][: num_given[split]] = True
            report.dropped["duplicate source"] += int((~is_kept[split]).sum())
    # The last keys are those of the texts, whatever they are translated to: (source,) or (source, target).
    texts = {split: keys[split][-2:] for split in SPLITS}
    held_out = np.concatenate((texts["development"][0], texts["test"][0]))
    is_leaked = is_kept["train"] & np.isin(texts["train"], held_out).any(axis=0)
    report.dropped["in held-out text"] = int(is_leaked.sum())
    is_kept["train"] &= ~is_leaked
    is_kept["development"] &= ~np.isin(texts["development"], texts["test"][0]).any(axis=0)
    is_kept["development"][: num_given["development"]] = True
    return is_kept


class _Intake:
    """Where pairs wait, split by split, tagged and with the keys that their languages call for."""

    def __init__(self, recipe: Recipe, directory: Path) -> None:
        self._recipe = recipe
        self._prefixes = {languages: recipe.source_prefix(languages) for languages in recipe.pairs}
        self._groups = {languages: group for group, languages in enumerate(recipe.pairs)}
        num_keys = 3 if len(self._groups) > 1 else 1
        self.candidates = {split: Candidates(directory / split, num_keys) for split in SPLITS}

    def add(self, pair: Pair, split: str) -> None:
        """Put a cleaned pair into a split."""
        languages = pair.languages or self._recipe.pairs[0]
        source_key, target_key = duplicate_key(pair.source), duplicate_key(pair.target)
        written = tagged(pair, self._recipe.prepare.tags) if split == "train" else pair
        if len(self._groups) == 1:
            self.candidates[split].append(written, [source_key])
            return
        if pair.languages is None:
            raise TrainingError(f"{pair.origin}: pairs of a recipe with several language pairs need their languages")
        written = Pair(self._prefixes[languages] + written.source, pair.target, pair.origin)
        texts = [f"{languages.source} {source_key}", f"{languages.target} {target_key}"]
        self.candidates[split].append(written, [f"{languages.name} {source_key}", *texts], self._groups[languages])

    def write(self, directory: Path, is_kept: dict[str, NDArray[np.bool_]], report: Report) -> None:
        """Write what stays, and tell the report."""
        for split in SPLITS:
            found, groups = self.candidates[split], self.candidates[split].groups()
            copies = is_kept[split].astype(np.int64)
            if split == "train":
                copies = num_copies(groups, is_kept[split], self._recipe.prepare.language_temperature)
            repeats = self._recipe.prepare.repeats if split == "train" else {}
            report.kept[split] = found.write(directory / f"{split}.tsv", copies, repeats)
            if len(self._groups) == 1:
                continue
            report.language_pairs[split] = {}
            for languages, group in self._groups.items():
                chosen = is_kept[split] & (groups == group)
                report.language_pairs[split][languages.name] = int(chosen.sum())
                if split == "train":
                    report.copies[languages.name] = int(copies[chosen].sum())
                else:
                    found.write(directory / f"{split}.{languages.name}.tsv", chosen)


def _composed(pairs: Iterable[Pair], report: Report) -> Iterator[Pair]:
    for raw in pairs:
        report.num_read += 1
        yield Pair(clean_text(raw.source), clean_text(raw.target), raw.origin, raw.languages)


def _clean_pairs(pairs: Iterable[Pair], recipe: Recipe, report: Report) -> Iterator[Pair]:
    for pair in _composed(pairs, report):
        reason = fault(pair, recipe)
        if reason is None:
            yield pair
        else:
            report.dropped[reason] += 1


def _has_script(text: str, language: str) -> bool:
    scripts = _SCRIPTS.get(language)
    return scripts is None or any(unicodedata.name(c, "").startswith(scripts) for c in text)
