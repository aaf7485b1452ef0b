"""Compute: the encoder and the decoder step. The engine knows only the protocol; tests put a toy behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnxruntime as ort

from service.bundle.bundle import Bundle
from service.bundle.manifest import VocabularySpec
from service.bundle.state_spec import StateArray
from service.engine.batch import Array, Batch, Candidates, EncodedSource, offered
from service.engine.sources import reader_of
from service.request import Source


class Runner(Protocol):
    """Runs a model for the engine."""

    spec: tuple[StateArray, ...]
    vocabulary: VocabularySpec
    encodes_beside_steps: bool
    """Whether `encode` returns before the encoder is done, which then runs while `step` does. Who opens a row waits for
    it, so the engine opens rows after the step. An error of the encoder may come as late as that."""

    def warm_up(self) -> None:
        """Do what is slow the first time. On the thread that will step, while no row is in use."""
        ...

    def encode(self, sources: Sequence[Source]) -> list[EncodedSource]:
        """Encode sources together; padding never changes a result."""
        ...

    def step(self, batch: Batch, num_candidates: int, is_full: bool) -> Candidates:
        """Run one step for the running rows; updates the batch's state, not its tokens or positions.

        Args:
            batch: the rows to step.
            num_candidates: how many of the best tokens to return; there may be more.
            is_full: also return the log-probabilities of the whole vocabulary.
        """
        ...


@dataclass(frozen=True)
class _Step:
    """An IO binding for one batch, with the arrays that it points at."""

    batch: Batch
    binding: ort.IOBinding
    inputs: dict[str, Array]
    outputs: dict[str, Array]
    replaced: dict[str, Array]
    """New values of state that is replaced at every step, to be copied into its buffer."""


class OnnxRunner:
    """Runs a bundle with ONNX Runtime, state bound in place."""

    encodes_beside_steps = False

    def __init__(self, bundle: Bundle) -> None:
        self.spec = bundle.manifest.state
        self.vocabulary = bundle.manifest.vocabulary
        self._reader = reader_of(bundle.manifest)
        self._encoder = bundle.encoder
        self._decoder = bundle.decoder
        self._decoder_inputs = {value.name for value in self._decoder.get_inputs()}
        self._encoder_outputs = [value.name for value in self._encoder.get_outputs()]
        self._steps: dict[tuple[int, int, bool], _Step] = {}
        self._log_probs = np.empty((0, self.vocabulary.target_size), np.float32)
        """(rows, V), shared by all steps that want the whole vocabulary."""

    def warm_up(self) -> None:
        """Nothing is."""

    def encode(self, sources: Sequence[Source]) -> list[EncodedSource]:
        """See `Runner`; sources that are alike go together."""
        encoded: dict[int, EncodedSource] = {}
        for indices in self._reader.groups(sources):
            group = self._encode_together([sources[index] for index in indices])
            encoded.update(zip(indices, group, strict=True))
        return [encoded[index] for index in range(len(sources))]

    def _encode_together(self, sources: Sequence[Source]) -> list[EncodedSource]:
        lengths = [len(source) for source in sources]
        inputs = self._reader.inputs(sources)
        outputs = dict(zip(self._encoder_outputs, self._encoder.run(None, inputs), strict=True))
        return [
            EncodedSource(length, {name: array[index] for name, array in outputs.items()}, max(lengths) - length)
            for index, length in enumerate(lengths)
        ]

    def step(self, batch: Batch, num_candidates: int, is_full: bool) -> Candidates:
        """See `Runner`."""
        num_candidates = min(offered(num_candidates), self.vocabulary.target_size)
        key = (batch.num_rows, num_candidates, is_full)
        step = self._steps.get(key)
        if step is None or step.batch is not batch:
            step = self._steps[key] = self._bind(batch, num_candidates, is_full)
        self._decoder.run_with_iobinding(step.binding)
        for name, array in step.replaced.items():
            batch.state[name][...] = array
        outputs = step.outputs
        return Candidates(outputs["candidate_ids"], outputs["candidate_log_probs"], outputs.get("log_probs"))

    def _bind(self, batch: Batch, num_candidates: int, is_full: bool) -> _Step:
        num_rows = batch.num_rows
        inputs: dict[str, Array] = {
            "token_ids": batch.token_ids,
            "positions": batch.positions,
            "source_lengths": batch.source_lengths,
            "num_candidates": np.array([num_candidates], np.int64),
            **batch.state,
        }
        outputs: dict[str, Array] = {
            "candidate_ids": np.empty((num_rows, num_candidates), np.int64),
            "candidate_log_probs": np.empty((num_rows, num_candidates), np.float32),
        }
        if is_full:
            outputs["log_probs"] = self._whole_vocabulary(num_rows)
        replaced: dict[str, Array] = {}
        binding = self._decoder.io_binding()
        for name, array in inputs.items():
            if name in self._decoder_inputs:
                binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for array_spec in self.spec:
            name = array_spec.name
            if array_spec.update == "replace":
                replaced[name] = np.empty_like(batch.state[name])
            for output in array_spec.outputs:
                _bind_output(binding, output, replaced.get(name, batch.state[name]))
        for name, array in outputs.items():
            _bind_output(binding, name, array)
        return _Step(batch, binding, inputs, outputs, replaced)

    def _whole_vocabulary(self, num_rows: int) -> Array:
        if len(self._log_probs) < num_rows:
            self._log_probs = np.empty((num_rows, self.vocabulary.target_size), np.float32)
            self._steps = {key: step for key, step in self._steps.items() if "log_probs" not in step.outputs}
        return self._log_probs[:num_rows]


def _bind_output(binding: ort.IOBinding, name: str, array: Array) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
