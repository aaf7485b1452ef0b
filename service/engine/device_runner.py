"""Compute on a device: state stays there, and only tokens, positions, lengths and candidates cross the bus.

n running rows, rounded up to a bucket; k candidates; V vocabulary size.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnxruntime as ort

from service.bundle.bundle import Bundle
from service.device.device import Buffer, Placement
from service.engine.batch import Array, Batch, Candidates, EncodedSource, offered
from service.engine.device_memory import Arena, Mirrored, PinnedArena, aligned_sum
from service.engine.device_store import DeviceStore, EncodedBatch, Member
from service.engine.sources import reader_of
from service.engine.step_graphs import StepGraphs, bucket_of, buckets, run_options
from service.request import Source

GREEDY_CANDIDATES = 1


class _Kind(NamedTuple):
    """Steps that do the same work on the same memory."""

    num_rows: int
    """A bucket."""
    num_candidates: int
    is_full: bool


@dataclass(frozen=True)
class _Step:
    """An IO binding, with what it points at."""

    binding: ort.IOBinding
    num_candidates: Array
    outputs: tuple[Mirrored, ...]
    """Ids (bucket, k), their log-probabilities, and perhaps those of the whole vocabulary."""
    replaced: dict[str, Buffer]
    """New values of state that is replaced at every step, to be copied into its rows."""


class DeviceRunner:
    """Runs a bundle on a device that has the rows of a `DeviceStore`."""

    encodes_beside_steps = True

    def __init__(self, bundle: Bundle, placement: Placement, store: DeviceStore) -> None:
        self.spec = bundle.manifest.state
        self.vocabulary = bundle.manifest.vocabulary
        self._reader = reader_of(bundle.manifest)
        self._encoder, self._decoder = bundle.encoder, bundle.decoder
        self._decoder_inputs = {value.name for value in self._decoder.get_inputs()}
        self._placement, self._store = placement, store
        self._buckets = buckets(store.max_rows)
        self._steps: dict[_Kind, _Step] = {}
        self._graphs = StepGraphs(placement.has_graphs, placement.gate)
        self._sources, self._encoded = PinnedArena(placement.device), Arena(placement.device)
        self._all_log_probs: Mirrored | None = None
        """(max_rows, V), shared by all steps that want the whole vocabulary."""
        self._encoder_options = run_options()
        self._batches: weakref.WeakSet[EncodedBatch] = weakref.WeakSet()
        """Those that somebody holds; what the encoder gave of others is in rows, or nobody wants it."""

    def warm_up(self) -> None:
        """Run a step of every bucket as greedy search asks for it, and capture it where graphs are captured.

        On the thread that will step: ONNX Runtime keeps what was captured for each thread by itself.
        """
        for num_rows in reversed(self._buckets):  # the largest first: the memory it takes serves the others, too
            self._run(_Kind(num_rows, GREEDY_CANDIDATES, is_full=False), num_rows, is_warm_up=True)

    def encode(self, sources: Sequence[Source]) -> list[EncodedSource]:
        """See `Runner`; returns before it is done, and the store lets the decoder's stream wait for it."""
        groups = self._reader.groups(sources)
        lengths = [[len(sources[index]) for index in indices] for indices in groups]
        inputs = [self._reader.inputs([sources[index] for index in indices]) for indices in groups]
        self._begin_encoding(inputs, lengths)
        encoded: dict[int, EncodedSource] = {}
        for indices, arrays, group in zip(groups, inputs, lengths, strict=True):
            batch = self._encode_together(arrays, len(group), max(group))
            for place, (index, length) in enumerate(zip(indices, group, strict=True)):
                encoded[index] = EncodedSource(length, Member(batch, place), max(group) - length)
        return [encoded[index] for index in range(len(sources))]

    def step(self, batch: Batch, num_candidates: int, is_full: bool) -> Candidates:
        """See `Runner`."""
        self._store.flush()
        num_candidates = min(offered(num_candidates), self.vocabulary.target_size)
        return self._run(_Kind(bucket_of(batch.num_rows, self._buckets), num_candidates, is_full), batch.num_rows)

    def _begin_encoding(self, inputs: Sequence[dict[str, Array]], lengths: Sequence[Sequence[int]]) -> None:
        """Have memory: what was encoded before is in its rows when that memory is written again, or keeps its own."""
        self._store.flush()
        encoder_stream = self._placement.encoder_stream
        encoder_stream.wait_for(self._placement.decoder_stream)
        encoder_stream.synchronize()
        self._sources.reset(aligned_sum([array.nbytes for arrays in inputs for array in arrays.values()]))
        if self._batches:
            self._encoded = Arena(self._placement.device)
        self._encoded.reset(
            aligned_sum([pool.encoded_bytes(len(group), max(group)) for group in lengths for pool in self._store.pools])
        )

    def _encode_together(self, inputs: dict[str, Array], num_sources: int, num_positions: int) -> EncodedBatch:
        device, stream = self._placement.device.name, self._placement.encoder_stream
        binding = self._encoder.io_binding()
        for name, array in inputs.items():
            binding.bind_input(name, device, 0, array.dtype, array.shape, self._sources.upload(array, stream))
        shapes = {array.name: array.buffer_shape(num_sources, num_positions, 0) for array in self.spec}
        values: list[int] = []
        for pool in self._store.pools:
            address = self._encoded.take(pool.encoded_bytes(num_sources, num_positions))
            values.append(address)
            for name in pool.names if pool.shape.is_from_encoder else ():
                binding.bind_output(name, device, 0, self._store.dtype(name), shapes[name], address)
                address += pool.encoded_stride(num_sources, num_positions)
        with self._placement.gate.running():
            self._encoder.run_with_iobinding(binding, self._encoder_options)
        batch = EncodedBatch(num_sources, num_positions, values, self._encoded.buffer)
        self._batches.add(batch)
        return batch

    def _run(self, kind: _Kind, num_rows: int, is_warm_up: bool = False) -> Candidates:
        device, stream = self._placement.device, self._placement.decoder_stream
        step = self._steps.get(kind) or self._bind(kind)
        self._steps[kind] = step
        self._store.upload_numbers()
        execution = self._graphs.run(
            kind, lambda options: self._decoder.run_with_iobinding(step.binding, options), is_warm_up
        )
        for name, buffer in step.replaced.items():
            device.copy(buffer.address, self._store.address(name), buffer.num_bytes, stream)
        arrays = [output.array[:num_rows] for output in step.outputs]
        for output, array in zip(step.outputs, arrays, strict=True):
            device.download(output.buffer.address, array, stream)
        stream.synchronize()
        self._store.synchronized()
        ids, log_probs, *rest = arrays
        return Candidates(ids, log_probs, rest[0] if rest else None, execution)

    def _bind(self, kind: _Kind) -> _Step:
        device, store, num_rows = self._placement.device, self._store, kind.num_rows
        binding = self._decoder.io_binding()
        for name, numbers in store.numbers._asdict().items():
            if name in self._decoder_inputs:
                binding.bind_input(name, device.name, 0, numbers.dtype, (num_rows,), store.number_address(name))
        num_candidates = np.array([kind.num_candidates], np.int64)
        # TopK reads it on the host.
        binding.bind_input("num_candidates", "cpu", 0, np.int64, (1,), num_candidates.ctypes.data)
        replaced: dict[str, Buffer] = {}
        for array in self.spec:
            shape, dtype = store.shape(array.name, num_rows), store.dtype(array.name)
            address = store.address(array.name)
            if array.name in self._decoder_inputs:
                binding.bind_input(array.name, device.name, 0, dtype, shape, address)
            if array.update == "replace":
                buffer = replaced[array.name] = device.buffer(int(np.prod(shape)) * dtype.itemsize)
                address = buffer.address
            for output in array.outputs:
                binding.bind_output(output, device.name, 0, dtype, shape, address)
        outputs = {
            "candidate_ids": Mirrored.make(device, (num_rows, kind.num_candidates), np.int64),
            "candidate_log_probs": Mirrored.make(device, (num_rows, kind.num_candidates), np.float32),
        }
        if kind.is_full:
            outputs["log_probs"] = self._whole_vocabulary()
        for name, result in outputs.items():
            shape = (num_rows, *result.array.shape[1:])
            binding.bind_output(name, device.name, 0, result.array.dtype, shape, result.buffer.address)
        return _Step(binding, num_candidates, tuple(outputs.values()), replaced)

    def _whole_vocabulary(self) -> Mirrored:
        if self._all_log_probs is None:
            shape = (self._store.max_rows, self.vocabulary.target_size)
            self._all_log_probs = Mirrored.make(self._placement.device, shape, np.float32)
        return self._all_log_probs
