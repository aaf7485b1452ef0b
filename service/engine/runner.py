"""Compute: the encoder and the decoder step. The engine knows only the protocol; tests put a toy behind it.

n running rows, k candidates, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from service.bundle.bundle import Bundle
from service.bundle.manifest import VocabularySpec
from service.bundle.state_spec import StateArray
from service.engine.kv_cache import EncodedSource, KVCache
from service.search.candidates import Candidates


class Runner(Protocol):
    """Runs a model for the engine."""

    spec: tuple[StateArray, ...]
    vocabulary: VocabularySpec

    def encode(self, sources: Sequence[Sequence[int]]) -> list[EncodedSource]:
        """Encode sources together; padding never changes a result."""
        ...

    def step(self, cache: KVCache, num_candidates: int, is_full: bool) -> Candidates:
        """Run one step for the cache's running rows; updates its arrays, not its tokens or positions.

        Args:
            cache: the rows to step.
            num_candidates: k, how many of the best tokens to return.
            is_full: also return the log-probabilities of the whole vocabulary.
        """
        ...


@dataclass
class _Step:
    """An IO binding for one number of rows, and where its results appear."""

    binding: ort.IOBinding
    outputs: dict[str, NDArray[Any]]
    replaced: dict[str, NDArray[Any]]
    """New values of state that is replaced at every step, to be copied into its buffer."""


class OnnxRunner:
    """Runs a bundle with ONNX Runtime, state bound in place."""

    def __init__(self, bundle: Bundle, max_rows: int) -> None:
        self.spec = bundle.manifest.state
        self.vocabulary = bundle.manifest.vocabulary
        self._encoder = bundle.encoder
        self._decoder = bundle.decoder
        self._decoder_inputs = {value.name for value in self._decoder.get_inputs()}
        self._encoder_outputs = [value.name for value in self._encoder.get_outputs()]
        self._max_rows = max_rows
        self._steps: dict[tuple[int, int, bool], _Step] = {}
        self._bound_cache: KVCache | None = None

    def encode(self, sources: Sequence[Sequence[int]]) -> list[EncodedSource]:
        """See `Runner`."""
        lengths = [len(source) for source in sources]
        source_ids = np.full((len(sources), max(lengths)), self.vocabulary.pad_id, np.int64)
        for row, source in zip(source_ids, sources, strict=True):
            row[: len(source)] = source
        inputs = {"source_ids": source_ids, "source_lengths": np.array(lengths, np.int64)}
        outputs = dict(zip(self._encoder_outputs, self._encoder.run(None, inputs), strict=True))
        return [
            EncodedSource(length, {name: array[index] for name, array in outputs.items()})
            for index, length in enumerate(lengths)
        ]

    def step(self, cache: KVCache, num_candidates: int, is_full: bool) -> Candidates:
        """See `Runner`."""
        if cache is not self._bound_cache:
            self._steps.clear()
            self._bound_cache = cache
        key = (cache.num_rows, num_candidates, is_full)
        if key not in self._steps:
            self._steps[key] = self._bind(cache, num_candidates, is_full)
        step = self._steps[key]
        self._decoder.run_with_iobinding(step.binding)
        for name, array in step.replaced.items():
            cache.batch(name)[...] = array
        outputs = step.outputs
        return Candidates(outputs["candidate_ids"], outputs["candidate_log_probs"], outputs.get("log_probs"))

    def _bind(self, cache: KVCache, num_candidates: int, is_full: bool) -> _Step:
        num_rows = cache.num_rows
        binding = self._decoder.io_binding()
        inputs = {
            "token_ids": cache.token_ids[:num_rows],
            "positions": cache.positions[:num_rows],
            "source_lengths": cache.source_lengths[:num_rows],
            "num_candidates": np.array([num_candidates], np.int64),
        } | {array.name: cache.batch(array.name) for array in self.spec}
        outputs: dict[str, NDArray[Any]] = {
            "candidate_ids": np.empty((num_rows, num_candidates), np.int64),
            "candidate_log_probs": np.empty((num_rows, num_candidates), np.float32),
        }
        if is_full:
            outputs["log_probs"] = np.empty((num_rows, self.vocabulary.target_size), np.float32)
        replaced = {}
        for name, array in inputs.items():
            if name in self._decoder_inputs:
                binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        # `inputs` keeps num_candidates alive as long as the binding that points at it.
        step = _Step(binding, outputs | {"num_candidates": inputs["num_candidates"]}, replaced)
        for array_spec in self.spec:
            if array_spec.update == "in_place":
                _bind_output(binding, f"next_{array_spec.name}", cache.batch(array_spec.name))
            elif array_spec.update == "replace":
                replaced[array_spec.name] = np.empty_like(cache.batch(array_spec.name))
                _bind_output(binding, f"next_{array_spec.name}", replaced[array_spec.name])
        for name, array in outputs.items():
            _bind_output(binding, name, array)
        return step


def _bind_output(binding: ort.IOBinding, name: str, array: NDArray[Any]) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
