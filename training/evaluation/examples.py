"""A page of examples that nobody chose: drawn at random, good or bad."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sacrebleu.metrics.chrf import CHRF

from training.evaluation.markdown import cell
from training.evaluation.systems import System
from training.readers import Pair


def draw(num_sentences: int, count: int, seed: int) -> list[int]:
    """Which sentences to show, in their order: as many as asked for or there are, each as likely as any other."""
    generator = random.Random(seed)  # noqa: S311 - a draw that others can repeat
    return sorted(generator.sample(range(num_sentences), min(count, num_sentences)))


def to_markdown(pairs: Sequence[Pair], systems: Sequence[System], count: int, seed: int, name: str) -> str:
    """The page.

    Args:
        pairs: the test set.
        systems: their translations of all of it.
        count: how many sentences to show.
        seed: of the draw.
        name: of the test set.
    """
    chosen = draw(len(pairs), count, seed)
    metric = CHRF()
    sections = [
        "# Examples",
        f"{len(chosen)} of the {len(pairs)} sentences of {name}, drawn at random (seed {seed}) and shown as they are, "
        "good or bad. The figure is the sentence's chrF2.",
    ]
    for index in chosen:
        pair = pairs[index]
        lines = [f"| {index + 1} | {cell(pair.origin)} |", "| --- | --- |"]
        lines += [f"| source | {cell(pair.source)} |", f"| reference | {cell(pair.target)} |"]
        for system in systems:
            text = system.translations[index]
            score = metric.sentence_score(text, [pair.target]).score
            lines.append(f"| {cell(system.name)} ({score:.0f}) | {cell(text)} |")
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"
