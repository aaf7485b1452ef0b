"""PyTorch and ONNX Runtime side by side on pictures: teacher-forced, and step by step through the real engine.

H × W pixels, S cells, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.parity import (
    BEAM_SIZE,
    MAX_BEAM_SENTENCES,
    MAX_BEAM_TOKENS,
    TOLERANCES,
    Tolerance,
    refuse,
    run_engine,
)
from service.bundle.bundle import Bundle
from service.bundle.provenance import Parity
from service.request import DecodingOptions, Picture
from training.captioning.model import Captioner
from training.captioning.pictures import Pixels, normalised
from training.captioning.search import greedy_captions, next_log_probs
from training.search import BeamSettings, beam_search
from training.vocabulary import BEGIN_ID, END_ID


@dataclass(frozen=True)
class Sample:
    """A picture and the language to describe it in."""

    pixels: Pixels
    """(H, W, 3)."""
    features: Tensor
    """(S, C), by PyTorch."""
    tag_id: int


def samples(model: Captioner, pictures: Tensor, tag_ids: Sequence[int]) -> list[Sample]:
    """Pictures (N, H, W, 3), the languages in turns."""
    with torch.inference_mode():
        features = model.encode(normalised(pictures.numpy()))
    return [
        Sample(pixels, seen, tag_ids[index % len(tag_ids)])
        for index, (pixels, seen) in enumerate(zip(pictures.numpy(), features, strict=True))
    ]


def check_caption_parity(bundle: Bundle, reference: Captioner, trained: Captioner, found: Sequence[Sample]) -> Parity:
    """Compare a bundle with the PyTorch model it was made from; weights may be rounded, arithmetic is float32.

    Args:
        bundle: just written.
        reference: the model that the graphs should equal.
        trained: the same before its weights were rounded.
        found: pictures.

    Raises:
        ParityError: a difference is beyond the tolerance of float32.
    """
    tolerance = TOLERANCES["float32"]
    max_tokens = bundle.manifest.limits.max_target_tokens
    seen = torch.stack([sample.features for sample in found])
    captions = greedy_captions(reference, seen, [sample.tag_id for sample in found], max_tokens - 1)
    targets = [[sample.tag_id, *caption] for sample, caption in zip(found, captions, strict=True)]
    forced = [_teacher_forced(bundle, reference, *pair) for pair in zip(found, targets, strict=True)]
    decoded = _decode(bundle, found, max_tokens)
    rounding = [
        np.abs(_expected(trained, sample, target)[0] - _expected(reference, sample, target)[0]).mean()
        for sample, target in zip(found, targets, strict=True)
    ]
    beams = [_is_same_beam(bundle, reference, sample, tolerance) for sample in found[:MAX_BEAM_SENTENCES]]
    is_rounded = bundle.manifest.precision != "float32"
    parity = Parity(
        num_sentences=len(found),
        identical_translations=sum(target == other for target, other in zip(targets, decoded, strict=True)),
        num_beams=len(beams),
        identical_beams=sum(beams),
        max_log_prob_difference=max(difference for difference, _ in forced),
        max_attention_difference=max(difference for _, difference in forced),
        reference="PyTorch float32" + (" with weights rounded to float16" if is_rounded else ""),
        mean_quantization_difference=float(np.mean(rounding)) if is_rounded else None,
    )
    refuse(parity, tolerance)
    return parity


def _decode(bundle: Bundle, found: Sequence[Sample], max_tokens: int) -> list[list[int]]:
    """Greedy captions by the engine, tags first; the languages apart, for each forces its own tag."""
    decoded: dict[int, list[int]] = {}
    for tag_id in dict.fromkeys(sample.tag_id for sample in found):
        indices = [index for index, sample in enumerate(found) if sample.tag_id == tag_id]
        options = DecodingOptions(max_tokens, prefix=(tag_id,))
        results = run_engine(bundle, [_picture(bundle, found[index]) for index in indices], options)
        decoded.update(zip(indices, (list(one[0].token_ids) for one in results), strict=True))
    return [decoded[index] for index in range(len(found))]


def _picture(bundle: Bundle, sample: Sample) -> Picture:
    return Picture(sample.pixels, bundle.manifest.limits.max_source_tokens)


def _expected(
    model: Captioner, sample: Sample, target: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log-probabilities (T,) of the target and its end, and attention (T, S), by the model's own forward pass."""
    features = sample.features[None]
    with torch.inference_mode():
        inputs = torch.tensor([[BEGIN_ID, *target]])
        readouts, attention = model.attend_and_tell(features, model.lengths(features), inputs)
        chosen = model.log_probs(readouts)[0].gather(1, torch.tensor([*target, END_ID])[:, None])[:, 0]
    return chosen.numpy(), attention[0].numpy()


def _teacher_forced(bundle: Bundle, reference: Captioner, sample: Sample, target: Sequence[int]) -> tuple[float, float]:
    """How far explain.onnx is off in any log-probability and in any attention weight."""
    inputs = {
        "pixels": normalised(sample.pixels[None]).numpy(),
        "target_ids": np.array([[BEGIN_ID, *target, END_ID]]),
    }
    log_probs, _, _, attention = bundle.explain.run(None, inputs)
    expected = _expected(reference, sample, target)
    pairs = zip((log_probs[0], attention[0, 0, 0]), expected, strict=True)
    of_log_probs, of_attention = (float(np.abs(found - wanted).max()) for found, wanted in pairs)
    return of_log_probs, of_attention


def _is_same_beam(bundle: Bundle, reference: Captioner, sample: Sample, tolerance: Tolerance) -> bool:
    num_tokens = min(MAX_BEAM_TOKENS, bundle.manifest.limits.max_target_tokens)
    options = DecodingOptions(num_tokens, beam_size=BEAM_SIZE, prefix=(sample.tag_id,))
    [best, *_] = run_engine(bundle, [_picture(bundle, sample)], options)[0]
    [expected] = beam_search(
        next_log_probs(reference, sample.features, sample.tag_id), BeamSettings(BEAM_SIZE, num_tokens)
    )
    return abs(best.score - expected.score) <= tolerance.log_prob and best.token_ids == expected.token_ids
