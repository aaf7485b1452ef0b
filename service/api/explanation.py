"""What explain.onnx tells of a pair: token probabilities and attention, and alignments drawn from it.

S source tokens, T target tokens, ends of sentence included in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.bundle import Bundle
from service.bundle.image_input import ImageInput
from service.request import Picture


@dataclass(frozen=True)
class Explanation:
    """Numbers of one pair."""

    token_log_probs: NDArray[Any]
    """(T,)."""
    encoder_attention: NDArray[Any]
    """(layers, heads, S, S)."""
    decoder_attention: NDArray[Any]
    """(layers, heads, T, T)."""
    cross_attention: NDArray[Any]
    """(layers, heads, T, S)."""


@dataclass(frozen=True)
class Link:
    """A target token and the source token that it attends to most."""

    source_index: int
    """Among the tokens of the text: a language prefix does not count."""
    target_index: int
    weight: float


def explain(bundle: Bundle, source_ids: Sequence[int], target_ids: Sequence[int]) -> Explanation:
    """Run explain.onnx; both sides with end of sentence. Blocks: call it off the event loop."""
    inputs = {
        "source_ids": np.array([source_ids], np.int64),
        "source_lengths": np.array([len(source_ids)], np.int64),
        "target_ids": np.array([[bundle.manifest.vocabulary.begin_id, *target_ids]], np.int64),
    }
    outputs = bundle.explain.run(None, inputs)
    return Explanation(*(output[0] for output in outputs))


def explain_picture(
    bundle: Bundle, image: ImageInput, picture: Picture, target_ids: Sequence[int]
) -> NDArray[np.float32]:
    """Run explain.onnx for a picture and its caption: the cross-attention (layers, heads, T, S), S cells. Blocks.

    Args:
        bundle: of a model that describes pictures.
        image: its manifest's.
        picture: of the model's size.
        target_ids: T, tag and end of sentence included.
    """
    inputs = {
        "pixels": image.normalized([picture.pixels]),
        "target_ids": np.array([[bundle.manifest.vocabulary.begin_id, *target_ids]], np.int64),
    }
    [cross_attention] = bundle.explain.run(["cross_attention"], inputs)
    weights: NDArray[np.float32] = cross_attention[0]
    return weights


def align(cross_attention: NDArray[Any], num_prefix_tokens: int = 0) -> list[Link]:
    """For every target token but the end, the token of the source text with most attention.

    Attention is averaged over the last layer's heads.

    Args:
        cross_attention: (layers, heads, T, S); of a model without attention no layers, and then no links.
        num_prefix_tokens: how many source tokens before those of the text stand for its language.
    """
    if not len(cross_attention):
        return []
    weights = cross_attention[-1].mean(axis=0)[:-1, num_prefix_tokens:-1]  # without the ends of sentence
    if not weights.size:
        return []
    best = weights.argmax(axis=1)
    return [Link(int(source), target, float(weights[target, source])) for target, source in enumerate(best)]
