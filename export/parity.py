"""PyTorch and ONNX Runtime side by side: teacher-forced, and step by step in ragged batches through the real engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.exportable import Exportable
from service.bundle.bundle import Bundle
from service.bundle.provenance import Parity
from service.engine.engine import Engine
from service.engine.placed import place_bundle
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, FailedEvent, FinishedEvent, Request, Source, Translation
from training.search import BeamSettings, beam_search, greedy, next_log_probs
from training.seq2seq import Seq2Seq
from training.vocabulary import BEGIN_ID, END_ID

MAX_ROWS = 16
MAX_BEAM_SENTENCES, MAX_BEAM_TOKENS, BEAM_SIZE = 8, 32, 4


class ParityError(Exception):
    """The exported graphs do not compute what the PyTorch model computes."""


@dataclass(frozen=True)
class Tolerance:
    """How far ONNX Runtime may be from PyTorch."""

    log_prob: float
    """Of any token, in nats; also the margin below which two tokens count as tied."""
    attention: float
    """Of any attention weight."""


TOLERANCES = {
    "float32": Tolerance(log_prob=1e-3, attention=1e-4),
    # A last-bit difference can move an activation to the next of its 255 steps.
    "int8": Tolerance(log_prob=0.25, attention=0.1),
    "float16": Tolerance(log_prob=0.1, attention=0.02),
}


def check_parity(
    bundle: Bundle,
    exportable: Exportable,
    reference: Seq2Seq[Any],
    float_model: Seq2Seq[Any],
    sources: Sequence[Sequence[int]],
    max_target_tokens: int,
) -> Parity:
    """Compare a bundle with the PyTorch model it was made from.

    Args:
        bundle: just written.
        exportable: the PyTorch modules behind its graphs.
        reference: the model that the graphs should equal: the float32 model, or its quantised copy.
        float_model: the trained model.
        sources: ids, end of sentence included.
        max_target_tokens: how far to decode.

    Raises:
        ParityError: a difference is beyond the precision's tolerance.
    """
    precision = bundle.manifest.precision
    tolerance = TOLERANCES[precision]
    targets = greedy(reference, sources, [max_target_tokens] * len(sources))
    forced = [
        _teacher_forced(bundle, exportable, reference, source, target)
        for source, target in zip(sources, targets, strict=True)
    ]
    decoded = decode_with_engine(bundle, sources, max_target_tokens)
    num_identical = sum(
        _is_same(reference, source, expected, actual, tolerance)
        for source, expected, actual in zip(sources, targets, decoded, strict=True)
    )
    beams = [_is_same_beam(bundle, reference, source, tolerance) for source in sources[:MAX_BEAM_SENTENCES]]
    quantization = [
        np.abs(teacher_forced_log_probs(float_model, source, target) - result.log_probs).mean()
        for source, target, result in zip(sources, targets, forced, strict=True)
    ]
    parity = Parity(
        num_sentences=len(sources),
        identical_translations=num_identical,
        num_beams=len(beams),
        identical_beams=sum(beams),
        max_log_prob_difference=max(result.log_prob_difference for result in forced),
        max_attention_difference=max(result.attention_difference for result in forced),
        reference="PyTorch float32" if precision == "float32" else f"PyTorch {precision} emulation",
        mean_quantization_difference=None if precision == "float32" else float(np.mean(quantization)),
    )
    refuse(parity, tolerance)
    return parity


def decode_with_engine(bundle: Bundle, sources: Sequence[Sequence[int]], max_target_tokens: int) -> list[list[int]]:
    """Greedy translations by the engine that serves the bundle, rows coming and going."""
    found = run_engine(bundle, sources, DecodingOptions(max_target_tokens))
    return [list(translations[0].token_ids) for translations in found]


def run_engine(bundle: Bundle, sources: Sequence[Source], decoding: DecodingOptions) -> list[tuple[Translation, ...]]:
    """Translations of every source by the engine that serves the bundle, best first.

    Raises:
        ParityError: the graphs cannot run.
    """
    limits = bundle.manifest.limits
    engine = Engine(*place_bundle(bundle, MAX_ROWS), Scheduler(len(sources), MAX_ROWS * limits.max_source_tokens))
    for index, source in enumerate(sources):
        engine.submit(Request(index, source, decoding, 0.0))
    translations: dict[int, tuple[Translation, ...]] = {}
    while engine.has_work:
        for event in engine.step():
            if isinstance(event, FinishedEvent):
                translations[event.request_id] = event.translations
            elif isinstance(event, FailedEvent):
                raise ParityError(f"ONNX Runtime cannot run the graphs: {event.error}") from event.error
    return [translations[index] for index in range(len(sources))]


def teacher_forced_log_probs(model: Seq2Seq[Any], source: Sequence[int], target: Sequence[int]) -> NDArray[np.float32]:
    """Log-probability of each target token and of end of sentence, (T + 1,), by PyTorch."""
    with torch.inference_mode():
        inputs = torch.tensor([[BEGIN_ID, *target]])
        states = model(torch.tensor([source]), torch.tensor([len(source)]), inputs)
        log_probs = model.log_probs(states)[0]
        chosen = log_probs.gather(1, torch.tensor([*target, END_ID])[:, None])[:, 0]
    values: NDArray[np.float32] = chosen.numpy()
    return values


@dataclass(frozen=True)
class _Forced:
    log_probs: NDArray[np.float32]
    log_prob_difference: float
    attention_difference: float


def _teacher_forced(
    bundle: Bundle, exportable: Exportable, reference: Seq2Seq[Any], source: Sequence[int], target: Sequence[int]
) -> _Forced:
    """explain.onnx against the model's own forward pass (probabilities) and its PyTorch module (attention)."""
    source_ids, lengths = np.array([source]), np.array([len(source)])
    target_ids = np.array([[BEGIN_ID, *target, END_ID]])
    inputs = {"source_ids": source_ids, "source_lengths": lengths, "target_ids": target_ids}
    log_probs, *maps = bundle.explain.run(None, inputs)
    with torch.inference_mode():
        _, *expected_maps = exportable.explain(*(torch.from_numpy(value) for value in inputs.values()))
    expected = teacher_forced_log_probs(reference, source, target)
    return _Forced(
        log_probs[0],
        float(np.abs(log_probs[0] - expected).max()),
        max(float(np.abs(a - b.numpy()).max(initial=0.0)) for a, b in zip(maps, expected_maps, strict=True)),
    )


