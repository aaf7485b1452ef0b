"""The head, or mean of heads, that finds most of the reference links.

A row of cross-attention is the step that *predicts* a token. Some heads look at the token's source one step later, when
it is *read* (Chen et al. 2020, "Accurate Word Alignment Induction from Neural Machine Translation"). Both are tried.

S source tokens, T target tokens.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from export.alignment.held_out import HeldOutPair
from export.alignment.reference import Reference, references
from service.api.explanation import align, explain
from service.bundle.bundle import Bundle
from service.bundle.manifest import Alignment

MAX_EXPLAINED = 500
"""Pairs that heads are measured on; all of them teach Model 1."""
MIN_LINKS = 50
"""With fewer, chance would choose."""
SHIFTS: tuple[Literal[0, 1], ...] = (0, 1)


@dataclass(frozen=True)
class Measured:
    """How much of the reference one choice finds."""

    alignment: Alignment
    anchors: float
    """Share of the anchors, 0 to 1; of pairs without any, that of the words."""
    words: float
    """Share of the words; likewise."""

    @property
    def agreement(self) -> float:
        """What is maximised."""
        return (self.anchors + self.words) / 2


@dataclass(frozen=True)
class Comparison:
    """All choices, the best first."""

    measured: tuple[Measured, ...]
    default: Measured
    """The mean of the last layer's heads, which is what a bundle without a choice uses."""
    num_anchors: int
    num_words: int

    @property
    def chosen(self) -> Alignment:
        """The best, as a manifest has it."""
        return msgspec.structs.replace(
            self.measured[0].alignment,
            agreement=round(self.measured[0].agreement, 4),
            num_links=self.num_anchors + self.num_words,
        )


def compare(bundle: Bundle, pairs: Sequence[HeldOutPair]) -> Comparison | None:
    """Measure every choice on held-out pairs.

    Returns:
        None where there is nothing to choose: a model without attention, or fewer than MIN_LINKS reference links.
    """
    known = references(bundle, pairs)
    num_measured = min(MAX_EXPLAINED, len(known))
    places = np.unique(np.linspace(0, len(known) - 1, num_measured, dtype=np.int64))
    known = [known[int(place)] for place in places]  # from all over them, for files may follow each other
    num_anchors, num_words = sum(len(one.anchors) for one in known), sum(len(one.words) for one in known)
    if num_anchors + num_words < MIN_LINKS:
        return None
    hits: Counter[tuple[Alignment, str]] = Counter()
    choices: list[Alignment] = []
    for one in known:
        attention = explain(bundle, _source(bundle, one), _target(bundle, one)).cross_attention
        choices = choices or _choices(*attention.shape[:2])
        for choice in choices:
            links = align(attention, choice, len(one.pair.prefix_ids))
            found = {(link.source_index, link.target_index) for link in links}
            hits[choice, "anchors"] += len(found & one.anchors)
            hits[choice, "words"] += len(found & one.words)
    if not choices:
        return None

    def measured(choice: Alignment) -> Measured:
        shares = [
            hits[choice, kind] / number for kind, number in (("anchors", num_anchors), ("words", num_words)) if number
        ]
        return Measured(choice, shares[0], shares[-1])

    default, *others = map(measured, choices)
    ranked = sorted((default, *others), key=lambda one: -one.agreement)  # the default goes first among equals
    return Comparison(tuple(ranked), default, num_anchors, num_words)


def _choices(num_layers: int, num_heads: int) -> list[Alignment]:
    """Every head, the mean of every layer, the mean of all; the last layer's mean first."""
    if not num_layers:
        return []
    means: list[tuple[int | None, int | None]] = [(layer, None) for layer in reversed(range(num_layers))]
    heads = itertools.product(range(num_layers), range(num_heads))
    places = [*means, (None, None), *heads]
    return [Alignment(layer=layer, head=head, shift=shift) for shift in SHIFTS for layer, head in places]


def _source(bundle: Bundle, one: Reference) -> tuple[int, ...]:
    return (*one.pair.prefix_ids, *one.pair.source_ids, bundle.manifest.vocabulary.end_id)


def _target(bundle: Bundle, one: Reference) -> tuple[int, ...]:
    return (*one.pair.target_ids, bundle.manifest.vocabulary.end_id)
