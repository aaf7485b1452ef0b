"""From raw pairs to training, development and test text: clean, remove duplicates, split by origin."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

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


def prepare(pairs: Iterable[Pair], recipe: Recipe, directory: Path) -> Report:
    """Write train.tsv, development.tsv, test.tsv (source, target, origin) and report.json into `directory`.

    A source that occurs in a held-out origin is removed from the training text, so that no test sentence was seen.

    Raises:
        TrainingError: no pair is left for training or for development.
    """
    report = Report()
    settings = recipe.prepare
    unique: dict[str, dict[str, Pair]] = {split: {} for split in SPLITS}
    for pair in _clean_pairs(_with_phrasebook(pairs, recipe), recipe, report):
        split = split_of(pair.origin, settings)
        key = _duplicate_key(pair.source)
        if key in unique[split]:
            report.dropped["duplicate source"] += 1
        else:
            unique[split][key] = pair
    held_out = unique["development"].keys() | unique["test"].keys()
    leaked = held_out & unique["train"].keys()
    for key in leaked:
        del unique["train"][key]
    report.dropped["in held-out text"] = len(leaked)
    for key in unique["development"].keys() & unique["test"].keys():
        del unique["development"][key]
    directory.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        if not unique[split] and split != "test":
            raise TrainingError(f"no pair is left for {split}: {json.dumps(report.to_dict(), ensure_ascii=False)}")
        report.kept[split].update(pair.origin for pair in unique[split].values())
        write_pairs(directory / f"{split}.tsv", unique[split].values())
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
    if source == target:
        return "identical"
    longer, shorter = sorted((len(source.encode()), len(target.encode())), reverse=True)
    if longer > settings.min_ratio_characters and longer > settings.max_length_ratio * shorter:
        return "length ratio"
    if not _has_script(source, recipe.source_language) or not _has_script(target, recipe.target_language):
        return "script"
    return None


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Write source, target and origin, separated by tabs."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for pair in pairs:
            file.write(f"{pair.source}\t{pair.target}\t{pair.origin}\n")


def _with_phrasebook(pairs: Iterable[Pair], recipe: Recipe) -> Iterator[Pair]:
    if recipe.prepare.phrasebook:
        if (recipe.source_language, recipe.target_language) != ("en", "ko"):
            raise TrainingError("prepare.phrasebook: the phrasebook is English to Korean only")
        for phrase in phrases():
            yield Pair(phrase.source, phrase.target, phrase.origin)
    yield from pairs


def _clean_pairs(pairs: Iterable[Pair], recipe: Recipe, report: Report) -> Iterator[Pair]:
    for raw in pairs:
        report.num_read += 1
        pair = Pair(clean_text(raw.source), clean_text(raw.target), raw.origin)
        reason = fault(pair, recipe)
        if reason is None:
            yield pair
        else:
            report.dropped[reason] += 1


def _duplicate_key(source: str) -> str:
    return "".join(c for c in source.casefold() if not c.isspace()).rstrip(".:…")


def _has_script(text: str, language: str) -> bool:
    scripts = _SCRIPTS.get(language)
    return scripts is None or any(unicodedata.name(c, "").startswith(scripts) for c in text)