def _is_same(
    reference: Seq2Seq[Any], source: Sequence[int], expected: list[int], actual: list[int], tolerance: Tolerance
) -> bool:
    """Whether two translations are the same, or part where PyTorch itself finds two tokens equally good."""
    if expected == actual:
        return True
    first = next((i for i, (a, b) in enumerate(zip(expected, actual, strict=False)) if a != b), None)
    if first is None:
        first = min(len(expected), len(actual))
    tokens = [[*sequence, END_ID][first] for sequence in (expected, actual)]
    first_log_prob, second_log_prob = (
        teacher_forced_log_probs(reference, source, [*expected[:first], token])[first] for token in tokens
    )
    return abs(float(first_log_prob - second_log_prob)) <= tolerance.log_prob


def _is_same_beam(bundle: Bundle, reference: Seq2Seq[Any], source: Sequence[int], tolerance: Tolerance) -> bool:
    """Whether beam search finds the same best translation as PyTorch's slow one.

    In lower precision it may part from it where two hypotheses are equally good, and end elsewhere; PyTorch must then
    give every token of what it found the same log-probability: a row that continued another's state would show.
    """
    num_tokens = min(MAX_BEAM_TOKENS, bundle.manifest.limits.max_target_tokens)
    [found, *_] = run_engine(bundle, [source], DecodingOptions(num_tokens, beam_size=BEAM_SIZE))[0]
    [expected] = beam_search(next_log_probs(reference, source), BeamSettings(BEAM_SIZE, num_tokens))
    if found.token_ids == expected.token_ids:
        return abs(found.score - expected.score) <= tolerance.log_prob
    if bundle.manifest.precision == "float32":
        return False
    confirmed = teacher_forced_log_probs(reference, source, found.token_ids)[: len(found.token_log_probs)]
    return float(np.abs(confirmed - found.token_log_probs).max()) <= tolerance.log_prob


def refuse(parity: Parity, tolerance: Tolerance) -> None:
    """Raise a ParityError where a difference is beyond the tolerance."""
    num_different = parity.num_sentences - parity.identical_translations
    if num_different:
        raise ParityError(f"{num_different} of {parity.num_sentences} translations differ from PyTorch's: {parity}")
    if parity.identical_beams < parity.num_beams:
        raise ParityError(f"{parity.num_beams - parity.identical_beams} of {parity.num_beams} beams differ: {parity}")
    if parity.max_log_prob_difference > tolerance.log_prob or parity.max_attention_difference > tolerance.attention:
        raise ParityError(f"ONNX Runtime differs from PyTorch by more than {tolerance}: {parity}")
