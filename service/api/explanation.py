"""What explain.onnx tells of a pair: token probabilities and attention, and alignments drawn from it.

S source tokens, T target tokens, ends of sentence included in both. All of it blocks: call it off the event loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.bundle import Bundle
from service.bundle.image_input import ImageInput
from service.bundle.manifest import Alignment
from service.bundle.state_spec import SOURCE
from service.request import Picture

LARGEST_INT8 = 127


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
    """Run explain.onnx; both sides with end of sentence."""
    inputs = _source(source_ids) | {
        "target_ids": np.array([[bundle.manifest.vocabulary.begin_id, *target_ids]], np.int64)
    }
    with bundle.running():
        outputs = bundle.explain.run(None, inputs)
    return Explanation(*(output[0] for output in outputs))


def explain_picture(
    bundle: Bundle, image: ImageInput, picture: Picture, target_ids: Sequence[int]
) -> NDArray[np.float32]:
    """Run explain.onnx for a picture and its caption: the cross-attention (layers, heads, T, S), S cells.

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
    with bundle.running():
        [cross_attention] = bundle.explain.run(["cross_attention"], inputs)
    weights: NDArray[np.float32] = cross_attention[0]
    return weights


def encode(bundle: Bundle, source_ids: Sequence[int]) -> NDArray[np.float32]:
    """What the decoder is given for each source token: (S, E), with E = 0 where it is given nothing for each.

    All arrays of the state that belong to the source and grow with it, side by side; int8 as a share of 127, for only
    the graphs know the scale of an array.
    """
    arrays = {array.name: array for array in bundle.manifest.state if array.grows_with == SOURCE}
    parts = [np.zeros((len(source_ids), 0), np.float32)]
    with bundle.running():
        found = bundle.encoder.run(list(arrays), _source(source_ids)) if arrays else []
    for array, values in zip(arrays.values(), found, strict=True):
        axis = array.growing_axis
        assert axis is not None
        rows = np.moveaxis(values, axis, 1)[0].reshape(len(source_ids), -1).astype(np.float32)
        parts.append(rows / LARGEST_INT8 if array.dtype == "int8" else rows)
    return np.concatenate(parts, axis=1)


def aligning_weights(cross_attention: NDArray[Any], alignment: Alignment | None) -> NDArray[Any]:
    """The attention that alignments are drawn from, (T, S).

    Args:
        cross_attention: (layers, heads, T, S) with at least one layer.
        alignment: which; None: the mean of the last layer's heads.
    """
    if alignment is None:
        return np.asarray(cross_attention[-1].mean(axis=0))
    if alignment.layer is None:
        return np.asarray(cross_attention.mean(axis=(0, 1)))
    layer = cross_attention[alignment.layer]
    return np.asarray(layer.mean(axis=0) if alignment.head is None else layer[alignment.head])


def align(cross_attention: NDArray[Any], alignment: Alignment | None = None, num_prefix_tokens: int = 0) -> list[Link]:
    """For every target token but the end, the token of the source text with most attention.

    Args:
        cross_attention: (layers, heads, T, S); of a model without attention no layers, and then no links.
        alignment: see `aligning_weights`.
        num_prefix_tokens: how many source tokens before those of the text stand for its language.
    """
    if not len(cross_attention):
        return []
    shift = 0 if alignment is None else alignment.shift
    num_tokens = cross_attention.shape[2] - 1  # without the end of sentence; nor has the source one here
    weights = aligning_weights(cross_attention, alignment)[shift : shift + num_tokens, num_prefix_tokens:-1]
    if not weights.size:
        return []
    best = weights.argmax(axis=1)
    return [Link(int(source), target, float(weights[target, source])) for target, source in enumerate(best)]


def _source(source_ids: Sequence[int]) -> dict[str, NDArray[np.int64]]:
    return {
        "source_ids": np.array([source_ids], np.int64),
        "source_lengths": np.array([len(source_ids)], np.int64),
    }
