"""BLEU and chrF by sacrebleu (Post 2018), with signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Compare translations with one reference each.

    BLEU uses sacrebleu's 13a tokenizer for every language: for Korean it counts space-separated words, so it reads
    lower than scores on morphemes. chrF2 counts characters and is the figure to compare.
    """
    bleu, chrf = BLEU(), CHRF()
    bleu_score = bleu.corpus_score(list(translations), [list(references)])
    chrf_score = chrf.corpus_score(list(translations), [list(references)])
    return Scores(
        bleu=bleu_score.score,
        chrf=chrf_score.score,
        bleu_signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
        num_sentences=len(translations),
    )
