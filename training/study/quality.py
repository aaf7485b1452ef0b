"""How well each system of a study translates, in all and by the length of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.checkpoint import Checkpoint
from training.data import read_pairs
from training.evaluate import Scores, score
from training.translate import translate

LENGTHS = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 1000))
"""Source words of each group of sentences, both ends included."""
MIN_SENTENCES = 30
"""A smaller group has no score worth printing."""


@dataclass(frozen=True)
class Quality:
    """Scores of one system on the test text."""

    all: Scores
    by_length: dict[str, Scores]
    """By words of the source, shortest first."""


def measure_quality(checkpoint: Path, test: Path, output: Path) -> Quality:
    """Translate the test text greedily, each source as one sequence.

    Args:
        checkpoint: of `training.trainer`.
        test: prepared text.
        output: gets source, translation and reference, tab-separated.
    """
    pairs = read_pairs(test)
    sources = [source for source, _ in pairs]
    references = [reference for _, reference in pairs]
    translations = translate(Checkpoint.load(checkpoint), sources)
    with output.open("w", encoding="utf-8") as file:
        file.writelines("\t".join(row) + "\n" for row in zip(sources, translations, references, strict=True))
    return Quality(score(translations, references), _by_length(sources, translations, references))


def _by_length(sources: Sequence[str], translations: Sequence[str], references: Sequence[str]) -> dict[str, Scores]:
    numbers = [len(source.split()) for source in sources]
    groups: dict[str, Scores] = {}
    for shortest, longest in LENGTHS:
        chosen = [index for index, number in enumerate(numbers) if shortest <= number <= longest]
        if len(chosen) >= MIN_SENTENCES:
            name = f"{shortest}–{longest}" if longest < LENGTHS[-1][1] else f"{shortest}+"
            groups[name] = score([translations[index] for index in chosen], [references[index] for index in chosen])
    return groups
