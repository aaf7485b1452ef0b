"""Whether two sets of translations are the same but for ties that rounding decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.gpu.engines import Job
from bench.gpu.reference import Reference
from service.request import DEFAULT_LENGTH_PENALTY, Translation

BOUNDS = {"float16": 0.03, "float32": 1e-3}
"""Largest difference of a token's log-probability from PyTorch's in float32, in nats. That of float16 is a bound to be
checked: no GPU has run this yet."""


@dataclass(frozen=True)
class Verdict:
    """What became of a comparison."""

    name: str
    num_sentences: int
    num_identical: int
    ties: list[float] = field(default_factory=list)
    """Of translations that differ as rounding may make them: by how much the better one is better, in nats."""
    num_wrong: int = 0
    """Translations that differ by more."""

    @property
    def share(self) -> float:
        """Of identical token sequences."""
        return self.num_identical / self.num_sentences

    def __str__(self) -> str:
        ties = f", ties {len(self.ties)} by at most {max(self.ties):.1e}" if self.ties else ""
        wrong = f", WRONG {self.num_wrong}" if self.num_wrong else ""
        return f"{self.name:44} identical {self.num_identical}/{self.num_sentences} ({self.share:.1%}){ties}{wrong}"


def compare_greedy(
    name: str,
    reference: Reference,
    jobs: Sequence[Job],
    expected: Sequence[Sequence[int]],
    found: Sequence[Sequence[int]],
    bound: float,
) -> Verdict:
    """Greedy translations may part where `reference`, PyTorch in float32, finds two tokens equally good.

    Each of the two tokens may be off by `bound`, so their gap may be twice that.
    """
    different = [i for i, (one, other) in enumerate(zip(expected, found, strict=True)) if tuple(one) != tuple(other)]
    pairs = [(expected[index], found[index]) for index in different]
    gaps = reference.gaps([jobs[index] for index in different], pairs)
    ties = [gap for gap in gaps if gap <= 2 * bound]
    return Verdict(name, len(jobs), len(jobs) - len(different), ties, len(gaps) - len(ties))


def compare_beams(
    name: str,
    expected: Sequence[tuple[Sequence[int], float]],
    found: Sequence[tuple[Sequence[int], float]],
    bound: float,
) -> Verdict:
    """Best hypotheses, each with its score, may differ where their scores are as near as rounding can bring them.

    A score is a sum over tokens divided by a length penalty; each token may be off by `bound` in either.
    """
    pairs = list(zip(expected, found, strict=True))
    different = [(one, other) for one, other in pairs if tuple(one[0]) != tuple(other[0])]
    gaps = [(abs(one[1] - other[1]), max(len(one[0]), len(other[0])) + 1) for one, other in different]
    ties = [gap for gap, num in gaps if gap <= 2 * bound * num / ((5 + num) / 6) ** DEFAULT_LENGTH_PENALTY]
    return Verdict(name, len(pairs), len(pairs) - len(different), ties, len(gaps) - len(ties))


def largest_difference(reference: Reference, jobs: Sequence[Job], found: Sequence[Translation]) -> float:
    """Of the log-probabilities that the engine told, step by step, from those of PyTorch forced along its tokens."""
    forced = reference.forced([job.source for job in jobs], [translation.token_ids for translation in found])
    return max(
        float(np.abs(values[: len(translation.token_log_probs)] - translation.token_log_probs).max())
        for values, translation in zip(forced, found, strict=True)
    )
