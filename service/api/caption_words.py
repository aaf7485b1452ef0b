"""The words of a caption, and where in the picture the model looked while it wrote each.

T tokens of the caption, S cells of the picture's grid.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RUN = re.compile(r"\S+")


@dataclass(frozen=True)
class WordAttention:
    """A word: characters [begin, end) of the caption."""

    word: str
    begin: int
    end: int
    weights: tuple[float, ...]
    """Of the S cells, row by row; they sum to one. Empty for a model without attention."""


def words_of(text: str, offsets: Sequence[tuple[int, int]], cross_attention: NDArray[Any]) -> list[WordAttention]:
    """The words of a caption.

    Args:
        text: of the caption.
        offsets: begin and end of each of the T tokens in it.
        cross_attention: (layers, heads, T, S); of a model without attention no layers.
    """
    weights = cross_attention[-1].mean(axis=0, dtype=np.float64) if len(cross_attention) else None
    return [
        WordAttention(text[begin:end], begin, end, () if weights is None else _looked_at(begin, end, offsets, weights))
        for begin, end in word_spans(text)
    ]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of the words: what is between white space, without punctuation around it."""
    spans = ((match.start(), match.end()) for match in _RUN.finditer(text))
    trimmed = (_without_punctuation(text, begin, end) for begin, end in spans)
    return [(begin, end) for begin, end in trimmed if begin < end]


def _without_punctuation(text: str, begin: int, end: int) -> tuple[int, int]:
    while begin < end and _is_punctuation(text[begin]):
        begin += 1
    while begin < end and _is_punctuation(text[end - 1]):
        end -= 1
    return begin, end


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def _looked_at(
    begin: int, end: int, offsets: Sequence[tuple[int, int]], weights: NDArray[np.float64]
) -> tuple[float, ...]:
    """The mean over the tokens that hold a part of the word."""
    tokens = [index for index, (first, last) in enumerate(offsets) if first < end and begin < last]
    summed = weights[tokens].sum(axis=0)
    total = summed.sum()
    # Weights of local attention sum to less; of cells that are all far away, to nothing.
    return tuple((summed / total if total > 0 else np.full(len(summed), 1 / len(summed))).tolist())
