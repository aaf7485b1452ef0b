"""BLEU and chrF by sacrebleu (Post 2018), with signatures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF


@dataclass(frozen=True)
class Scores:
    """Corpus scores in percent."""

    bleu: float
    chrf: float
    bleu_signature: str
    chrf_signature: str
    num_sentences: int


def score(translations: Sequence[str], references: Sequence[str]) -> Scores:
    """Compare translations with one reference each; see `score_against_all`."""
    return score_against_all(translations, [[reference] for reference in references])


def score_against_all(translations: Sequence[str], references: Sequence[Sequence[str]]) -> Scores:
    """Compare translations with all that would be right, one or more for each.

    BLEU uses sacrebleu's 13a tokenizer for every language: for Korean it counts space-separated words, so it reads
    lower than scores on morphemes. chrF2 counts characters and is the figure to compare.
    """
    bleu, chrf = BLEU(), CHRF()
    # sacrebleu takes None for a reference that a translation lacks.
    streams: Any = [list(stream) for stream in itertools.zip_longest(*references)]
    bleu_score = bleu.corpus_score(list(translations), streams)
    chrf_score = chrf.corpus_score(list(translations), streams)
    return Scores(
        bleu=bleu_score.score,
        chrf=chrf_score.score,
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
        num_sentences=len(translations),
    )
