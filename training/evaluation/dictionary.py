"""A baseline: each word by the word that it most likely became in the training text.

Word probabilities are those of IBM model 1 (Brown et al. 1993), by expectation maximisation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

MIN_OCCURRENCES = 2
MAX_WORDS = 40
"""Longer sentences teach little and cost the square of their length."""
NUM_ITERATIONS = 5
_NOTHING = ""
"""Stands in each source for target words that come from none of its words, such as articles."""
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Dictionary:
    """Words and what they become."""

    def __init__(self, entries: dict[str, str]) -> None:
        """Args:
        entries: the best target of each source word, in lower case.
        """
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def translate(self, text: str) -> str:
        """Word by word in the order of the source; unknown words and marks stay as they are."""
        return _TOKEN.sub(lambda match: self._entries.get(match[0].lower(), match[0]), text)


def learn(pairs: Iterable[tuple[str, str]]) -> Dictionary:
    """Learn from sentences and their translations.

    Raises:
        TrainingError: no word occurs twice.
    """
    split = [(_words(source), _words(target)) for source, target in pairs]
    split = [sides for sides in split if all(0 < len(side) <= MAX_WORDS for side in sides)]
    sources, targets = (_number(side) for side in zip(*split, strict=True)) if split else ({}, {})
    if not sources or not targets:
        raise TrainingError("a dictionary needs text in which words occur twice")
    source_ids, target_ids, slots = _links(split, {_NOTHING: len(sources), **sources}, targets)
    codes, links = np.unique(source_ids * len(targets) + target_ids, return_inverse=True)
    link_sources = codes // len(targets)
    probabilities = _maximise(links, slots, link_sources)
    # Of several best the last in order of probability; what comes from nothing has the largest source id.
    order = np.lexsort((probabilities, link_sources))
    last = np.append(np.flatnonzero(np.diff(link_sources[order])), len(order) - 1)
    source_words, target_words = list(sources), list(targets)
    best = zip(link_sources[order][last], codes[order][last] % len(targets), strict=True)
    return Dictionary({source_words[int(s)]: target_words[int(t)] for s, t in best if s < len(source_words)})


def _words(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text.lower()) if token[0].isalnum()]


def _number(sentences: Sequence[list[str]]) -> dict[str, int]:
    counts = Counter(word for sentence in sentences for word in sentence)
    frequent = sorted(word for word, count in counts.items() if count >= MIN_OCCURRENCES)
    return {word: number for number, word in enumerate(frequent)}


def _links(
    split: Sequence[tuple[list[str], list[str]]], sources: dict[str, int], targets: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every source word with every target word of its sentence: their ids, and which target word of which sentence."""
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    slots: list[NDArray[np.int64]] = []
    num_slots = 0
    for source, target in split:
        source_row = np.array([sources[_NOTHING], *(sources[word] for word in source if word in sources)], np.int64)
        target_row = np.array([targets[word] for word in target if word in targets], np.int64)
        parts.append((np.tile(source_row, len(target_row)), np.repeat(target_row, len(source_row))))
        slots.append(np.repeat(np.arange(num_slots, num_slots + len(target_row)), len(source_row)))
        num_slots += len(target_row)
    return np.concatenate([s for s, _ in parts]), np.concatenate([t for _, t in parts]), np.concatenate(slots)


def _maximise(
    links: NDArray[np.int64], slots: NDArray[np.int64], link_sources: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probability of the target word given the source word, for each pair of words that occur together."""
    probabilities = np.ones(len(link_sources))
    for _ in range(NUM_ITERATIONS):
        weights = probabilities[links]
        expected = weights / np.bincount(slots, weights)[slots]
        counts = np.bincount(links, expected)
        probabilities = counts / np.bincount(link_sources, counts)[link_sources]
    return probabilities
